import { GatewayError } from '#base/errors'
import type { ClientExchange, OutgoingRequest, ResponseHandler } from '../client.ts'
import type { HeaderList } from '../headers.ts'
import { Timer } from '../timer-wheel.ts'
import type { ClientSession } from './client-session.ts'
import type { ClientSessions } from './client-sessions.ts'
import { errorCodes, StreamReset } from './error-codes.ts'
import { sendRequestHead } from './outgoing-fields.ts'
import type { ResponseFields } from './response-fields.ts'
import { Stream } from './stream.ts'
import { StreamTunnel } from './stream-tunnel.ts'

type State = 'waiting' | 'head' | 'body' | 'tunnel' | 'over'

/** One request to an origin over HTTP/2, from before its connection stands. */
export class ClientStream extends Stream implements ClientExchange {
  reused = false
  readonly request: OutgoingRequest
  readonly #sessions: ClientSessions
  readonly #timer: Timer
  readonly #totalDeadline: number
  #idleTimeout: number
  /** Wheel time since which something is waited for. */
  #armedAt = 0
  #session: ClientSession | null = null
  #state: State = 'waiting'
  #handler: ResponseHandler | null
  #requestDone = false
  /** Bytes of the response that are still to come, or -1 when nobody knows. */
  #due = -1
  #tunnel: StreamTunnel | null = null
  /** Where the request went when its origin turned out to speak HTTP/1.1. */
  #instead: ClientExchange | null = null

  constructor(sessions: ClientSessions, request: OutgoingRequest, handler: ResponseHandler) {
    super()
    this.#sessions = sessions
    this.request = request
    this.#handler = handler
    this.#idleTimeout = request.idleTimeout
    this.#totalDeadline = sessions.wheel.now + request.totalTimeout
    this.#timer = new Timer(() => this.#onTimeout())
    this.#setTimer(request.connectTimeout)
  }

  override get session(): ClientSession {
    return this.#session as ClientSession
  }

  get connected(): boolean {
    return this.#state !== 'waiting'
  }

  get over(): boolean {
    return this.#state === 'over'
  }

  /** Sends the request as stream `id` of a connection that is ready for it. */
  start(session: ClientSession, id: number): void {
    const { request } = this
    this.#session = session
    this.reused = session.served > 0
    this.open(id)
    this.#state = 'head'
    this.#setTimer(request.responseTimeout)
    const bodyless = request.upgrade === null && (request.length === 0 || request.body?.length === 0)
    sendRequestHead(session, id, request, session.scheme, bodyless)
    if (bodyless) {
      this.#requestDone = true
      this.localEnded = true
    } else if (request.body !== null) {
      this.#requestDone = true
      this.sendBody(request.body)
      this.sendEnd(null)
    }
    this.#handler?.onReady(this)
  }

  /** The origin speaks HTTP/1.1: somebody else goes on. */
  startHttp1(send: (request: OutgoingRequest, handler: ResponseHandler) => ClientExchange): void {
    const handler = this.#takeHandler()
    if (handler !== null) this.#instead = send(this.request, handler)
  }

  // ---- ClientExchange

  write(chunk: Buffer): boolean {
    if (this.#requestDone || this.closed || chunk.length === 0) return true
    if (this.#state === 'head') this.#setTimer(this.request.responseTimeout)
    return this.sendBody(chunk)
  }

  end(trailers: HeaderList | null): void {
    if (this.#requestDone) return
    this.#requestDone = true
    if (!this.closed) this.sendEnd(trailers)
  }

  pause(): void {
    if (this.paused) return
    this.#sessions.wheel.clear(this.#timer)
    this.setPaused(true)
  }

  resume(): void {
    if (!this.paused) return
    this.#setTimer(this.#idleTimeout)
    this.setPaused(false)
  }

  setIdleTimeout(ms: number): void {
    this.#idleTimeout = ms
    if (this.#state === 'body' && !this.paused) this.#setTimer(ms)
  }

  abort(): void {
    if (this.#instead !== null) this.#instead.abort()
    else {
      this.#takeHandler()
      this.#leave(errorCodes.cancel)
    }
  }

  // ---- the response

  /** A field block that is not trailers; throws nothing: what cannot be used ends the exchange. */
  onHead(fields: ResponseFields, endStream: boolean): void {
    const handler = this.#handler
    if (handler === null) return
    const { status, headers, contentLength } = fields
    if (fields.wrong !== null || status === 0 || status === 101 || (status < 200 && (endStream || contentLength >= 0)))
      this.fail(
        new GatewayError('upstream-invalid', { detail: `A response head is not valid (${fields.wrong ?? status})` }),
      )
    else if (status < 200) handler.onInformational(status, headers)
    else if (this.request.upgrade !== null && status < 300) this.#openTunnel(handler, headers)
    else this.#beginBody(handler, fields, endStream)
  }

  #beginBody(handler: ResponseHandler, { status, headers, contentLength }: ResponseFields, endStream: boolean): void {
    this.#state = 'body'
    this.#setTimer(this.#idleTimeout)
    const bodyless = this.request.method === 'HEAD' || status === 204 || status === 304
    if ((status === 204 || (endStream && !bodyless)) && contentLength > 0) {
      this.fail(new GatewayError('upstream-invalid', { detail: 'The response is shorter than Content-Length' }))
      return
    }
    this.#due = bodyless || endStream ? 0 : contentLength
    handler.onResponse(status, headers, bodyless || !endStream ? contentLength : 0, null)
    if (endStream) this.receiveEnd(null)
  }

  get expectsTrailers(): boolean {
    return this.#state === 'body' || this.#state === 'tunnel'
  }

  /** Counts a DATA frame; false when it comes before the head, or is not what Content-Length says (RFC 9113 §8.1.1). */
  countData(size: number, ends: boolean): boolean {
    if (this.#state !== 'body') return this.#state === 'tunnel'
    if (this.#due < 0) return true
    this.#due -= size
    return this.#due >= 0 && (!ends || this.#due === 0)
  }

  protected override get taken(): boolean {
    return this.#tunnel === null ? this.#handler !== null : this.#tunnel.onData !== null
  }

  protected override deliver(chunk: Buffer): void {
    if (this.#tunnel !== null) {
      this.#tunnel.onData?.(chunk)
      return
    }
    if (!this.paused) this.#setTimer(this.#idleTimeout)
    this.#session?.touch(this)
    this.#handler?.onBodyData(chunk)
  }

  protected override deliverEnd(trailers: HeaderList | null): void {
    if (this.#tunnel !== null) {
      this.#tunnel.onEnd?.()
      return
    }
    const handler = this.#takeHandler()
    // The rest of the request is not wanted any more (RFC 9113 §8.1).
    if (!this.localEnded) this.#leave(errorCodes.noError)
    handler?.onBodyEnd(trailers)
  }

  /** What arrived in this turn has been handed over. */
  onPause(): void {
    this.#handler?.onPause()
  }

  protected override get keepsHeld(): boolean {
    return this.#handler !== null && this.remoteEnded
  }

  #openTunnel(handler: ResponseHandler, headers: HeaderList): void {
    this.#state = 'tunnel'
    this.#handler = null
    this.#sessions.wheel.remove(this.#timer)
    const tunnel = new StreamTunnel({
      write: chunk => this.sendBody(chunk),
      end: () => this.sendEnd(null),
      setReading: reading => this.setPaused(!reading),
      destroy: () => {
        this.#leave(errorCodes.cancel)
        this.#endTunnel()
      },
    })
    this.#tunnel = tunnel
    handler.onUpgrade(headers, tunnel)
  }

  #endTunnel(): void {
    const tunnel = this.#tunnel
    this.#tunnel = null
    tunnel?.onClose?.()
  }

  // ---- the end

  #takeHandler(): ResponseHandler | null {
    const handler = this.#handler
    this.#handler = null
    this.#state = 'over'
    this.#sessions.wheel.remove(this.#timer)
    return handler
  }

  /** Resets the stream if it still runs. */
  #leave(code: number): void {
    if (this.id === 0 || this.closed) return
    this.session.resetStream(this.id, code)
    this.session.forget(this)
  }

  override release(): void {
    super.release()
    this.#endTunnel()
  }

  /** Ends the exchange with an error. */
  fail(error: GatewayError): void {
    const handler = this.#takeHandler()
    this.#leave(error.code === 'upstream-invalid' ? errorCodes.protocolError : errorCodes.cancel)
    handler?.onError(error)
  }

  /** The origin broke the rules on this stream, which has been reset for it. */
  override onReset(): void {
    this.fail(new GatewayError('upstream-invalid'))
  }

  /** RST_STREAM of the origin (RFC 9113 §5.4.2, §8.7). */
  onPeerReset(code: number): void {
    if (this.remoteEnded) return
    const cause = new StreamReset(code)
    this.fail(
      code === errorCodes.protocolError || code === errorCodes.frameSizeError
        ? new GatewayError('upstream-invalid', { detail: 'The upstream refused the stream', cause })
        : new GatewayError('upstream-closed', {
            retry: code === errorCodes.refusedStream || code === errorCodes.http11Required ? 'yes' : 'no',
            cause,
          }),
    )
  }

  /** The connection is gone; `unprocessed` when the origin said that it did not look at this stream (RFC 9113 §6.8). */
  onLost(unprocessed: boolean, cause?: unknown): void {
    // A response that has arrived wholly is still read.
    if (this.remoteEnded && this.#handler !== null) return
    const untouched = this.#state === 'waiting' || this.#state === 'head'
    const retry = unprocessed ? 'yes' : untouched && this.reused ? 'if-reused' : 'no'
    this.fail(new GatewayError('upstream-closed', { retry, cause }))
  }

  protected override onStalled(): void {}

  protected override onSendable(): void {
    if (this.#tunnel === null) this.#handler?.onDrain()
    else this.#tunnel.onDrain?.()
  }

  // ---- time

  #setTimer(ms: number): void {
    const { wheel } = this.#sessions
    this.#armedAt = wheel.now
    wheel.set(this.#timer, Math.max(Math.min(ms, this.#totalDeadline - wheel.now), 0))
  }

  #onTimeout(): void {
    if (this.#state === 'waiting') {
      this.fail(
        new GatewayError('upstream-timeout', { retry: 'yes', detail: 'The upstream could not be reached in time' }),
      )
      return
    }
    this.#session?.doubt(this.#armedAt)
    this.fail(new GatewayError('upstream-timeout'))
  }
}
