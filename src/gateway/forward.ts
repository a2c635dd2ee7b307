import { monotonicMs } from '#base/clock'
import { GatewayError, toGatewayError } from '#base/errors'
import type { ClientExchange, OutgoingRequest, ResponseHandler } from '#http/client'
import type { HeaderList } from '#http/headers'
import type { RawStream, ServerExchange } from '#http/message'
import type { Call } from './call.ts'
import { cleanTrailers } from './forwarded-headers.ts'
import type { CallForward, GatewayCall } from './gateway-call.ts'
import { type Outcome, outcomeOf, type Target } from './target.ts'
import { tunnel } from './tunnel.ts'
import type { Upstream } from './upstream.ts'
import { upstreamFields } from './upstream-fields.ts'

/** Sees, and may change, the body of a response on its way to the client. */
export interface ResponseFilter {
  /** False promises that every byte passes unchanged, so that Content-Length is kept. */
  readonly rewrites: boolean
  /** Returns what is sent instead (often the chunk itself; null for nothing). The chunk is valid only during the call. */
  data(chunk: Buffer): Buffer | null
  /** True takes the trailers: they are handed to `end` and go no further. */
  readonly takesTrailers?: boolean
  /** Called after the last chunk; may return a last piece. */
  end(trailers: HeaderList | null): Buffer | null
  /** Called instead of `end` when the response broke off or the client left. */
  abort?(): void
}

/** Changes the body of a request on its way to the upstream, which is not told its length then. */
export interface RequestFilter {
  /** Returns what is sent instead; null for nothing. The chunk is valid only during the call. */
  data(chunk: Buffer): Buffer | null
  /** Called after the last chunk; throws when the body is not whole. */
  end(): void
}

export type ForwardOptions = {
  readonly upstream: Upstream
  readonly method?: string
  /** Path with query for the upstream; the call's own when absent. */
  readonly target?: string
  /** Headers for the upstream instead of the call's (hop-by-hop, framing, tracing and forwarding fields are added by the gateway). */
  readonly headers?: HeaderList
  /** A complete body to send instead of the client's stream. */
  readonly body?: Buffer
  /** Changes the client's stream; not together with `body`. */
  readonly requestFilter?: RequestFilter
  /**
   * Chooses a filter when the response head is known; null lets the bytes pass. May change `headers` in place, or throw
   * a GatewayError that becomes the answer instead.
   */
  readonly filter?: (status: number, headers: HeaderList) => ResponseFilter | null
  /** An upstream of somebody else: it is not told who the caller is (no X-Forwarded-*, no X-Consumer). */
  readonly foreign?: boolean
  /** Whether a failed try may be repeated though the method is not idempotent (default false). */
  readonly idempotent?: boolean
  /** monotonicMs() when the caller gives up; counts where it is before the end of the upstream's total timeout. */
  readonly deadline?: number
  /** Messages of this call may be far apart: only a deadline ends it, silence does not. */
  readonly patient?: boolean
  /** Ends a response that broke off after its head in a way the caller understands; false when there is none. */
  readonly conclude?: (error: GatewayError) => boolean
}

/** RFC 9110 §9.2.2, and QUERY (RFC 10008 §2). */
const idempotentMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE', 'QUERY'])

/** One call on its way to an upstream and back, over as many tries as its policy allows. */
class Forward implements ResponseHandler, CallForward {
  readonly #call: GatewayCall
  readonly #options: ForwardOptions
  readonly #upstream: Upstream
  readonly #exchange: ServerExchange
  readonly #method: string
  #client: ClientExchange | null = null
  #target: Target | null = null
  #tried: Target[] | null = null
  #ready = false
  #attempts: number
  #startedAt = 0
  #triedAt = 0
  #headAt = 0
  #status = 0
  #fields: string
  #bodyStarted = false
  #bodyBytes = 0
  #filter: ResponseFilter | null = null
  #responding = false
  #deadline: number

  constructor(call: GatewayCall, options: ForwardOptions) {
    this.#call = call
    this.#options = options
    this.#upstream = options.upstream
    this.#exchange = call.exchange
    this.#method = options.method ?? call.method
    this.#attempts = options.upstream.config.retry.attempts
    this.#fields = upstreamFields(call, options.headers ?? call.headers, options)
    this.#startedAt = monotonicMs()
    this.#triedAt = this.#startedAt
    this.#deadline = this.#startedAt + options.upstream.config.timeouts.total
    if (options.deadline !== undefined && options.deadline < this.#deadline) this.#deadline = options.deadline
    call.forward = this
    this.#try(false)
  }

  #try(fresh: boolean): void {
    const target = this.#upstream.choose(this.#call, this.#tried)
    if (target === null) {
      this.#fail(new GatewayError('no-healthy-target'))
      return
    }
    this.#target = target
    target.begin()
    this.#status = 0
    this.#call.target = target.authority
    this.#client = null
    this.#ready = false
    const client = target.pool.request(this.#request(target), this, fresh)
    // On a connection that was open already everything may have happened by now.
    if (!this.#ready) this.#client = client
  }

  #request(target: Target): OutgoingRequest {
    const { timeouts, preserveHost } = this.#upstream.config
    const { body, requestFilter, patient } = this.#options
    const silence = patient === true ? Number.POSITIVE_INFINITY : timeouts.response
    const exchange = this.#exchange
    const call = this.#call
    // An empty query is not the same as none (RFC 3986 §6.2.3).
    const question = call.query !== '' || exchange.target.endsWith('?') ? '?' : ''
    const path = this.#options.target ?? call.forwardPath + question + call.query
    const length =
      body !== undefined
        ? body.length
        : exchange.framing === 'none'
          ? 0
          : exchange.framing === 'length' && requestFilter === undefined
            ? exchange.contentLength
            : -1
    return {
      method: this.#method,
      target: target.basePath + path,
      host: preserveHost && exchange.host !== '' ? exchange.host : target.authority,
      fields: this.#fields,
      length,
      body: body ?? null,
      upgrade: this.#upgrade(),
      connectTimeout: timeouts.connect,
      responseTimeout: silence,
      idleTimeout: silence,
      totalTimeout: this.#deadline - monotonicMs(),
    }
  }

  /** Only WebSocket leaves HTTP through here: `Upgrade: h2c` and the like would tunnel past every policy. */
  #upgrade(): string | null {
    const { upgradeProtocol, framing } = this.#exchange
    if (upgradeProtocol === null || framing !== 'none' || this.#options.body !== undefined) return null
    return upgradeProtocol.toLowerCase() === 'websocket' ? 'websocket' : null
  }

  // ---- request body

  onReady(client: ClientExchange): void {
    this.#ready = true
    this.#client = client
    this.#startBody()
  }

  #startBody(): void {
    if (this.#bodyStarted || this.#options.body !== undefined || this.#exchange.framing === 'none') return
    this.#bodyStarted = true
    this.#exchange.receive({
      onBodyData: chunk => this.#sendBody(chunk),
      onBodyEnd: trailers => this.#endBody(trailers),
    })
  }

  #sendBody(chunk: Buffer): void {
    if (this.#client === null) return
    this.#bodyBytes += chunk.length
    if (this.#bodyBytes > this.#call.bodyLimit) {
      this.#fail(new GatewayError('body-too-large'))
      return
    }
    const filter = this.#options.requestFilter
    if (filter === undefined) {
      if (!this.#client.write(chunk)) this.#exchange.pause()
      return
    }
    try {
      const bytes = filter.data(chunk)
      if (bytes !== null && !this.#client.write(bytes)) this.#exchange.pause()
    } catch (error) {
      this.#fail(toGatewayError(error))
    }
  }

  #endBody(trailers: HeaderList | null): void {
    try {
      this.#options.requestFilter?.end()
      this.#client?.end(cleanTrailers(trailers))
    } catch (error) {
      this.#fail(toGatewayError(error))
    }
  }

  onDrain(): void {
    this.#exchange.resume()
  }

  /** The client can take more. */
  resume(): void {
    this.#client?.resume()
  }

  // ---- response

  onInformational(status: number, headers: HeaderList): void {
    // The gateway has answered Expect: 100-continue itself (RFC 9110 §10.1.1); others, like 103, pass.
    if (status !== 100) this.#exchange.informational(status, headers)
  }

  onResponse(status: number, headers: HeaderList, length: number): void {
    if ((status === 502 || status === 503 || status === 504) && this.#attempts > 0 && this.#mayRepeat()) {
      const client = this.#client
      this.#status = status
      this.#done('ok')
      client?.abort()
      this.#again(false)
      return
    }
    const choose = this.#options.filter
    let filter: ResponseFilter | null = null
    if (choose !== undefined) {
      try {
        filter = choose(status, headers)
      } catch (error) {
        this.#fail(toGatewayError(error))
        return
      }
    }
    this.#responding = true
    this.#status = status
    this.#headAt = monotonicMs()
    this.#upstream.onAnswer?.(this.#call, this.#target as Target, status)
    this.#filter = filter
    this.#call.beginResponse(status, headers, filter?.rewrites === true ? -1 : length)
  }

  onBodyData(chunk: Buffer): void {
    const filter = this.#filter
    if (filter === null) {
      if (!this.#exchange.write(chunk)) this.#client?.pause()
      return
    }
    const bytes = filter.data(chunk)
    if (bytes !== null && !this.#exchange.write(bytes)) this.#client?.pause()
  }

  onPause(): void {
    if (this.#responding) this.#exchange.flush()
  }

  onBodyEnd(trailers: HeaderList | null): void {
    this.#done('ok')
    const filter = this.#filter
    if (filter === null) {
      this.#exchange.end(trailers)
      return
    }
    const rest = filter.end(trailers)
    if (rest !== null) this.#exchange.write(rest)
    this.#exchange.end(filter.takesTrailers === true ? null : trailers)
  }

  onUpgrade(headers: HeaderList, stream: RawStream): void {
    this.#status = 101
    this.#done('ok')
    this.#call.noteStatus(101)
    tunnel(this.#exchange, headers, this.#call.requestId, stream)
  }

  // ---- failures

  onError(error: GatewayError): void {
    this.#done(outcomeOf(error))
    if (this.#responding) {
      this.#filter?.abort?.()
      this.#call.fail(error)
      return
    }
    const again = error.retry === 'yes' ? !this.#bodyStarted : error.retry === 'if-reused' && this.#mayRepeat()
    if (again && (this.#attempts > 0 || error.retry === 'if-reused')) {
      this.#again(error.retry === 'if-reused')
      return
    }
    this.#fail(error)
  }

  /** A request that may have been processed is sent again only when that cannot do harm, and its body is still whole. */
  #mayRepeat(): boolean {
    return !this.#bodyStarted && (this.#options.idempotent === true || idempotentMethods.has(this.#method))
  }

  #again(fresh: boolean): void {
    if (this.#call.over || monotonicMs() >= this.#deadline) {
      this.#fail(new GatewayError('upstream-timeout'))
      return
    }
    if (this.#target !== null) this.#tried = [...(this.#tried ?? []), this.#target]
    this.#attempts--
    this.#call.retries++
    this.#triedAt = monotonicMs()
    this.#try(fresh)
  }

  #done(outcome: Outcome): void {
    const now = monotonicMs()
    this.#client = null
    const headAt = this.#responding ? this.#headAt : now
    this.#target?.end(outcome, headAt - this.#triedAt, this.#status)
    this.#call.upstreamMs = now - this.#startedAt
  }

  #fail(error: GatewayError): void {
    const client = this.#client
    if (client !== null) {
      this.#done('cancelled')
      client.abort()
    }
    this.#call.fail(error)
  }

  conclude(error: GatewayError): boolean {
    return this.#options.conclude?.(error) === true
  }

  /** The client has gone, or broke its body: the upstream is freed at once. */
  abandon(): void {
    const client = this.#client
    if (client === null) return
    this.#done('cancelled')
    this.#filter?.abort?.()
    client.abort()
  }
}

/** Sends a call to an upstream and streams the answer back; the call is answered in every case. */
export const forward = (call: Call, options: ForwardOptions): void => {
  new Forward(call as GatewayCall, options)
}
