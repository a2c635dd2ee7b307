import { monotonicMs } from '#base/clock'
import { GatewayError, toGatewayError } from '#base/errors'
import type { ByteSocket } from '../byte-socket.ts'
import { ChunkedDecoder } from '../chunked.ts'
import { fieldLines } from '../field-lines.ts'
import { checkIncompleteHead, findHead, tooLarge } from '../find-head.ts'
import type { HeaderList } from '../headers.ts'
import type { BodySink, PeerInfo } from '../message.ts'
import { type PaceRules, SocketPace } from '../pace.ts'
import { parseRequestHead } from '../parse-head.ts'
import { splitTarget } from '../request-target.ts'
import type { Connection, OpenSocket, ServerContext } from '../server-context.ts'
import type { OnBytes } from '../socket-reading.ts'
import { SocketWriter } from '../socket-writer.ts'
import { Timer } from '../timer-wheel.ts'
import { waitsForPeer } from '../unsent.ts'
import { statusLine } from './head-text.ts'
import { peerInfo } from './peer-info.ts'
import { RawSocketStream } from './raw-socket-stream.ts'
import { Http1Exchange } from './server-exchange.ts'

/**
 * head: waiting for (the rest of) a request head · wait: a request is being answered and its body, if any, has been
 * read · body: the body is read into a sink, or waits for one · skip: the answer is out and the unread rest of the
 * body is thrown away · linger: closing, everything is thrown away · raw: no longer HTTP.
 */
type Phase = 'head' | 'wait' | 'body' | 'skip' | 'linger' | 'raw'

/** Bytes of a next request that may wait while one is answered; above it the socket is not read. */
const maxPipelined = 65_536
/** The unread rest of a body up to this size is skipped to keep the connection; above it the connection closes. */
const maxSkipped = 65_536
/** What the preface of HTTP/2 looks like to a reader of HTTP/1.1: a whole head. */
const prefaceHead = 'PRI * HTTP/2.0\r\n\r\n'
const lingerMs = 5_000
const drainLingerMs = 500
/** How long a connection on which nothing came yet is waited for while the server drains. */
const firstRequestMs = 1_000
const maxLingerBytes = 67_108_864

const discard: BodySink = { onBodyData: () => {}, onBodyEnd: () => {} }

/** One accepted HTTP/1.1 connection: reads requests one after the other and writes their answers in order. */
export class ServerConnection implements BodySink, Connection {
  readonly peer: PeerInfo
  /** monotonicMs() when the first byte of the current head arrived. */
  requestStartedMono = 0
  readonly #context: ServerContext
  readonly #socket: ByteSocket
  readonly #writer: SocketWriter
  readonly #timer: Timer
  #phase: Phase = 'head'
  #pending: Buffer | null = null
  #processing = false
  #reading = true
  #exchange: Http1Exchange | null = null
  #sink: BodySink | null = null
  #bodyPaused = false
  #bodyRemaining = 0
  #chunked: ChunkedDecoder | null = null
  #raw: RawSocketStream | null = null
  #discarded = 0
  #closed = false
  #pace: SocketPace | null = null
  #toHttp2: ((socket: ByteSocket) => OnBytes) | null
  #successor: OnBytes | null = null
  #served = false

  /** `toHttp2` takes over the socket of a client whose first bytes are the preface of HTTP/2. */
  constructor(context: ServerContext, open: OpenSocket, toHttp2: ((socket: ByteSocket) => OnBytes) | null) {
    this.#context = context
    this.#toHttp2 = toHttp2
    const socket = open((bytes, length) => this.#onBytes(bytes, length))
    this.#socket = socket
    this.peer = peerInfo(socket)
    this.#writer = new SocketWriter(socket, context.direct && !this.peer.encrypted)
    this.#timer = new Timer(() => this.#onTimeout())
    context.wheel.set(this.#timer, context.timeouts.requestHead)
    socket.on('drain', () => this.#onDrain())
    socket.on('end', () => this.#onEnd())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#onClose())
  }

  get idle(): boolean {
    return this.#phase === 'head' && this.#pending === null
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /**
   * A running answer says `Connection: close` by itself, since the context drains. A client that has only just
   * connected is about to ask.
   */
  drain(): void {
    if (!this.idle) return
    if (this.#served) this.destroy()
    else this.#context.wheel.set(this.#timer, firstRequestMs)
  }

  refuse(error: GatewayError): void {
    this.#refuse(error)
  }

  checkPace(rules: PaceRules, now: number): void {
    const waits = this.#phase === 'body' && this.#sink !== null && !this.#bodyPaused
    const slow = this.#ownPace.judge(rules, waits ? (this.#exchange?.bytesIn ?? -1) : -1, now)
    if (slow === 'response') this.#socket.destroy()
    else if (slow === 'request') this.#refuse(new GatewayError('request-timeout'))
  }

  get #ownPace(): SocketPace {
    return (this.#pace ??= new SocketPace(this.#socket))
  }

  // ---- what the exchange asks for

  receiveBody(exchange: Http1Exchange, sink: BodySink): void {
    if (exchange !== this.#exchange || this.#phase !== 'body') {
      sink.onBodyEnd(null)
      return
    }
    this.#sink = sink
    if (exchange.expectsContinue && !exchange.responseStarted && this.#pending === null)
      this.#writer.text('HTTP/1.1 100 Continue\r\n\r\n')
    this.#context.wheel.set(this.#timer, this.#context.timeouts.idle)
    this.#pump()
  }

  setBodyPaused(paused: boolean): void {
    if (this.#bodyPaused === paused) return
    this.#bodyPaused = paused
    if (this.#chunked !== null) this.#chunked.paused = paused
    if (this.#phase !== 'body') return
    if (paused) this.#context.wheel.clear(this.#timer)
    else {
      this.#context.wheel.set(this.#timer, this.#context.timeouts.idle)
      this.#pump()
    }
  }

  responseBegins(exchange: Http1Exchange): void {
    if (this.#context.draining) exchange.keepAlive = false
    // Whoever still holds back the body because of Expect may or may not send it now: the framing would be a guess.
    if (this.#phase !== 'body' || this.#sink !== null) return
    if (exchange.expectsContinue || this.#restIsLong()) exchange.keepAlive = false
  }

  responseEnds(exchange: Http1Exchange): void {
    this.#exchange = null
    if (!exchange.keepAlive) {
      if (exchange.isLast) this.#closeAtOnce()
      else this.#linger()
      return
    }
    if (this.#phase === 'body') {
      this.#sink = null
      this.#bodyPaused = false
      if (this.#restIsLong()) {
        this.#linger()
        return
      }
      this.#phase = 'skip'
      this.#context.wheel.set(this.#timer, this.#context.timeouts.idle)
    } else this.#nextRequest()
    this.#pump()
  }

  write(before: string, chunk: Buffer, after: string): boolean {
    if (this.#closed) return true
    return this.#keepsUp(this.#writer.bytes(before, chunk, after))
  }

  writeText(text: string): boolean {
    if (this.#closed) return true
    this.#writer.text(text)
    return this.#keepsUp(this.#writer.ready)
  }

  /** A client that does not read holds memory: it gets as long as an idle one. */
  #keepsUp(ready: boolean): boolean {
    if (!ready && this.#phase === 'wait') {
      this.#context.wheel.set(this.#timer, this.#context.timeouts.idle)
      this.#ownPace.note()
    }
    return ready
  }

  /** Ends the connection in the middle of a response, so that the client notices. */
  cut(reset: boolean): void {
    this.#exchange = null
    this.#phase = 'linger'
    this.#context.wheel.clear(this.#timer)
    this.#writer.flush()
    if (reset) this.#socket.resetAndDestroy()
    else this.#socket.destroySoon()
  }

  becomeRaw(): RawSocketStream {
    this.#phase = 'raw'
    this.#context.wheel.clear(this.#timer)
    this.#raw = new RawSocketStream(this.#socket, this.#writer, reading => {
      this.#setReading(reading)
      if (reading) this.#pump()
    })
    return this.#raw
  }

  // ---- bytes in

  #onBytes(bytes: Buffer, length: number): void {
    if (this.#phase === 'linger') {
      if (this.#successor !== null) {
        this.#successor(bytes, length)
        return
      }
      this.#discarded += length
      if (this.#discarded > maxLingerBytes) this.#socket.destroy()
      return
    }
    if (this.#pending !== null) {
      const joined = Buffer.allocUnsafe(this.#pending.length + length)
      this.#pending.copy(joined)
      bytes.copy(joined, this.#pending.length, 0, length)
      this.#pending = null
      this.#consume(joined, joined.length, true)
    } else this.#consume(bytes, length, false)
  }

  /** Works on what has been kept; called when something changed that lets more of it be consumed. */
  #pump(): void {
    if (this.#processing || this.#closed) return
    const pending = this.#pending
    this.#pending = null
    if (pending !== null) this.#consume(pending, pending.length, true)
    this.#adjustReading()
  }

  #consume(bytes: Buffer, length: number, owned: boolean): void {
    this.#processing = true
    let position = 0
    try {
      position = this.#process(bytes, length)
    } catch (error) {
      position = length
      if (!this.#becomesHttp2(bytes, length)) this.#refuse(toGatewayError(error))
    }
    this.#processing = false
    if (position < length) {
      const rest = bytes.subarray(position, length)
      this.#pending = owned ? rest : Buffer.from(rest)
      this.#adjustReading()
    }
  }

  /**
   * RFC 9113 §3.4: the preface of HTTP/2 is made so that it can never be a request of HTTP/1.1. So it is looked for
   * only where a first request was refused, and costs other connections nothing.
   */
  #becomesHttp2(bytes: Buffer, length: number): boolean {
    const toHttp2 = this.#toHttp2
    if (toHttp2 === null || this.#phase !== 'head' || bytes.indexOf(prefaceHead, 0, 'latin1') !== 0) return false
    this.#phase = 'linger'
    this.#closed = true
    this.#context.wheel.remove(this.#timer)
    this.#context.connections.delete(this)
    this.#successor = toHttp2(this.#socket)
    this.#successor(bytes, length)
    return true
  }

  #process(bytes: Buffer, length: number): number {
    let position = 0
    while (position < length) {
      const before = position
      switch (this.#phase) {
        case 'head':
          position = this.#readHead(bytes, position, length)
          break
        case 'body':
          if (this.#sink === null || this.#bodyPaused) return position
          position = this.#readBody(bytes, position, length, this)
          break
        case 'skip':
          position = this.#readBody(bytes, position, length, discard)
          if (this.#bodyDone()) this.#nextRequest()
          break
        case 'raw': {
          const raw = this.#raw as RawSocketStream
          if (raw.onData === null || !this.#reading) return position
          raw.bytesIn += length - position
          position = length
          raw.onData(before === 0 && length === bytes.length ? bytes : bytes.subarray(before, length))
          break
        }
        case 'linger':
          return length
        case 'wait':
          return position
      }
      if (position === before && this.#phase !== 'raw') return position
    }
    return position
  }

  #readHead(bytes: Buffer, start: number, length: number): number {
    let position = start
    // RFC 9112 §2.2: one empty line before the request line is ignored.
    if (bytes[position] === 13 && position + 1 < length && bytes[position + 1] === 10) position += 2
    if (position === length) return position
    const begins = this.requestStartedMono === 0
    if (begins) this.requestStartedMono = monotonicMs()
    const limits = this.#context.limits
    const found = findHead(bytes, position, length)
    if (found === null) {
      if (begins) this.#context.wheel.set(this.#timer, this.#context.timeouts.requestHead)
      checkIncompleteHead(bytes, position, length, limits)
      return start
    }
    if (found.size > limits.head) throw tooLarge(bytes, position, length, limits.target)
    const head = parseRequestHead(found.text, limits.headers, found.end, bytes, position)
    if (head.target.length > limits.target) throw new GatewayError('target-too-long')
    const { host, target } = splitTarget(head)
    if (head.expect !== null && head.expect.toLowerCase() !== '100-continue')
      throw new GatewayError('expectation-failed')
    const exchange = new Http1Exchange(this, head, host, target, found.size)
    this.requestStartedMono = 0
    this.#toHttp2 = null
    this.#exchange = exchange
    this.#context.wheel.clear(this.#timer)
    if (head.chunked) {
      this.#chunked = new ChunkedDecoder()
      this.#phase = 'body'
    } else if (head.contentLength > 0) {
      this.#bodyRemaining = head.contentLength
      this.#phase = 'body'
    } else this.#phase = 'wait'
    this.#context.requests++
    this.#served = true
    this.#context.onExchange(exchange)
    return position + found.size
  }

  #readBody(bytes: Buffer, start: number, length: number, sink: BodySink): number {
    if (this.#chunked !== null) {
      const end = this.#chunked.feed(bytes, start, length, sink)
      if (this.#exchange !== null) this.#exchange.bytesIn += end - start
      return end
    }
    const take = Math.min(this.#bodyRemaining, length - start)
    this.#bodyRemaining -= take
    if (this.#exchange !== null) this.#exchange.bytesIn += take
    sink.onBodyData(bytes.subarray(start, start + take))
    if (this.#bodyRemaining === 0) sink.onBodyEnd(null)
    return start + take
  }

  /** BodySink of its own: passes data on and notices the end. */
  onBodyData(chunk: Buffer): void {
    this.#context.wheel.set(this.#timer, this.#context.timeouts.idle)
    this.#sink?.onBodyData(chunk)
  }

  onBodyEnd(trailers: HeaderList | null): void {
    const sink = this.#sink
    this.#sink = null
    this.#chunked = null
    this.#bodyPaused = false
    if (this.#phase === 'body') this.#phase = 'wait'
    this.#context.wheel.clear(this.#timer)
    sink?.onBodyEnd(trailers)
  }

  #bodyDone(): boolean {
    return this.#chunked === null ? this.#bodyRemaining === 0 : this.#chunked.done
  }

  #restIsLong(): boolean {
    return this.#chunked !== null || this.#bodyRemaining > maxSkipped
  }

  #nextRequest(): void {
    this.#phase = 'head'
    this.#chunked = null
    this.#sink = null
    this.#context.wheel.set(this.#timer, this.#context.timeouts.idle)
    if (this.#context.draining && this.#pending === null && !this.#processing) this.#linger()
  }

  // ---- reading, closing, time

  #adjustReading(): void {
    if (this.#closed || this.#phase === 'raw') return
    const held = this.#pending === null ? 0 : this.#pending.length
    if (this.#phase === 'head' || this.#phase === 'skip' || this.#phase === 'linger') this.#setReading(true)
    else if (this.#phase === 'body') this.#setReading(this.#sink !== null && !this.#bodyPaused)
    else this.#setReading(held < maxPipelined)
  }

  #setReading(reading: boolean): void {
    if (this.#reading === reading) return
    this.#reading = reading
    if (reading) this.#socket.resume()
    else this.#socket.pause()
  }

  /** Answers what is not valid HTTP, once, and closes: after a framing error nothing on the wire can be trusted. */
  #refuse(error: GatewayError): void {
    const exchange = this.#exchange
    if (exchange !== null) {
      // The body broke after the head was handed on: the owner of the exchange decides what the client gets.
      exchange.keepAlive = false
      this.#phase = 'wait'
      this.#sink = null
      exchange.listener?.onAbort(error)
      if (!exchange.responseEnded) exchange.abort()
      return
    }
    if (this.#phase === 'skip') {
      // The answer is out already: a second one would look like the answer to the next request.
      this.#socket.destroy()
      return
    }
    const { status, headers, body } = this.#context.onInvalid(error, this.peer, this.requestStartedMono)
    const bytes = Buffer.from(body)
    const head = `${statusLine(status)}${fieldLines(headers)}content-length: ${bytes.length}\r\nconnection: close\r\n\r\n`
    this.#writer.bytes(head, bytes, '')
    this.#linger()
  }

  /** Closes so that the client still gets what was written: FIN first, then its bytes are read for a while (RFC 9112 §9.6). */
  #linger(): void {
    this.#phase = 'linger'
    this.#pending = null
    this.#context.wheel.set(this.#timer, this.#context.draining ? drainLingerMs : lingerMs)
    this.#setReading(true)
    this.#writer.end()
  }

  /** Nothing more can be on its way from the client: no need to wait for its FIN, if all is written. TLS says goodbye first. */
  #closeAtOnce(): void {
    this.#writer.flush()
    const waits = this.#pending !== null || this.#processing || this.peer.encrypted
    if (waits || waitsForPeer(this.#socket)) this.#linger()
    else this.#socket.destroy()
  }

  #onTimeout(): void {
    if (this.#phase === 'head' && this.requestStartedMono !== 0) this.#refuse(new GatewayError('request-timeout'))
    else if (this.#phase === 'body' && this.#sink !== null) this.#refuse(new GatewayError('request-timeout'))
    // One that reads slowly gets as long as it needs.
    else if (this.#pace?.takes() === true) this.#context.wheel.set(this.#timer, this.#context.timeouts.idle)
    else if (this.#phase === 'head' && !this.#closed) this.#linger()
    else this.#socket.destroy()
  }

  #onDrain(): void {
    if (this.#phase === 'raw') {
      this.#raw?.onDrain?.()
      return
    }
    if (this.#phase === 'wait') this.#context.wheel.clear(this.#timer)
    this.#exchange?.listener?.onDrain()
  }

  #onEnd(): void {
    if (this.#phase === 'raw') {
      this.#raw?.onEnd?.()
      return
    }
    // A client that ends its side while an answer is due has gone: freeing the upstream at once matters more than
    // serving the rare client that half-closes on purpose.
    this.#socket.destroy()
  }

  #onClose(): void {
    if (this.#closed) return
    this.#closed = true
    this.#context.wheel.remove(this.#timer)
    this.#context.connections.delete(this)
    this.#raw?.onClose?.()
    const exchange = this.#exchange
    this.#exchange = null
    this.#sink = null
    this.#pending = null
    if (exchange === null) return
    if (this.#raw !== null) {
      // A tunnel is one call: it is over, and counted, when the connection is.
      exchange.bytesIn += this.#raw.bytesIn
      exchange.bytesOut += this.#raw.bytesOut
      exchange.listener?.onFinish()
      return
    }
    exchange.responseEnded = true
    exchange.listener?.onAbort(new GatewayError('client-closed'))
    exchange.listener?.onFinish()
  }
}
