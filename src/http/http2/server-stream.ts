import { GatewayError } from '#base/errors'
import type { HeaderList } from '../headers.ts'
import type { BodySink, ExchangeListener, Framing, PeerInfo, RawStream, ServerExchange } from '../message.ts'
import { Pace, type PaceRules } from '../pace.ts'
import { Timer } from '../timer-wheel.ts'
import { errorCodes } from './error-codes.ts'
import { blockBound } from './hpack-encoder.ts'
import type { RequestFieldsResult } from './request-fields.ts'
import type { ServerSession } from './server-session.ts'
import { Stream } from './stream.ts'
import { StreamTunnel } from './stream-tunnel.ts'

/** Bytes of a response head beside its fields. */
const headOverhead = 48

const noBody = (method: string, status: number): boolean => method === 'HEAD' || status === 204 || status === 304

/** One request on an HTTP/2 connection; see ServerExchange for the contract. */
export class Http2Exchange extends Stream implements ServerExchange {
  readonly session: ServerSession
  readonly peer: PeerInfo
  readonly method: string
  readonly target: string
  readonly host: string
  readonly headers: HeaderList
  readonly version = '2'
  readonly framing: Framing
  readonly contentLength: number
  readonly upgradeProtocol: string | null
  readonly startedMono: number
  responseStarted = false
  responseEnded = false
  bytesIn: number
  bytesOut = 0
  listener: ExchangeListener | null = null
  patient = false
  readonly #expectsContinue: boolean
  /** Bytes of the body that are still to come, or -1 when nobody knows. */
  #due: number
  #sink: BodySink | null = null
  #tunnel: StreamTunnel | null = null
  #status = 0
  #fields: HeaderList | null = null
  #length = -1
  #bodyless = false
  #remaining = -1
  #timer: Timer | null = null
  #pace: Pace | null = null

  constructor(
    session: ServerSession,
    id: number,
    request: RequestFieldsResult,
    endStream: boolean,
    size: number,
    startedMono: number,
  ) {
    super()
    this.session = session
    this.open(id)
    this.peer = session.peer
    this.method = request.method
    this.target = request.target
    this.host = request.host
    this.headers = request.headers
    this.upgradeProtocol = request.protocol
    this.#due = request.contentLength
    this.contentLength = endStream ? 0 : request.contentLength
    this.framing = endStream || request.protocol !== null ? 'none' : request.contentLength >= 0 ? 'length' : 'chunked'
    this.#expectsContinue = request.expectsContinue
    this.bytesIn = size
    this.startedMono = startedMono
    this.remoteEnded = endStream
  }

  // ---- the request body

  /** Counts a DATA frame; false when the body is longer or shorter than announced (RFC 9113 §8.1.1). */
  countData(size: number, flow: number, ends: boolean): boolean {
    this.bytesIn += flow
    if (this.#due < 0) return true
    this.#due -= size
    return this.#due >= 0 && (!ends || this.#due === 0)
  }

  receive(sink: BodySink): void {
    if (this.remoteEnded && this.nothingHeld) {
      sink.onBodyEnd(null)
      return
    }
    this.#sink = sink
    if (this.#expectsContinue && !this.responseStarted && this.nothingHeld && !this.closed)
      this.#sendHead(100, [], -1, false)
    if (!this.remoteEnded) this.#watchBody()
    this.deliverHeld()
  }

  pause(): void {
    this.setPaused(true)
    this.#unwatch()
  }

  resume(): void {
    if (this.#sink !== null && !this.remoteEnded) this.#watchBody()
    this.setPaused(false)
  }

  protected override get taken(): boolean {
    return this.#tunnel === null ? this.#sink !== null : this.#tunnel.onData !== null
  }

  protected override deliver(chunk: Buffer): void {
    if (this.#tunnel !== null) {
      this.#tunnel.onData?.(chunk)
      return
    }
    if (this.#timer !== null && !this.remoteEnded) this.#watchBody()
    this.#sink?.onBodyData(chunk)
  }

  protected override deliverEnd(trailers: HeaderList | null): void {
    if (this.#tunnel !== null) {
      this.#tunnel.onEnd?.()
      return
    }
    const sink = this.#sink
    this.#sink = null
    this.#unwatch()
    sink?.onBodyEnd(trailers)
  }

  // ---- the response

  informational(status: number, headers: HeaderList): void {
    if (this.responseStarted || this.closed || status === 101) return
    this.#sendHead(status, headers, -1, false)
  }

  respond(status: number, headers: HeaderList, body: Buffer | string | null): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    this.head(status, headers, bytes === null ? 0 : bytes.length)
    if (bytes !== null && bytes.length > 0) this.write(bytes)
    this.end(null)
  }

  head(status: number, headers: HeaderList, length: number): void {
    this.responseStarted = true
    this.#status = status
    this.#fields = headers
    this.#bodyless = noBody(this.method, status)
    this.#remaining = length
    // RFC 9110 §8.6: no Content-Length in 204, and in 304 only that of the answer it stands for.
    this.#length = status === 204 || (status === 304 && length <= 0) ? -1 : length
  }

  flush(): void {
    const fields = this.#fields
    if (fields === null) return
    this.#fields = null
    if (!this.closed) this.#sendHead(this.#status, fields, this.#length, false)
  }

  write(chunk: Buffer): boolean {
    if (this.responseEnded || chunk.length === 0 || this.#bodyless) return true
    this.flush()
    if (this.#remaining >= 0) {
      this.#remaining -= chunk.length
      if (this.#remaining < 0) throw new GatewayError('internal', { detail: 'More body bytes than announced' })
    }
    this.bytesOut += chunk.length
    return this.sendBody(chunk)
  }

  end(trailers: HeaderList | null): void {
    if (this.responseEnded) return
    if (!this.#bodyless && this.#remaining > 0) {
      this.abort()
      return
    }
    this.responseEnded = true
    const fields = this.#fields
    this.#fields = null
    if (fields !== null && !this.closed) this.#sendHead(this.#status, fields, this.#length, false)
    this.sendEnd(trailers)
    this.listener?.onFinish()
  }

  abort(): void {
    if (this.responseEnded) return
    this.responseEnded = true
    this.flush()
    this.#leave(errorCodes.internalError)
    this.listener?.onFinish()
  }

  upgrade(_status: number, headers: HeaderList): RawStream {
    this.responseStarted = true
    this.responseEnded = true
    // RFC 8441 §5: the answer to an extended CONNECT is 200, and the accept key has no meaning there.
    const fields = headers.filter((_, index) => headers[index & ~1] !== 'sec-websocket-accept')
    this.#sendHead(200, fields, -1, false)
    this.#tunnel = new StreamTunnel({
      write: chunk => {
        this.bytesOut += chunk.length
        return this.sendBody(chunk)
      },
      end: () => this.sendEnd(null),
      setReading: reading => this.setPaused(!reading),
      destroy: () => {
        if (!this.closed) this.#leave(errorCodes.cancel)
        this.#endTunnel()
      },
    })
    return this.#tunnel
  }

  #sendHead(status: number, fields: HeaderList, length: number, endStream: boolean): void {
    const { session } = this
    session.frames.beginBlock(blockBound(fields) + headOverhead)
    session.frames.encoder.status(status)
    session.frames.encoder.fields(fields)
    if (length >= 0) session.frames.encoder.field('content-length', String(length))
    this.bytesOut += session.frames.endBlock(this.id, endStream)
  }

  // ---- the life of the stream

  protected override onLocalEnd(): void {
    this.#unwatch()
    // RFC 9113 §8.1: whatever is still to come of the request is not wanted any more.
    if (!this.remoteEnded && this.#tunnel === null) this.#leave(errorCodes.noError)
  }

  #leave(code: number): void {
    this.#unwatch()
    this.#sink = null
    if (this.closed) return
    this.session.resetStream(this.id, code)
    this.session.forget(this)
  }

  override release(): void {
    super.release()
    this.#unwatch()
    this.#endTunnel()
  }

  #endTunnel(): void {
    const tunnel = this.#tunnel
    if (tunnel === null) return
    this.#tunnel = null
    tunnel.onClose?.()
    this.listener?.onFinish()
  }

  override onReset(code: number): void {
    this.#fail(
      code === errorCodes.protocolError
        ? new GatewayError('bad-request', { detail: 'The request body is not valid' })
        : new GatewayError('client-closed'),
    )
  }

  /** The client has gone, or what it sent cannot be used: there is nobody to answer any more. */
  #fail(error: GatewayError): void {
    this.#sink = null
    this.#unwatch()
    if (this.responseEnded) return
    this.responseEnded = true
    this.listener?.onAbort(error)
    this.listener?.onFinish()
  }

  /** The body cannot be used to its end; an answer is still possible. */
  breakOff(error: GatewayError): void {
    this.#sink = null
    this.listener?.onAbort(error)
    if (!this.responseEnded) this.abort()
  }

  // ---- time

  #watch(): void {
    this.#timer ??= new Timer(() => this.#onTimeout())
    this.session.setTimer(this.#timer)
  }

  #watchBody(): void {
    if (!this.patient) this.#watch()
  }

  #unwatch(): void {
    if (this.#timer !== null) this.session.clearTimer(this.#timer)
  }

  protected override onStalled(stalled: boolean): void {
    if (stalled) this.#watch()
    else if (this.#sink === null || this.patient) this.#unwatch()
  }

  protected override onSendable(): void {
    if (this.#tunnel === null) this.listener?.onDrain()
    else this.#tunnel.onDrain?.()
  }

  /** Ends a body that arrives too slowly while somebody waits for it. */
  checkPace({ request, grace }: PaceRules, now: number): void {
    if (this.closed || this.responseStarted) return
    const waits = this.#sink !== null && !this.remoteEnded && !this.paused && !this.patient
    if ((this.#pace ??= new Pace()).tooSlow(waits ? this.bytesIn : -1, { rate: request, grace }, now)) this.#onTimeout()
  }

  #onTimeout(): void {
    if (this.closed) return
    if (this.#sink !== null && !this.responseStarted) {
      // The body stopped arriving: the owner of the exchange decides what the client gets.
      this.breakOff(new GatewayError('request-timeout'))
      return
    }
    // A client that does not read holds memory: it gets as long as an idle one.
    this.session.failStream(this, errorCodes.cancel)
  }
}
