import { monotonicMs, wallMs } from '#base/clock'
import { GatewayError, toGatewayError } from '#base/errors'
import type { ClientExchange, ResponseHandler } from '#http/client'
import { getHeader, type HeaderList } from '#http/headers'
import type { RawStream, ServerExchange } from '#http/message'
import type { Call } from './call.ts'
import { EventStream, isEventStream } from './event-stream.ts'
import type { ForwardOptions, ResponseFilter } from './forward-options.ts'
import type { CallForward, GatewayCall } from './gateway-call.ts'
import type { Guard } from './guard.ts'
import { outgoingRequest } from './outgoing-request.ts'
import { circuitOpen, refused } from './overload/breaker.ts'
import type { Gate, Waiter } from './overload/gate.ts'
import { RequestBody } from './request-body.ts'
import { backoff, retryAfter } from './retry/backoff.ts'
import { type RetryPolicy, repeatsAfter } from './retry/policy.ts'
import { type Outcome, outcomeOf, type Target, unused } from './target.ts'
import { openTunnel } from './tunnel.ts'
import type { Upstream } from './upstream.ts'
import { upstreamFields } from './upstream-fields.ts'
import { acceptOpening, type WebSocketOpening, webSocketOpening } from './websocket-opening.ts'

export type { ForwardOptions, RequestFilter, ResponseFilter } from './forward-options.ts'

const noTarget = ({ waitSeconds }: Upstream): GatewayError =>
  new GatewayError('no-healthy-target', { headers: ['retry-after', String(waitSeconds)] })

/** What a try says about its upstream; null for nothing. */
const succeeded = (outcome: Outcome, status: number): boolean | null =>
  outcome === 'cancelled' ? null : outcome === 'ok' && status < 500

/** One call on its way to an upstream and back, over as many tries as its policy allows. */
class Forward implements ResponseHandler, CallForward, Waiter {
  readonly #call: GatewayCall
  readonly #options: ForwardOptions
  readonly #upstream: Upstream
  readonly #guard: Guard
  readonly #policy: RetryPolicy
  readonly #exchange: ServerExchange
  readonly #fields: string
  readonly #startedAt: number
  readonly #deadline: number
  #client: ClientExchange | null = null
  #target: Target | null = null
  #tried: Target[] | null = null
  #ready = false
  /** Number of the try under way; repetitions for which the policy was asked. */
  #turn = 0
  #repeated = 0
  #triedAt: number
  #headAt = 0
  #status = 0
  #body: RequestBody | null = null
  #filter: ResponseFilter | null = null
  #responding = false
  /** Runs while the next try waits. */
  #timer: NodeJS.Timeout | null = null
  #fresh = false
  #queued = false
  /** What the breaker wants to hear at the end of the try. */
  #trial = 0
  /** Set when the call asks for a WebSocket. */
  #opening: WebSocketOpening | null = null
  #events: EventStream | null = null

  constructor(call: GatewayCall, options: ForwardOptions) {
    const { upstream, deadline } = options
    this.#call = call
    this.#options = options
    this.#upstream = upstream
    this.#guard = upstream.guard
    this.#policy = upstream.guard.retry
    this.#exchange = call.exchange
    this.#fields = upstreamFields(call, options.headers ?? call.headers, options)
    this.#startedAt = monotonicMs()
    this.#triedAt = this.#startedAt
    const end = this.#startedAt + upstream.config.timeouts.total
    this.#deadline = deadline !== undefined && deadline < end ? deadline : end
    if (options.body === undefined && call.exchange.framing !== 'none')
      this.#body = new RequestBody(call, options.requestFilter ?? null, this.#policy.bufferBody, error =>
        this.#fail(error),
      )
    call.forward = this
    if (call.exchange.upgradeProtocol !== null && options.body === undefined) {
      this.#opening = webSocketOpening(call)
      if (this.#opening !== null) this.#fields += this.#opening.fields
    }
    this.#policy.budget.note(this.#startedAt)
    this.#next(false)
  }

  /** Looks for a target for the next try; `fresh` insists on a new connection. */
  #next(fresh: boolean): void {
    const { breaker, gate } = this.#guard
    if (breaker !== null && breaker.refusedFor(monotonicMs()) > 0) this.#fail(circuitOpen(breaker))
    else if (gate !== null) this.#queue(gate, fresh)
    else {
      const target = this.#upstream.choose(this.#call, this.#tried)
      if (target === null) this.#fail(noTarget(this.#upstream))
      else this.#try(target, fresh)
    }
  }

  #try(target: Target, fresh: boolean): void {
    const { breaker } = this.#guard
    if (breaker !== null && (this.#trial = breaker.begin(monotonicMs())) === refused) {
      unused(target)
      this.#guard.gate?.leave(target, -1)
      this.#fail(circuitOpen(breaker))
      return
    }
    const turn = ++this.#turn
    this.#target = target
    target.begin()
    this.#status = 0
    this.#call.target = target.authority
    this.#client = null
    this.#ready = false
    const left = this.#deadline - monotonicMs()
    const opens = this.#opening !== null
    const request = outgoingRequest(this.#call, this.#options, target, this.#fields, left, opens)
    const client = target.pool.request(request, this, fresh)
    // On a connection that was open already everything may have happened by now.
    if (!this.#ready && turn === this.#turn) this.#client = client
  }

  // ---- waiting for a target

  #queue(gate: Gate, fresh: boolean): void {
    this.#fresh = fresh
    this.#queued = true
    gate.enter(this)
    if (!this.#queued) return
    const left = this.#deadline - monotonicMs()
    if (left < gate.patience) this.#timer = setTimeout(() => this.#giveUp(), left)
  }

  #giveUp(): void {
    this.#leaveQueue()
    this.#fail(new GatewayError('upstream-timeout', { detail: 'No target of the upstream became free in time' }))
  }

  #leaveQueue(): void {
    if (this.#queued) this.#guard.gate?.remove(this)
    this.#queued = false
    if (this.#timer === null) return
    clearTimeout(this.#timer)
    this.#timer = null
  }

  get turnKey(): string {
    return this.#call.consumer?.name ?? this.#call.clientAddress
  }

  noTarget(): void {
    this.refused(noTarget(this.#upstream))
  }

  chooseTarget(full: readonly Target[]): Target | null {
    if (full.length === 0) return this.#upstream.choose(this.#call, this.#tried)
    return this.#upstream.choose(this.#call, this.#tried === null ? full : [...this.#tried, ...full])
  }

  admitted(target: Target): void {
    this.#queued = false
    this.#leaveQueue()
    this.#triedAt = monotonicMs()
    this.#try(target, this.#fresh)
  }

  refused(error: GatewayError): void {
    this.#queued = false
    this.#leaveQueue()
    this.#fail(error)
  }

  // ---- request body

  onReady(client: ClientExchange): void {
    this.#ready = true
    this.#client = client
    this.#body?.sendTo(client)
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
    if (status >= 400 && this.#policy.statuses.has(status) && this.#mayRepeat()) {
      const wait = this.#wait(status === 503 || status === 429 ? getHeader(headers, 'retry-after') : undefined)
      if (this.#takeRepetition(wait)) {
        const client = this.#client
        this.#status = status
        this.#done('ok')
        client?.abort()
        this.#again(false, wait)
        return
      }
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
    if (length < 0 && isEventStream(headers)) this.#watchEvents()
  }

  /** A stream of events may be silent for as long as it likes, unless its upstream is given a limit. */
  #watchEvents(): void {
    if (this.#upstream.config.timeouts.idle === undefined) this.#client?.setIdleTimeout(Number.POSITIVE_INFINITY)
    this.#events = new EventStream(this.#call, () => this.#endEvents())
  }

  #endEvents(): void {
    this.abandon()
    this.#exchange.end(null)
  }

  onBodyData(chunk: Buffer): void {
    const filter = this.#filter
    const bytes = filter === null ? chunk : filter.data(chunk)
    if (bytes === null) return
    const events = this.#events
    if (!this.#exchange.write(events === null ? bytes : events.pass(bytes))) this.#client?.pause()
    events?.passed()
  }

  onPause(): void {
    if (this.#responding) this.#exchange.flush()
  }

  onBodyEnd(trailers: HeaderList | null): void {
    const filter = this.#filter
    if (filter === null) {
      this.#done('ok')
      this.#exchange.end(trailers)
      return
    }
    const rest = filter.end(trailers)
    if (filter.verdict !== undefined) this.#status = filter.verdict
    this.#done('ok')
    if (rest !== null) this.#exchange.write(rest)
    this.#exchange.end(filter.takesTrailers === true ? null : trailers)
  }

  onUpgrade(headers: HeaderList, stream: RawStream): void {
    try {
      acceptOpening(this.#call, this.#opening as WebSocketOpening, headers)
    } catch (error) {
      stream.destroy()
      this.onError(toGatewayError(error))
      return
    }
    this.#status = 101
    this.#done('ok')
    openTunnel(this.#call, headers, stream)
  }

  // ---- failures

  onError(error: GatewayError): void {
    this.#done(outcomeOf(error, this.#options.deadline))
    if (this.#responding) {
      this.#filter?.abort?.()
      this.#call.fail(error)
      return
    }
    // A kept connection that dies says nothing about the service: that try is made good without asking the policy.
    const reused = error.retry === 'if-reused'
    const unsent = error.retry === 'yes' && (this.#body === null || this.#body.whole)
    if (reused && this.#mayRepeat() && this.#hasTime(0)) {
      this.#again(true, 0)
      return
    }
    if (!reused && repeatsAfter(this.#policy, error) && (unsent || this.#mayRepeat())) {
      const wait = unsent && this.#untried() ? 0 : this.#wait(undefined)
      if (this.#takeRepetition(wait)) {
        this.#again(false, wait)
        return
      }
    }
    this.#fail(error)
  }

  /** A request that may have been processed is sent again only when that cannot do harm, and its body is still whole. */
  #mayRepeat(): boolean {
    if (this.#body !== null && !this.#body.whole) return false
    const { idempotent, method } = this.#options
    return idempotent === true || this.#policy.methods.has(method ?? this.#call.method)
  }

  #untried(): boolean {
    return this.#upstream.targets.length > (this.#tried === null ? 1 : this.#tried.length + 1)
  }

  /** Milliseconds before the next try. What Retry-After says holds for its target, not for one that was not asked yet. */
  #wait(after: string | undefined): number {
    const { backoffBase, backoffMax } = this.#policy
    const wait = backoff(this.#repeated, backoffBase, backoffMax)
    if (after === undefined || this.#untried()) return wait
    return Math.max(wait, Math.min(retryAfter(after, wallMs()), backoffMax))
  }

  #hasTime(wait: number): boolean {
    return !this.#call.over && monotonicMs() + wait < this.#deadline
  }

  #takeRepetition(wait: number): boolean {
    if (this.#repeated >= this.#policy.attempts || !this.#hasTime(wait)) return false
    if (!this.#policy.budget.take(monotonicMs())) return false
    this.#repeated++
    return true
  }

  #again(fresh: boolean, wait: number): void {
    this.#body?.hold()
    if (this.#target !== null) this.#tried = [...(this.#tried ?? []), this.#target]
    this.#call.retries++
    if (wait < 1) {
      this.#triedAt = monotonicMs()
      this.#next(fresh)
      return
    }
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#triedAt = monotonicMs()
      this.#next(fresh)
    }, wait)
  }

  /** A try is over, however it ended. */
  #done(outcome: Outcome): void {
    const now = monotonicMs()
    this.#client = null
    this.#body?.detach()
    this.#events?.close()
    const headAt = this.#responding ? this.#headAt : now
    const target = this.#target as Target
    const ms = headAt - this.#triedAt
    target.end(outcome, ms, this.#status)
    this.#call.upstreamMs = now - this.#startedAt
    const { breaker, gate } = this.#guard
    if (breaker !== null) breaker.end(this.#trial, succeeded(outcome, this.#status), now)
    if (gate !== null) gate.leave(target, outcome === 'ok' && this.#status < 500 ? ms : -1)
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
    this.#leaveQueue()
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
