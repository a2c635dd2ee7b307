import { monotonicMs, wallAt } from '#base/clock'
import { GatewayError, toGatewayError } from '#base/errors'
import { splitFieldLines } from '#http/field-lines'
import { getHeader, type HeaderList, setHeader } from '#http/headers'
import { httpDate } from '#http/http-date'
import type { ExchangeListener, ServerExchange } from '#http/message'
import { BodyReader } from './body-reader.ts'
import type { AiUsage, Call, CallOutcome } from './call.ts'
import type { Consumer } from './contract.ts'
import { type Forwarding, readForwarding } from './forwarded-headers.ts'
import type { PatientCall } from './patient-call.ts'
import { renderProblem } from './respond-error.ts'
import type { ErrorRenderer, Route, Snapshot } from './snapshot.ts'
import type { WebSocketLimits } from './tunnel.ts'

/** Hears of every call after its reply, also of refused and broken ones. */
export type CallObserver = (call: GatewayCall, outcome: CallOutcome) => void

const noParams: Readonly<Record<string, string>> = Object.freeze({})

/** What a call must be able to tell whatever is fetching its answer. */
export interface CallForward {
  abandon(): void
  resume(): void
  /** Ends an answer that broke off after its head in the caller's own protocol; false when that has no way to say so. */
  conclude(error: GatewayError): boolean
}

/** The one implementation of Call; see there for what the fields mean. */
export class GatewayCall implements Call, ExchangeListener {
  readonly exchange: ServerExchange
  snapshot: Snapshot
  readonly method: string
  readonly forwarding: Forwarding
  readonly startedAt: number
  readonly startedMono: number
  route: Route | null = null
  params: Readonly<Record<string, string>> = noParams
  path: string
  forwardPath = ''
  query = ''
  host = ''
  headers: HeaderList
  consumer: Consumer | null = null
  ai: AiUsage | null = null
  grpcStatus: number | null = null
  /** Set while the call may last. */
  patience: PatientCall | null = null
  bodyLimit = Number.POSITIVE_INFINITY
  credential: string | null = null
  webSocket: WebSocketLimits | null = null
  heartbeat = Number.POSITIVE_INFINITY
  upstreamMs = 0
  target = ''
  retries = 0
  #observer: CallObserver
  #extraLines = ''
  #status = 0
  #error: GatewayError | null = null
  #abortListener: ((error: GatewayError) => void) | null = null
  /** Set while an upstream answers: it is told when the client left, and when it may go on. */
  forward: CallForward | null = null
  #finished = false

  constructor(exchange: ServerExchange, snapshot: Snapshot, observer: CallObserver) {
    this.exchange = exchange
    this.snapshot = snapshot
    this.#observer = observer
    this.method = exchange.method
    this.path = exchange.target
    this.headers = exchange.headers
    this.startedMono = exchange.startedMono
    this.startedAt = wallAt(exchange.startedMono)
    this.forwarding = readForwarding(exchange.headers, exchange.peer.remoteAddress, snapshot.isTrusted, this.startedAt)
    exchange.listener = this
  }

  get clientAddress(): string {
    return this.forwarding.clientAddress
  }

  get requestId(): string {
    return this.forwarding.requestId
  }

  get traceId(): string {
    return this.forwarding.traceId
  }

  /** True when the client has gone or the answer is complete: nothing more can be said. */
  get over(): boolean {
    return this.exchange.responseEnded
  }

  addResponseHeader(name: string, value: string): void {
    this.#extraLines += `${name}: ${value}\r\n`
  }

  addResponseLines(lines: string): void {
    this.#extraLines += lines
  }

  limitBody(bytes: number): void {
    if (bytes < this.bodyLimit) this.bodyLimit = bytes
    if (this.exchange.contentLength > this.bodyLimit) throw new GatewayError('body-too-large')
  }

  readBody(limit: number): Promise<Buffer> {
    return new BodyReader(this.exchange, Math.min(limit, this.bodyLimit)).read(listener => {
      this.#abortListener = listener
    })
  }

  respond(status: number, headers: HeaderList, body: Buffer | string | null): void {
    if (this.over || this.exchange.responseStarted) return
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    this.beginResponse(status, headers, bytes === null ? 0 : bytes.length)
    if (bytes !== null) this.exchange.write(bytes)
    this.exchange.end(null)
  }

  startResponse(status: number, headers: HeaderList, length: number): void {
    if (this.over) return
    this.beginResponse(status, headers, length)
    process.nextTick(flush, this.exchange)
  }

  onClientAbort(listener: (error: GatewayError) => void): void {
    this.#abortListener = listener
  }

  /**
   * Runs the response side of the policies and hands the head to the engine. `lines`, when there are any, are the fields
   * of `headers` as text.
   */
  beginResponse(status: number, headers: HeaderList, length: number, lines: string | null = null): void {
    let finalStatus = status
    let finalHeaders = headers
    const hook = this.route?.onResponse ?? null
    // RFC 9110 §6.6.1: what comes without a Date gets the time at which it came.
    if (hook === null && lines !== null && this.exchange.headLines !== undefined) {
      this.#status = status
      const date = getHeader(headers, 'date') === undefined ? `date: ${httpDate()}\r\n` : ''
      const text = `${lines + this.#extraLines + date}x-request-id: ${this.forwarding.requestId}\r\n`
      this.exchange.headLines(status, text, length)
      return
    }
    if (hook !== null) {
      const response = { status, headers }
      hook(this, response)
      finalStatus = response.status
      finalHeaders = response.headers
    }
    if (this.#extraLines !== '') finalHeaders.push(...splitFieldLines(this.#extraLines))
    setHeader(finalHeaders, 'x-request-id', this.forwarding.requestId)
    if (getHeader(finalHeaders, 'date') === undefined) finalHeaders.push('date', httpDate())
    this.#status = finalStatus
    this.exchange.head(finalStatus, finalHeaders, length)
  }

  /** Marks the status of an answer that does not go through `beginResponse` (a protocol switch). */
  noteStatus(status: number): void {
    this.#status = status
  }

  /** Records why a call ended whose answer had begun and was fine so far. */
  noteError(error: GatewayError): void {
    this.#error ??= error
  }

  /** Ends the call with an error: as an answer when none has begun, else by cutting it visibly. */
  fail(thrown: unknown): void {
    const error = toGatewayError(thrown)
    this.#error ??= error
    if (this.over) return
    if (this.exchange.responseStarted) {
      if (this.forward?.conclude(error) !== true) this.exchange.abort()
      return
    }
    const { status, headers, body } =
      this.route?.renderError?.(error, this.requestId) ??
      this.#protocolError(error) ??
      renderProblem(error, this.requestId, this.path)
    try {
      this.respond(status, headers, body)
    } catch (cause) {
      // A response hook failed on the error itself: the plain answer must still go out.
      this.#error = new GatewayError('internal', { cause })
      this.exchange.abort()
    }
  }

  #protocolError(error: GatewayError): ReturnType<ErrorRenderer> | null {
    for (const protocol of this.snapshot.protocols) {
      const rendered = protocol.renderError(this, error)
      if (rendered !== null) return rendered
    }
    return null
  }

  onDrain(): void {
    this.forward?.resume()
  }

  onFinish(): void {
    this.finish()
  }

  onAbort(error: GatewayError): void {
    this.#error ??= error
    this.forward?.abandon()
    const listener = this.#abortListener
    this.#abortListener = null
    if (listener !== null) listener(error)
    // A broken body can still be answered; a client that left cannot.
    if (!this.over && error.code !== 'client-closed') this.fail(error)
  }

  /** Makes the call's record; called once, when the response is out or cannot be. */
  finish(): void {
    if (this.#finished) return
    this.#finished = true
    this.patience?.close()
    const error = this.#error
    const { bytesIn, bytesOut } = this.exchange
    const status = this.#status === 0 ? (error?.status ?? 499) : this.#status
    this.#observer(this, {
      status,
      durationMs: monotonicMs() - this.startedMono,
      upstreamMs: this.upstreamMs,
      bytesIn,
      bytesOut,
      target: this.target,
      errorCode: error?.code ?? '',
      errorSource: error?.source ?? (status >= 500 ? 'upstream' : ''),
      retries: this.retries,
    })
  }

  get error(): GatewayError | null {
    return this.#error
  }
}

const flush = (exchange: ServerExchange): void => {
  if (!exchange.responseEnded) exchange.flush()
}
