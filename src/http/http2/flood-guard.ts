import { ConnectionError, errorCodes } from './error-codes.ts'

/**
 * What a peer may make us do without asking for anything useful, as tokens that come back with time: control frames
 * that cost an answer or a look (RFC 9113 §10.5), and streams that it opens and takes back ("rapid reset").
 */
export class FloodGuard {
  readonly #burst: number
  readonly #perMs: number
  readonly #what: string
  #tokens: number
  #at: number

  /** `now` in milliseconds of the clock that `spend` is told. */
  constructor(what: string, burst: number, perSecond: number, now: number) {
    this.#at = now
    this.#what = what
    this.#burst = burst
    this.#perMs = perSecond / 1000
    this.#tokens = burst
  }

  /** Throws ConnectionError ENHANCE_YOUR_CALM when there are no tokens left; `now` in milliseconds. */
  spend(now: number, cost: number): void {
    if (this.#tokens < cost) {
      this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) * this.#perMs)
      this.#at = now
      if (this.#tokens < cost) throw new ConnectionError(errorCodes.enhanceYourCalm, `Too many ${this.#what}`)
    }
    this.#tokens -= cost
  }

  /** Something useful happened: gives tokens back. */
  refund(count: number): void {
    if (this.#tokens < this.#burst) this.#tokens += count
  }
}
