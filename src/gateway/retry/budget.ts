const windowSeconds = 10

/**
 * How many repetitions an upstream gets: a share of its recent calls, and a few more so that an idle one can be retried
 * at all (as in Kubernetes GEP-3388). Without it, retries multiply the load of a service that fails because of load.
 *
 * Each worker counts for itself. Shares of each worker's calls add up to the share of all calls; the minimum is divided.
 */
export class RetryBudget {
  readonly #share: number
  readonly #minimum: number
  readonly #calls = new Float64Array(windowSeconds)
  readonly #retries = new Float64Array(windowSeconds)
  #second = 0
  #at = 0
  #recentCalls = 0
  #recentRetries = 0
  /** Repetitions that were allowed and refused since the start. */
  allowed = 0
  denied = 0

  /** `percent` of the calls, and `minimum` per second of all `workers` together. */
  constructor(percent: number, minimum: number, workers: number) {
    this.#share = percent / 100
    this.#minimum = Math.max((minimum * windowSeconds) / workers, minimum > 0 ? 1 : 0)
  }

  /** A call begins; `now` is coarse monotonic milliseconds. */
  note(now: number): void {
    const second = (now / 1000) | 0
    if (second !== this.#second) this.#advance(second)
    this.#calls[this.#at]!++
    this.#recentCalls++
  }

  /** Takes one repetition if there is one. */
  take(now: number): boolean {
    const second = (now / 1000) | 0
    if (second !== this.#second) this.#advance(second)
    if (this.#recentRetries + 1 > this.#recentCalls * this.#share + this.#minimum) {
      this.denied++
      return false
    }
    this.#retries[this.#at]!++
    this.#recentRetries++
    this.allowed++
    return true
  }

  #advance(second: number): void {
    const steps = Math.min(Math.max(second - this.#second, 0), windowSeconds)
    this.#second = second
    for (let i = 0; i < steps; i++) {
      this.#at = (this.#at + 1) % windowSeconds
      this.#recentCalls -= this.#calls[this.#at] as number
      this.#recentRetries -= this.#retries[this.#at] as number
      this.#calls[this.#at] = 0
      this.#retries[this.#at] = 0
    }
  }
}
