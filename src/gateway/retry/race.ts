import { monotonicMs } from '#base/clock'
import type { GatewayError } from '#base/errors'
import type { ClientExchange, OutgoingRequest, ResponseHandler } from '#http/client'
import type { HeaderList } from '#http/headers'
import type { RawStream } from '#http/message'
import type { GatewayCall } from '../gateway-call.ts'
import { refused } from '../overload/breaker.ts'
import { outcomeOf, type Target, unused } from '../target.ts'
import { endTry } from '../try.ts'
import type { Upstream } from '../upstream.ts'

/** Whoever waits for the response: to it the race looks like a single try. */
export interface RaceOwner extends ResponseHandler {
  /** From now on another try is the one that it has to account for. */
  adopt(target: Target, triedAt: number, trial: number): void
}

export type RaceOptions = {
  readonly owner: RaceOwner
  readonly call: GatewayCall
  readonly upstream: Upstream
  readonly tried: readonly Target[]
  readonly request: (target: Target) => OutgoingRequest
  /** monotonicMs() when the caller gives up, if it said so. */
  readonly deadline: number | undefined
}

/** One try in a race. */
class Lane implements ResponseHandler {
  readonly target: Target
  readonly trial: number
  readonly startedAt = monotonicMs()
  client: ClientExchange | null = null
  readonly #race: Race

  constructor(race: Race, target: Target, trial: number) {
    this.#race = race
    this.target = target
    this.trial = trial
  }

  onReady(client: ClientExchange): void {
    this.client = client
  }
  onInformational(status: number, headers: HeaderList): void {
    this.#race.informed(this, status, headers)
  }
  onResponse(status: number, headers: HeaderList, length: number, lines: string | null): void {
    this.#race.answered(this, status, headers, length, lines)
  }
  onBodyData(chunk: Buffer): void {
    this.#race.owner.onBodyData(chunk)
  }
  onBodyEnd(trailers: HeaderList | null): void {
    this.#race.owner.onBodyEnd(trailers)
  }
  onPause(): void {
    this.#race.owner.onPause()
  }
  onDrain(): void {
    this.#race.owner.onDrain()
  }
  onUpgrade(headers: HeaderList, stream: RawStream): void {
    this.#race.owner.onUpgrade(headers, stream)
  }
  onError(error: GatewayError): void {
    this.#race.failed(this, error)
  }
}

/**
 * A hedged request: when the first try has no response head in time, others join it at other targets, within the budget
 * for repetitions. The first head that is not worth a repetition wins, the others are given up.
 */
export class Race implements ClientExchange {
  readonly owner: RaceOwner
  readonly #options: RaceOptions
  readonly #lanes: Lane[] = []
  /** The lane the owner accounts for: the first one, until another one is better. */
  #adopted: Lane
  #decided = false
  #joined = 0
  #timer: NodeJS.Timeout | null = null

  /** The owner has begun the try at `first` itself. */
  constructor(options: RaceOptions, first: Target, trial: number) {
    this.owner = options.owner
    this.#options = options
    this.#adopted = new Lane(this, first, trial)
    this.#lanes.push(this.#adopted)
  }

  start(fresh: boolean): void {
    this.#wait()
    this.#launch(this.#adopted, fresh)
  }

  // ---- as one exchange

  get reused(): boolean {
    return this.#adopted.client?.reused ?? false
  }
  get connected(): boolean {
    return this.#adopted.client?.connected ?? false
  }
  write(chunk: Buffer): boolean {
    return this.#adopted.client?.write(chunk) ?? true
  }
  end(trailers: HeaderList | null): void {
    this.#adopted.client?.end(trailers)
  }
  pause(): void {
    this.#adopted.client?.pause()
  }
  resume(): void {
    this.#adopted.client?.resume()
  }
  setIdleTimeout(ms: number): void {
    this.#adopted.client?.setIdleTimeout(ms)
  }

  abort(): void {
    this.#stopWaiting()
    for (const lane of [...this.#lanes]) {
      if (lane === this.#adopted) lane.client?.abort()
      else this.#giveUp(lane)
    }
    this.#lanes.length = 0
  }

  // ---- what lanes tell

  informed(lane: Lane, status: number, headers: HeaderList): void {
    if (lane === this.#adopted) this.owner.onInformational(status, headers)
  }

  answered(lane: Lane, status: number, headers: HeaderList, length: number, lines: string | null): void {
    const { statuses } = this.#options.upstream.guard.retry
    if (this.#lanes.length > 1 && statuses.has(status)) {
      lane.client?.abort()
      this.#leave(lane)
      endTry(this.#options.upstream.guard, lane.target, lane.trial, 'ok', monotonicMs() - lane.startedAt, status)
      return
    }
    this.#stopWaiting()
    this.#adopt(lane)
    this.#decided = true
    for (const other of [...this.#lanes]) if (other !== lane) this.#giveUp(other)
    this.owner.onResponse(status, headers, length, lines)
  }

  failed(lane: Lane, error: GatewayError): void {
    if (this.#decided || this.#lanes.length === 1) {
      this.#stopWaiting()
      this.owner.onError(error)
      return
    }
    this.#leave(lane)
    const ms = monotonicMs() - lane.startedAt
    endTry(this.#options.upstream.guard, lane.target, lane.trial, outcomeOf(error, this.#options.deadline), ms, 0)
  }

  // ---- tries

  #wait(): void {
    const { hedge } = this.#options.upstream.guard.retry
    if (hedge === null || this.#joined >= hedge.max) return
    this.#timer = setTimeout(() => this.#join(), hedge.after)
  }

  #stopWaiting(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #join(): void {
    this.#timer = null
    this.#joined++
    const { upstream, call, tried } = this.#options
    const { breaker, gate, retry } = upstream.guard
    const busy = [...tried, ...this.#lanes.map(lane => lane.target)]
    const target = gate === null ? upstream.choose(call, busy) : gate.enterAtOnce(upstream, call, busy)
    if (target === null) return
    const trial = retry.budget.take(monotonicMs()) ? (breaker?.begin(monotonicMs()) ?? 0) : refused
    if (trial === refused) {
      unused(target)
      gate?.leave(target, -1)
      return
    }
    call.retries++
    target.begin()
    const lane = new Lane(this, target, trial)
    this.#lanes.push(lane)
    this.#wait()
    this.#launch(lane, false)
  }

  #launch(lane: Lane, fresh: boolean): void {
    const client = lane.target.pool.request(this.#options.request(lane.target), lane, fresh)
    lane.client ??= client
  }

  #adopt(lane: Lane): void {
    if (lane === this.#adopted) return
    this.#adopted = lane
    this.owner.adopt(lane.target, lane.startedAt, lane.trial)
  }

  /** A lane is out of the race; another one takes its place with the owner if it has to. */
  #leave(lane: Lane): void {
    this.#lanes.splice(this.#lanes.indexOf(lane), 1)
    if (lane === this.#adopted) this.#adopt(this.#lanes[0] as Lane)
  }

  #giveUp(lane: Lane): void {
    this.#lanes.splice(this.#lanes.indexOf(lane), 1)
    lane.client?.abort()
    endTry(this.#options.upstream.guard, lane.target, lane.trial, 'cancelled', monotonicMs() - lane.startedAt, 0)
  }
}
