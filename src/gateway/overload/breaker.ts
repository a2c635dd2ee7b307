import { monotonicMs } from '#base/clock'
import { GatewayError } from '#base/errors'
import type { BreakerConfig } from '#config/resilience-schema'
import { type SharedSlot, word } from './shared-state.ts'

const [closed, open, halfOpen] = [0, 1, 2] as const
const names = ['closed', 'open', 'half-open'] as const
export type BreakerState = (typeof names)[number]

const intervals = 10

/** What a call is told that the breaker lets not pass. */
export const refused = -1

/**
 * A circuit breaker whose state and counts all workers share. Closed, it counts failures among the calls of the last
 * `window`; open, it refuses; half-open, it lets a few calls through and closes when all of them succeed.
 * Times are monotonic milliseconds, kept in 32 bits, of which only differences matter.
 */
export class Breaker {
  readonly #words: Int32Array
  readonly #config: BreakerConfig
  readonly #intervalMs: number
  readonly #onChange: (state: BreakerState) => void

  constructor({ words }: SharedSlot, config: BreakerConfig, onChange: (state: BreakerState) => void = () => {}) {
    this.#words = words
    this.#config = config
    this.#intervalMs = config.window / intervals
    this.#onChange = onChange
  }

  get state(): BreakerState {
    return names[Atomics.load(this.#words, word.breakerState)] ?? 'closed'
  }

  /** How often it has opened. */
  get opened(): number {
    return Atomics.load(this.#words, word.opened)
  }

  /** Milliseconds for which calls are refused from now on; 0 when one may ask for its begin. */
  refusedFor(now: number): number {
    const words = this.#words
    const state = Atomics.load(words, word.breakerState)
    if (state === closed) return 0
    if (state === open) return Math.max(0, this.#config.openFor - this.#since(word.openedAt, now))
    return this.#trialsLeft(now) ? 0 : 1000
  }

  /** A call begins. Returns what `end` must be told, or `refused`. */
  begin(now: number): number {
    const words = this.#words
    let state = Atomics.load(words, word.breakerState)
    if (state === open) {
      if (this.#since(word.openedAt, now) < this.#config.openFor) return refused
      Atomics.store(words, word.trials, 0)
      Atomics.store(words, word.successes, 0)
      Atomics.store(words, word.trialsAt, now | 0)
      this.#change(open, halfOpen)
      state = Atomics.load(words, word.breakerState)
    }
    if (state === halfOpen && !this.#takeTrial(now)) return refused
    return Atomics.load(words, word.breakerEpoch)
  }

  /** A call that `begin` let pass has ended; null when its end says nothing about the upstream. */
  end(epoch: number, success: boolean | null, now: number): void {
    const words = this.#words
    // It began in another state: what it says is old news.
    if (epoch !== Atomics.load(words, word.breakerEpoch)) return
    if (Atomics.load(words, word.breakerState) === halfOpen) this.#endTrial(success, now)
    else if (success !== null) this.#count(success, now)
  }

  #endTrial(success: boolean | null, now: number): void {
    const words = this.#words
    if (success === null) Atomics.sub(words, word.trials, 1)
    else if (!success) this.#trip(halfOpen, now)
    else if (Atomics.add(words, word.successes, 1) + 1 >= this.#config.halfOpenCalls) {
      for (let i = 0; i < 3 * intervals; i++) Atomics.store(words, word.window + i, 0)
      this.#change(halfOpen, closed)
    }
  }

  #count(success: boolean, now: number): void {
    const words = this.#words
    const interval = Math.floor(now / this.#intervalMs) | 0
    const at = word.window + 3 * (((interval % intervals) + intervals) % intervals)
    const before = Atomics.load(words, at)
    if (before !== interval && Atomics.compareExchange(words, at, before, interval) === before) {
      Atomics.store(words, at + 1, 0)
      Atomics.store(words, at + 2, 0)
    }
    Atomics.add(words, at + 1, 1)
    if (success) return
    Atomics.add(words, at + 2, 1)
    let calls = 0
    let failures = 0
    for (let i = 0; i < intervals; i++) {
      const place = word.window + 3 * i
      const age = (interval - Atomics.load(words, place)) | 0
      if (age < 0 || age >= intervals) continue
      calls += Atomics.load(words, place + 1)
      failures += Atomics.load(words, place + 2)
    }
    const { minimumCalls, failureRate } = this.#config
    if (calls >= minimumCalls && failures * 100 >= failureRate * calls) this.#trip(closed, now)
  }

  #trip(from: number, now: number): void {
    Atomics.store(this.#words, word.openedAt, now | 0)
    if (this.#change(from, open)) Atomics.add(this.#words, word.opened, 1)
  }

  #takeTrial(now: number): boolean {
    const words = this.#words
    if (!this.#trialsLeft(now)) return false
    if (Atomics.add(words, word.trials, 1) < this.#config.halfOpenCalls) return true
    Atomics.sub(words, word.trials, 1)
    return false
  }

  /** Trials whose end nobody hears of, because their worker died, are given out again after a while. */
  #trialsLeft(now: number): boolean {
    const words = this.#words
    if (Atomics.load(words, word.trials) < this.#config.halfOpenCalls) return true
    const since = Atomics.load(words, word.trialsAt)
    if ((((now | 0) - since) | 0) < Math.max(this.#config.openFor, 60_000)) return false
    if (Atomics.compareExchange(words, word.trialsAt, since, now | 0) !== since) return false
    Atomics.store(words, word.trials, Atomics.load(words, word.successes))
    return true
  }

  #change(from: number, to: number): boolean {
    if (Atomics.compareExchange(this.#words, word.breakerState, from, to) !== from) return false
    Atomics.add(this.#words, word.breakerEpoch, 1)
    this.#onChange(names[to] as BreakerState)
    return true
  }

  #since(place: number, now: number): number {
    return ((now | 0) - Atomics.load(this.#words, place)) | 0
  }
}

/** What a call is told that an open circuit keeps from its upstream. */
export const circuitOpen = (breaker: Breaker): GatewayError => {
  const seconds = Math.max(1, Math.ceil(breaker.refusedFor(monotonicMs()) / 1000))
  return new GatewayError('circuit-open', { headers: ['retry-after', String(seconds)] })
}
