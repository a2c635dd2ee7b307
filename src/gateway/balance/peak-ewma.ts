import { monotonicMs } from '#base/clock'

/** How fast the past is forgotten, in milliseconds. */
const decayMs = 10_000
/** A failure counts as at least this long: a target that fails fast must not look quick. */
const failureMs = 1_000
/** What a target is taken for that has calls under way but has not answered any yet. */
const unknownMs = 1_000

/**
 * Latency as a decaying peak (as in Finagle's balancer of that name): it jumps to a slower observation at once, and
 * follows faster ones, and silence, only slowly.
 */
export class PeakEwma {
  #value = 0
  #stamp: number
  readonly #clock: () => number

  constructor(clock: () => number = monotonicMs) {
    this.#clock = clock
    this.#stamp = clock()
  }

  observe(milliseconds: number, failed: boolean): void {
    const now = this.#clock()
    const seen = failed ? Math.max(milliseconds, failureMs) : milliseconds
    if (seen > this.#value) this.#value = seen
    else {
      const old = Math.exp((this.#stamp - now) / decayMs)
      this.#value = this.#value * old + seen * (1 - old)
    }
    this.#stamp = now
  }

  /** Milliseconds that an answer is expected to take `now`; less and less for a target that was not asked for long. */
  at(now: number): number {
    return this.#value * Math.exp((this.#stamp - now) / decayMs)
  }

  /** What one more call costs when `active` are under way. */
  cost(now: number, active: number): number {
    const value = this.at(now)
    return value === 0 && active > 0 ? unknownMs * (active + 1) : value * (active + 1)
  }
}
