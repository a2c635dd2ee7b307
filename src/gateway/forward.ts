import { monotonicMs } from '#base/clock'
import { type GatewayError, toGatewayError } from '#base/errors'
import type { ClientExchange, OutgoingRequest } from '#http/client'
import { getHeader, type HeaderList } from '#http/headers'
import type { RawStream, ServerExchange } from '#http/message'
import type { Call } from './call.ts'
import { EventStream, isEventStream } from './event-stream.ts'
import type { ForwardOptions, ResponseFilter } from './forward-options.ts'
import type { CallForward, GatewayCall } from './gateway-call.ts'
import type { Guard } from './guard.ts'
import { outgoingRequest } from './outgoing-request.ts'
import { Admission } from './overload/admission.ts'
import { circuitOpen, refused } from './overload/breaker.ts'
import type { Gate } from './overload/gate.ts'
import { PatientCall } from './patient-call.ts'
import { RequestBody } from './request-body.ts'
import { neverSent, type RetryPolicy, repeatsAfter } from './retry/policy.ts'
import { Race, type RaceOwner } from './retry/race.ts'
import { Repetitions } from './retry/repetitions.ts'
import { type Outcome, outcomeOf, type Target, unused } from './target.ts'
import { endTry, noTarget } from './try.ts'
import { openTunnel } from './tunnel.ts'
import type { Upstream } from './upstream.ts'
import { upstreamFields } from './upstream-fields.ts'
import { acceptOpening, webSocketKey } from './websocket-opening.ts'

export type { ForwardOptions, RequestFilter, ResponseFilter } from './forward-options.ts'

/** One call on its way to an upstream and back, over as many tries as its policy allows. */
class Forward implements RaceOwner, CallForward {
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
  /** Made when a try has failed. */
  #repetitions: Repetitions | null = null
  #ready = false
  /** Number of the try under way. */
  #turn = 0
  #trying = false
  #triedAt: number
  #headAt = 0
  #status = 0
  #body: RequestBody | null = null
  #filter: ResponseFilter | null = null
  #responding = false
  /** Runs while the next try waits. */
  #timer: NodeJS.Timeout | null = null
  #admission: Admission | null = null
  /** What the breaker wants to hear at the end of the try. */
  #trial = 0
  /** Set when the call asks for a WebSocket. */
  #webSocketKey: string | null = null
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
    if (options.patient === true) call.patience ??= new PatientCall(call)
    if (call.exchange.upgradeProtocol !== null && options.body === undefined) this.#webSocketKey = webSocketKey(call)
    this.#policy.budget.note(this.#startedAt)
    this.#next(false)
  }

  /** Looks for a target for the next try; `fresh` insists on a new connection. */
  #next(fresh: boolean): void {
    const { breaker, gate } = this.#guard
    if (breaker !== null && breaker.refusedFor(monotonicMs()) > 0) this.#fail(circuitOpen(breaker))
    else if (gate !== null) this.#enter(gate, fresh)
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
    this.#trying = true
    this.#target = target
    target.begin()
    this.#status = 0
    this.#call.target = target.authority
    this.#client = null
    this.#ready = false
    if (this.#policy.hedge !== null && this.#mayHedge()) {
      this.#race(target, fresh)
      return
    }
    const client = target.pool.request(this.#request(target), this, fresh)
    // On a connection that was open already everything may have happened by now.
    if (!this.#ready && this.#trying && turn === this.#turn) this.#client = client
  }

  #request(target: Target): OutgoingRequest {
    // Most calls have no end set: no look at the clock.
    const left = this.#deadline === Number.POSITIVE_INFINITY ? this.#deadline : this.#deadline - monotonicMs()
    return outgoingRequest(this.#call, this.#options, target, this.#fields, left, this.#webSocketKey !== null)
  }

  // ---- hedging

  #mayHedge(): boolean {
    return this.#body === null && this.#webSocketKey === null && this.#mayRepeat()
  }

  #race(target: Target, fresh: boolean): void {
    const race = new Race(
      {
        owner: this,
        call: this.#call,
        upstream: this.#upstream,
        tried: this.#tried ?? [],
        request: at => this.#request(at),
        deadline: this.#options.deadline,
      },
      target,
      this.#trial,
    )
    this.#client = race
    race.start(fresh)
  }

  adopt(target: Target, triedAt: number, trial: number): void {
    this.#target = target
    this.#call.target = target.authority
    this.#triedAt = triedAt
    this.#trial = trial
  }

  #enter(gate: Gate, fresh: boolean): void {
    this.#admission = new Admission(gate, {
      call: this.#call,
      upstream: this.#upstream,
      tried: this.#tried,
      deadline: this.#deadline,
      admitted: target => {
        this.#triedAt = monotonicMs()
        this.#try(target, fresh)
      },
      refused: error => this.#fail(error),
    })
    this.#admission.enter()
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

  onResponse(status: number, headers: HeaderList, length: number, lines: string | null): void {
    if (status >= 400 && this.#policy.statuses.has(status) && this.#mayRepeat()) {
      const after = status === 503 || status === 429 ? getHeader(headers, 'retry-after') : undefined
      const wait = this.#repetition(after, false)
      if (wait >= 0) {
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
    this.#body?.forget()
    this.#status = status
    if (this.#guard.gate !== null || (this.#target as Target).load.latency !== null) this.#headAt = monotonicMs()
    this.#upstream.onAnswer?.(this.#call, this.#target as Target, status)
    this.#filter = filter
    // A filter may have changed the list.
    if (filter === null) this.#call.beginResponse(status, headers, length, lines)
    else this.#call.beginResponse(status, headers, filter.rewrites ? -1 : length)
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

  onBodyText(text: string): void {
    const exchange = this.#exchange
    if (this.#filter !== null || this.#events !== null || exchange.writeText === undefined)
      this.onBodyData(Buffer.from(text, 'latin1'))
    else if (!exchange.writeText(text)) this.#client?.pause()
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
      const http2 = this.#target?.pool.options.protocol === 'h2'
      acceptOpening(this.#call, this.#webSocketKey as string, headers, http2)
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
    const unsent = neverSent(error) && (this.#body === null || this.#body.whole)
    if (reused && this.#mayRepeat() && this.#hasTime(0)) {
      this.#again(true, 0)
      return
    }
    if (!reused && repeatsAfter(this.#policy, error) && (unsent || this.#mayRepeat())) {
      const wait = this.#repetition(undefined, unsent)
      if (wait >= 0) {
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

  get #tried(): readonly Target[] | null {
    return this.#repetitions === null ? null : this.#repetitions.tried
  }

  #hasTime(wait: number): boolean {
    return !this.#call.over && monotonicMs() + wait < this.#deadline
  }

  /** Milliseconds to wait before another try; -1 when there is none. `after` is a Retry-After. */
  #repetition(after: string | undefined, unsent: boolean): number {
    const repetitions = (this.#repetitions ??= new Repetitions(this.#policy))
    const others = this.#upstream.targets.length > repetitions.tried.length + 1
    const wait = unsent && others ? 0 : repetitions.wait(after, others)
    return this.#hasTime(wait) && repetitions.take() ? wait : -1
  }

  #again(fresh: boolean, wait: number): void {
    this.#body?.hold()
    const repetitions = (this.#repetitions ??= new Repetitions(this.#policy))
    if (this.#target !== null) repetitions.tried.push(this.#target)
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
    this.#trying = false
    this.#body?.detach()
    this.#events?.close()
    // Looked at only where somebody wants to know how long the head took.
    const headAt = this.#responding && this.#headAt > 0 ? this.#headAt : now
    this.#call.upstreamMs = now - this.#startedAt
    endTry(this.#guard, this.#target as Target, this.#trial, outcome, headAt - this.#triedAt, this.#status)
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
    this.#admission?.cancel()
    if (this.#timer !== null) clearTimeout(this.#timer)
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
