import { monotonicMs } from '#base/clock'
import { GatewayError, toGatewayError } from '#base/errors'
import type { ByteSocket } from '../byte-socket.ts'
import { peerInfo } from '../http1/peer-info.ts'
import type { PeerInfo } from '../message.ts'
import { type PaceRules, SocketPace } from '../pace.ts'
import type { Connection, OpenSocket, ServerContext } from '../server-context.ts'
import { Timer } from '../timer-wheel.ts'
import { ConnectionError, errorCodes, protocolError } from './error-codes.ts'
import { FloodGuard } from './flood-guard.ts'
import { clientPreface, maxStreamId, settingIds } from './frames.ts'
import { blockBound } from './hpack-encoder.ts'
import { RequestFields } from './request-fields.ts'
import { Http2Exchange } from './server-stream.ts'
import { Session } from './session.ts'
import { type Stream, streamWindow } from './stream.ts'
import { ignoredFields, TrailerFields } from './trailer-fields.ts'

/** Streams at a time, and those that a client may take back or break per second (four times as many at once). */
const usualLimits = { streams: 128, resets: 100 }
const resetBurst = 4
const lingerMs = 1_000
/** How long a client may take to learn that it must not open streams any more (RFC 9113 §6.8). */
const goawayMs = 1_000

/** What the one timer of a connection waits for. */
type Waiting = 'head' | 'idle' | 'goaway' | 'close' | 'nothing'

/** One accepted HTTP/2 connection; every stream of it is an exchange. */
export class ServerSession extends Session implements Connection {
  readonly peer: PeerInfo
  readonly #context: ServerContext
  readonly #timer: Timer
  #pace: SocketPace | null = null
  readonly #fields = new RequestFields()
  readonly #resets: FloodGuard
  readonly #maxStreams: number
  #prefaceSeen = 0
  #highest = 0
  #waiting: Waiting = 'nothing'
  #goaway: 'no' | 'announced' | 'final' = 'no'

  constructor(context: ServerContext, socket: ByteSocket) {
    const peer = peerInfo(socket)
    super(socket, context.wheel, 2 * context.limits.head + 16_384, context.direct && !peer.encrypted)
    this.#context = context
    this.peer = peer
    const { streams, resets } = context.limits.http2 ?? usualLimits
    this.#maxStreams = streams
    this.#timer = new Timer(() => this.#onTimeout())
    this.#resets = new FloodGuard('streams that were reset', resetBurst * resets, resets, context.wheel.now)
    this.sendSettings([
      [settingIds.maxConcurrentStreams, streams],
      [settingIds.initialWindowSize, streamWindow],
      [settingIds.maxHeaderListSize, context.limits.head],
      [settingIds.enableConnectProtocol, 1],
    ])
    this.#wait('head')
  }

  get idle(): boolean {
    return this.streams.size === 0 && !this.block.open
  }

  destroy(): void {
    this.socket.destroy()
  }

  checkPace(rules: PaceRules, now: number): void {
    if (rules.request > 0)
      for (const stream of [...this.streams.values()]) (stream as Http2Exchange).checkPace(rules, now)
    if ((this.#pace ??= new SocketPace(this.socket)).judge(rules, -1, now) !== null) this.destroy()
  }

  drain(): void {
    if (this.idle) this.#finish()
    else if (this.#goaway === 'no') {
      // RFC 9113 §6.8: first a warning, so that requests under way are not lost; then the last stream that counts.
      this.#goaway = 'announced'
      this.frames.goaway(maxStreamId, errorCodes.noError)
      this.frames.ping()
      this.#wait('goaway')
    }
  }

  refuse(error: GatewayError): void {
    this.closing = true
    // Nothing was asked, so nothing can be answered; it is on record all the same.
    this.#context.onInvalid(error, this.peer, 0)
    this.frames.goaway(0, errorCodes.enhanceYourCalm, 'Too many connections')
    this.#end()
  }

  // ---- bytes in

  onBytes(bytes: Buffer, length: number): void {
    let start = 0
    if (this.#prefaceSeen < clientPreface.length) {
      start = Math.min(length, clientPreface.length - this.#prefaceSeen)
      const expected = clientPreface.subarray(this.#prefaceSeen, this.#prefaceSeen + start)
      if (!expected.equals(bytes.subarray(0, start))) {
        this.socket.destroy()
        return
      }
      this.#prefaceSeen += start
    }
    this.read(bytes, start, length)
    this.#reconsider()
  }

  protected override onHeaders(
    streamId: number,
    endStream: boolean,
    bytes: Buffer,
    start: number,
    end: number,
    size: number,
  ): void {
    const stream = this.streams.get(streamId)
    if (stream !== undefined) {
      this.#onTrailers(stream as Http2Exchange, endStream, bytes, start, end)
      return
    }
    if (streamId % 2 === 0) throw protocolError('A client opened a stream of an even number')
    if (streamId <= this.#highest) {
      if (!this.wasResetHere(streamId)) throw new ConnectionError(errorCodes.streamClosed, 'HEADERS on a closed stream')
      this.decoder.decode(bytes, start, end, ignoredFields)
      return
    }
    if (this.#goaway === 'final') {
      this.decoder.decode(bytes, start, end, ignoredFields)
      return
    }
    this.#highest = streamId
    const fields = this.#fields
    fields.begin(this.#context.limits)
    this.decoder.decode(bytes, start, end, fields)
    if (this.streams.size >= this.#maxStreams) {
      this.#resets.spend(this.wheel.now, 1)
      this.resetStream(streamId, errorCodes.refusedStream)
      return
    }
    this.#begin(streamId, endStream, size)
  }

  #begin(streamId: number, endStream: boolean, size: number): void {
    const startedMono = monotonicMs()
    try {
      const request = this.#fields.finish()
      if (endStream && request.contentLength > 0)
        throw new GatewayError('bad-request', { detail: 'The body is shorter than Content-Length' })
      if (endStream && request.protocol !== null)
        throw new GatewayError('bad-request', { detail: 'A tunnel that is closed already' })
      const exchange = new Http2Exchange(this, streamId, request, endStream, size, startedMono)
      this.usefulFrames(2)
      this.#context.requests++
      this.#context.onExchange(exchange)
    } catch (error) {
      this.#refuseRequest(streamId, endStream, toGatewayError(error), startedMono)
    }
  }

  /** Answers what never became a request; what is malformed is reset as well (RFC 9113 §8.1.1). */
  #refuseRequest(streamId: number, endStream: boolean, error: GatewayError, startedMono: number): void {
    this.#resets.spend(this.wheel.now, 1)
    const { status, headers, body } = this.#context.onInvalid(error, this.peer, startedMono)
    this.frames.beginBlock(blockBound(headers) + 48)
    this.frames.encoder.status(status)
    this.frames.encoder.fields(headers)
    this.frames.endBlock(streamId, false)
    const bytes = Buffer.from(body)
    // Without room for all of it the status alone has to say it.
    if (bytes.length <= Math.min(this.sendWindow, this.peerWindow)) {
      this.sendWindow -= bytes.length
      this.output.data(streamId, bytes, 0, bytes.length)
    }
    this.output.endStream(streamId)
    if (error.code === 'bad-request') this.resetStream(streamId, errorCodes.protocolError)
    else if (!endStream) this.resetStream(streamId, errorCodes.noError)
  }

  #onTrailers(stream: Http2Exchange, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    const trailers = new TrailerFields(this.#context.limits.head)
    this.decoder.decode(bytes, start, end, trailers)
    if (stream.remoteEnded) this.failStream(stream, errorCodes.streamClosed)
    else if (!endStream || !trailers.valid || !stream.countData(0, end - start, true))
      this.failStream(stream, errorCodes.protocolError)
    else stream.receiveEnd(trailers.headers)
  }

  protected override onData(
    stream: Stream,
    bytes: Buffer,
    start: number,
    end: number,
    flow: number,
    endStream: boolean,
  ): void {
    if (!(stream as Http2Exchange).countData(end - start, flow, endStream)) {
      this.consumed(flow)
      this.failStream(stream, errorCodes.protocolError)
      return
    }
    try {
      stream.receiveData(bytes, start, end, flow)
      if (endStream && !stream.closed) stream.receiveEnd(null)
    } catch (error) {
      // What goes wrong with one body must not end the other calls of its connection.
      ;(stream as Http2Exchange).breakOff(toGatewayError(error))
    }
  }

  protected override isIdle(streamId: number): boolean {
    return streamId % 2 === 0 || streamId > this.#highest
  }

  protected override onStreamReset(stream: Stream, _code: number): void {
    this.#resets.spend(this.wheel.now, 1)
    this.forget(stream)
    stream.onReset(errorCodes.cancel)
  }

  override failStream(stream: Stream, code: number): void {
    super.failStream(stream, code)
    // A client that makes us reset streams costs as much as one that resets them itself.
    this.#resets.spend(this.wheel.now, 1)
  }

  protected override onGoaway(): void {
    // A client says that it takes no pushed streams any more; there are none.
  }

  protected override onPeerSettings(): void {}

  protected override onPingAnswer(): void {
    if (this.#goaway === 'announced') this.#announceLast()
  }

  // ---- the life of the connection

  protected override onForget(): void {
    if (this.streams.size === 0) this.#reconsider()
  }

  /** Chooses what the timer waits for, after bytes came or the last stream ended. */
  #reconsider(): void {
    if (this.closing) return
    if (this.block.open || this.#prefaceSeen < clientPreface.length) {
      if (this.#waiting !== 'head') this.#wait('head')
    } else if (this.streams.size > 0) {
      if (this.#waiting !== 'goaway') this.#wait('nothing')
    } else if (this.#goaway !== 'no' || this.#context.draining) this.#finish()
    else if (this.reader.partial) {
      if (this.#waiting !== 'head') this.#wait('head')
    } else this.#wait('idle')
  }

  #wait(what: Waiting): void {
    this.#waiting = what
    const { wheel, timeouts } = this.#context
    if (what === 'head') wheel.set(this.#timer, timeouts.requestHead)
    else if (what === 'idle') wheel.set(this.#timer, timeouts.idle)
    else if (what === 'goaway') wheel.set(this.#timer, goawayMs)
    else if (what === 'close') wheel.set(this.#timer, lingerMs)
    else wheel.clear(this.#timer)
  }

  #onTimeout(): void {
    const what = this.#waiting
    if (what === 'goaway') this.#announceLast()
    else if (what === 'idle') this.#finish()
    else if (what === 'head' && this.streams.size === 0) this.#finish()
    else this.socket.destroy()
  }

  #announceLast(): void {
    this.#goaway = 'final'
    this.frames.goaway(this.#highest, errorCodes.noError)
    this.#wait('nothing')
    if (this.idle) this.#finish()
  }

  /** Nothing runs: says so, and closes. */
  #finish(): void {
    if (this.closing) return
    this.closing = true
    if (this.#goaway !== 'final') this.frames.goaway(this.#highest, errorCodes.noError)
    this.#end()
  }

  protected override onConnectionError(error: ConnectionError): void {
    this.frames.goaway(this.#highest, error.code, error.message)
    this.#end()
    for (const stream of [...this.streams.values()]) {
      this.forget(stream)
      stream.onReset(errorCodes.cancel)
    }
  }

  #end(): void {
    this.output.flush()
    this.socket.end()
    this.#wait('close')
  }

  protected override onSocketError(): void {
    this.socket.destroy()
  }

  protected override onClose(): void {
    this.closing = true
    this.#context.wheel.remove(this.#timer)
    this.#context.connections.delete(this)
    for (const stream of [...this.streams.values()]) {
      this.forget(stream)
      stream.onReset(errorCodes.cancel)
    }
  }

  setTimer(timer: Timer): void {
    this.#context.wheel.set(timer, this.#context.timeouts.idle)
  }

  clearTimer(timer: Timer): void {
    this.#context.wheel.remove(timer)
  }
}

/** Serves a connection that is known to speak HTTP/2. */
export const openServerSession = (context: ServerContext, open: OpenSocket): ServerSession => {
  let session: ServerSession | null = null
  const socket = open((bytes, length) => session?.onBytes(bytes, length))
  session = new ServerSession(context, socket)
  return session
}
