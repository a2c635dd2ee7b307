import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { GatewayError, toGatewayError } from '#base/errors'
import { connectError, connectSocket } from '../connect-socket.ts'
import { Timer } from '../timer-wheel.ts'
import type { ClientSessions } from './client-sessions.ts'
import type { ClientStream } from './client-stream.ts'
import { type ConnectionError, errorCodes, protocolError } from './error-codes.ts'
import { clientPreface, maxStreamId, settingIds } from './frames.ts'
import { ResponseFields } from './response-fields.ts'
import { Session } from './session.ts'
import type { Stream } from './stream.ts'
import { streamWindow } from './stream.ts'
import { ignoredFields, TrailerFields } from './trailer-fields.ts'

/** Streams that are given to a connection before it says how many it takes (RFC 9113 §6.5.2 recommends 100). */
const assumedStreams = 100
/** Streams on one connection, whatever its origin allows. */
const maxStreams = 1_000
const youngMs = 2_000
/** How long a connection in doubt has to answer a PING. */
const doubtMs = 2_000

type Phase = 'connecting' | 'open' | 'leaving' | 'closed'

/** One HTTP/2 connection to an origin, for many requests at a time. */
export class ClientSession extends Session {
  readonly scheme: 'http' | 'https'
  /** Streams that were opened on it. */
  served = 0
  readonly #sessions: ClientSessions
  readonly #timer: Timer
  readonly #fields: ResponseFields
  #waiting: ClientStream[] = []
  #phase: Phase = 'connecting'
  #nextId = 1
  #doubted = false
  #lastRead = 0
  readonly #bornAt: number
  #touched: ClientStream[] = []

  constructor(sessions: ClientSessions, socket: Socket) {
    const { wheel, maxHead, maxFields, origin } = sessions.pool.options
    super(socket, wheel, 2 * maxHead + 16_384, origin.tls === null)
    this.#sessions = sessions
    this.scheme = origin.tls === null ? 'http' : 'https'
    this.#fields = new ResponseFields(maxHead, maxFields)
    this.#bornAt = wheel.now
    this.#timer = new Timer(() => this.#onTimeout())
    socket.once(origin.tls === null ? 'connect' : 'secureConnect', () => this.#onConnect())
  }

  /** How many more streams it takes now. */
  get room(): number {
    return this.#sessions.pool.closed ? 0 : this.#capacity
  }

  /** The same for requests that were promised a place before the pool was closed. */
  get #capacity(): number {
    if (this.#doubted) return 0
    if (this.#phase === 'connecting') return assumedStreams - this.#waiting.length
    if (this.#phase !== 'open' || this.#nextId > maxStreamId) return 0
    return Math.min(this.peerMaxStreams, maxStreams) - this.streams.size
  }

  /** Whether it stands so short a time that it cannot have gone stale. */
  get young(): boolean {
    return this.wheel.now - this.#bornAt < youngMs
  }

  get idle(): boolean {
    return this.#phase === 'open' && this.streams.size === 0
  }

  /** Sends a request, or keeps it until the connection is ready; there must be room. */
  take(stream: ClientStream): void {
    if (this.#phase === 'connecting') {
      this.#waiting.push(stream)
      return
    }
    const id = this.#nextId
    this.#nextId += 2
    if (this.streams.size === 0) this.wheel.clear(this.#timer)
    stream.start(this, id)
    this.served++
  }

  /** Ends it now. */
  abort(): void {
    this.socket.destroy()
  }

  /** Takes nothing new and closes after the last response. */
  leave(): void {
    if (this.#phase === 'open') this.#phase = 'leaving'
    this.onForget()
  }

  /** A stream that has something for its handler at the end of this turn. */
  touch(stream: ClientStream): void {
    if (this.#touched[this.#touched.length - 1] !== stream) this.#touched.push(stream)
  }

  /**
   * A response did not come in time, and has been waited for since `since`. Where nothing else came either the
   * connection itself may be dead: it takes no requests until it answers a PING.
   */
  doubt(since: number): void {
    if (this.#doubted || this.#phase === 'connecting' || this.#lastRead > since) return
    this.#doubted = true
    this.frames.ping()
    this.wheel.set(this.#timer, doubtMs)
  }

  // ---- connecting

  #onConnect(): void {
    if (this.socket instanceof TLSSocket && this.socket.alpnProtocol !== 'h2') {
      const waiting = this.#waiting
      this.#waiting = []
      this.#phase = 'closed'
      this.socket.destroy()
      this.#sessions.onHttp1(waiting)
      return
    }
    const { maxHead } = this.#sessions.pool.options
    this.output.raw(clientPreface)
    this.sendSettings([
      [settingIds.enablePush, 0],
      [settingIds.initialWindowSize, streamWindow],
      [settingIds.maxHeaderListSize, maxHead],
    ])
  }

  protected override onPeerSettings(first: boolean): void {
    if (!first) return
    this.#phase = 'open'
    const waiting = this.#waiting
    this.#waiting = []
    if (this.#capacity <= 0 && waiting.length > 0) this.#doubted = true
    for (const stream of waiting) {
      if (stream.over) continue
      if (this.#capacity > 0) this.take(stream)
      else if (this.served === 0) stream.fail(new GatewayError('upstream-unreachable', { retry: 'yes' }))
      else this.#sessions.dispatch(stream, false)
    }
    if (this.streams.size === 0) this.onForget()
  }

  // ---- bytes in

  onBytes(bytes: Buffer, length: number): void {
    this.#lastRead = this.wheel.now
    this.read(bytes, 0, length)
    if (this.#touched.length === 0) return
    const touched = this.#touched
    this.#touched = []
    for (const stream of touched) stream.onPause()
  }

  protected override onHeaders(
    streamId: number,
    endStream: boolean,
    bytes: Buffer,
    start: number,
    end: number,
    _size: number,
  ): void {
    const stream = this.streams.get(streamId) as ClientStream | undefined
    if (stream === undefined || stream.remoteEnded) {
      if (this.isIdle(streamId)) throw protocolError('HEADERS on an idle stream')
      this.decoder.decode(bytes, start, end, ignoredFields)
      if (stream !== undefined) this.failStream(stream, errorCodes.streamClosed)
      return
    }
    if (stream.expectsTrailers) {
      this.#onTrailers(stream, endStream, bytes, start, end)
      return
    }
    this.#fields.begin()
    this.decoder.decode(bytes, start, end, this.#fields)
    this.usefulFrames(2)
    this.touch(stream)
    // What goes wrong with one response must not end the others of its connection.
    try {
      stream.onHead(this.#fields, endStream)
    } catch (error) {
      stream.fail(toGatewayError(error))
    }
  }

  #onTrailers(stream: ClientStream, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    const trailers = new TrailerFields(this.#sessions.pool.options.maxHead)
    this.decoder.decode(bytes, start, end, trailers)
    if (!endStream || !trailers.valid || !stream.countData(0, true)) {
      this.failStream(stream, errorCodes.protocolError)
      return
    }
    try {
      stream.receiveEnd(trailers.headers)
    } catch (error) {
      stream.fail(toGatewayError(error))
    }
  }

  protected override onData(
    stream: Stream,
    bytes: Buffer,
    start: number,
    end: number,
    flow: number,
    endStream: boolean,
  ): void {
    const client = stream as ClientStream
    if (!client.countData(end - start, endStream)) {
      this.consumed(flow)
      this.failStream(stream, errorCodes.protocolError)
      return
    }
    try {
      client.receiveData(bytes, start, end, flow)
      if (endStream && !client.closed) client.receiveEnd(null)
    } catch (error) {
      client.fail(toGatewayError(error))
    }
  }

  protected override isIdle(streamId: number): boolean {
    return streamId % 2 === 0 || streamId >= this.#nextId
  }

  protected override onStreamReset(stream: Stream, code: number): void {
    // RFC 9113 §8.1: after its whole response an origin may say so that the rest of the request is not wanted.
    this.forget(stream)
    const client = stream as ClientStream
    if (code === errorCodes.http11Required) this.#sessions.useHttp1()
    client.onPeerReset(code)
  }

  protected override onGoaway(lastStream: number): void {
    if (this.#phase === 'open') this.#phase = 'leaving'
    this.#sessions.remove(this)
    for (const [id, stream] of [...this.streams])
      if (id > lastStream) {
        this.forget(stream)
        ;(stream as ClientStream).onLost(true)
      }
    this.onForget()
  }

  protected override onPingAnswer(): void {
    if (!this.#doubted) return
    this.#doubted = false
    this.wheel.clear(this.#timer)
    this.onForget()
  }

  // ---- the life of the connection

  protected override onForget(): void {
    if (this.streams.size > 0 || this.#phase === 'connecting' || this.#phase === 'closed' || this.#doubted) return
    if (this.#phase === 'leaving' || this.#sessions.pool.closed) this.#finish()
    else this.wheel.set(this.#timer, this.#sessions.pool.options.idleTimeout)
  }

  #onTimeout(): void {
    if (this.#doubted) this.socket.destroy()
    else if (this.streams.size === 0) this.#finish()
  }

  #finish(): void {
    if (this.#phase === 'closed') return
    this.#phase = 'closed'
    this.closing = true
    this.#sessions.remove(this)
    this.frames.goaway(0, errorCodes.noError)
    this.output.flush()
    this.socket.destroySoon()
  }

  protected override onConnectionError(error: ConnectionError): void {
    this.#sessions.remove(this)
    this.frames.goaway(0, error.code, error.message)
    this.output.flush()
    this.socket.destroySoon()
    for (const stream of [...this.streams.values()]) {
      this.forget(stream)
      ;(stream as ClientStream).fail(new GatewayError('upstream-invalid', { cause: error }))
    }
  }

  protected override onSocketError(error: NodeJS.ErrnoException): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.socket.destroy()
    for (const stream of waiting) if (!stream.over) stream.fail(connectError(error))
  }

  protected override onClose(): void {
    this.#phase = 'closed'
    this.closing = true
    this.wheel.remove(this.#timer)
    this.#sessions.remove(this)
    this.#sessions.pool.connections.delete(this)
    const waiting = this.#waiting
    this.#waiting = []
    for (const stream of waiting)
      if (!stream.over) stream.fail(new GatewayError('upstream-unreachable', { retry: 'yes' }))
    for (const stream of [...this.streams.values()]) {
      this.forget(stream)
      ;(stream as ClientStream).onLost(false)
    }
  }
}

/** Connects to the origin of a pool; with TLS, HTTP/1.1 is offered too unless HTTP/2 is insisted on. */
export const openClientSession = (sessions: ClientSessions): ClientSession => {
  const { pool } = sessions
  const alpn = pool.options.protocol === 'h2' ? ['h2'] : ['h2', 'http/1.1']
  let session: ClientSession | null = null
  const socket = connectSocket(pool, alpn, (bytes, length) => session?.onBytes(bytes, length))
  session = new ClientSession(sessions, socket)
  return session
}
