import type { AdaptiveConfig } from '#config/resilience-schema'

const windowMs = 100
const windowCalls = 10
const longestWindowMs = 1000
const probeEveryMs = 30_000
const firstProbeMs = 1_000
const longestProbeMs = 3_000
/** How much of a new limit is taken over at once. */
const smoothing = 0.3

/**
 * How many calls an upstream can take at a time, found from its latency: a gradient of the usual latency to that of
 * now, as in Netflix's concurrency-limits and Envoy's adaptive concurrency filter. While latency stays near the usual
 * one, the limit grows by its square root; when calls begin to queue at the upstream, it shrinks by the same ratio.
 *
 * The usual latency is measured while few calls are in flight: by themselves, or in a probe of one window that takes
 * the limit down to a quarter. So an upstream that became slower for good is not mistaken for an overloaded one for long.
 */
export class AdaptiveLimit {
  readonly #config: AdaptiveConfig
  #limit: number
  /** Milliseconds of a call that is not held up by others; 0 until it is known. */
  #usual = 0
  #windowStart: number
  #sum = 0
  #count = 0
  #highest = 0
  #nextProbe: number
  #probeEnd = 0
  #probing: 'no' | 'emptying' | 'measuring' = 'no'

  /** `now` is monotonic milliseconds, here and everywhere below. */
  constructor(config: AdaptiveConfig, now: number) {
    this.#config = config
    this.#limit = Math.min(Math.max(config.initial, config.min), config.max)
    this.#windowStart = now
    // Under load from the beginning, what the first calls need is not the usual latency.
    this.#nextProbe = now + firstProbeMs
  }

  /** Calls that may be in flight at `now`. */
  at(now: number): number {
    // Calls that last for hours keep a probe from ever finding few of them: it is given up then.
    if (this.#probing !== 'no' && now >= this.#probeEnd) this.#endProbe(now)
    return this.#probing === 'no' ? Math.floor(this.#limit) : this.#probeLimit
  }

  get usualMs(): number {
    return this.#usual
  }

  get #probeLimit(): number {
    return Math.max(1, Math.min(this.#config.min, this.#limit), Math.floor(this.#limit / 4))
  }

  /** A call was answered after `milliseconds`; `inFlight` counts it. */
  sample(milliseconds: number, inFlight: number, now: number): void {
    this.#sum += milliseconds
    this.#count++
    if (inFlight > this.#highest) this.#highest = inFlight
    const age = now - this.#windowStart
    if ((age >= windowMs && this.#count >= windowCalls) || age >= longestWindowMs) this.#endWindow(now)
  }

  #endWindow(now: number): void {
    const latency = Math.max(this.#sum / this.#count, 0.1)
    const highest = this.#highest
    this.#windowStart = now
    this.#sum = 0
    this.#count = 0
    this.#highest = 0
    if (this.#probing === 'emptying') {
      // Calls from before the probe are still among those of its first window.
      if (highest <= this.#probeLimit) this.#probing = 'measuring'
      return
    }
    if (this.#probing === 'measuring') {
      this.#usual = latency
      this.#endProbe(now)
      return
    }
    const few = highest <= this.#probeLimit
    if (this.#usual === 0 || latency < this.#usual) this.#usual = latency
    else if (few) this.#usual += (latency - this.#usual) * smoothing
    if (few) this.#nextProbe = now + probeEveryMs
    this.#adjust(latency, highest)
    if (now < this.#nextProbe) return
    this.#probing = 'emptying'
    this.#probeEnd = now + longestProbeMs
  }

  #endProbe(now: number): void {
    this.#probing = 'no'
    this.#nextProbe = now + probeEveryMs
  }

  #adjust(latency: number, highest: number): void {
    const { min, max, tolerance } = this.#config
    const gradient = Math.min(1, Math.max(0.5, (tolerance * this.#usual) / latency))
    // A limit that nobody reaches says nothing about what is beyond it, and slowness of a few calls is not of our making.
    if (highest < this.#limit / 2) return
    const wanted = this.#limit * gradient + Math.sqrt(this.#limit)
    this.#limit = Math.min(max, Math.max(min, this.#limit + (wanted - this.#limit) * smoothing))
  }
}
