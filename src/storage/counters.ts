/** How much of what may pass: `limit` units per `windowMs`, counted by one of three algorithms. */
export type LimitRule = {
  readonly algorithm: 'gcra' | 'sliding-window' | 'fixed-window'
  readonly limit: number
  readonly windowMs: number
  /** GCRA only: how many units may come at once; the limit itself unless set. */
  readonly burst: number
}

export type LimitDecision = {
  readonly allowed: boolean
  /** Whole units that would still be let through now. */
  readonly remaining: number
  /**
   * Milliseconds until one more unit would pass (0 when it would pass now); after a refusal, until the refused cost
   * would pass. A cost above the limit never passes: then the time until the full limit is back.
   */
  readonly retryAfterMs: number
  /** Milliseconds until the full limit is available again. */
  readonly resetMs: number
}

/** Counters shared by all workers of a gateway (and, with an outside engine, by all gateways). */
export interface Counters {
  /**
   * Takes `cost` units from `key` if they are there, atomically; takes nothing when they are not.
   * A cost of 0 only looks: `allowed` then says whether one unit would pass. A negative cost gives units back
   * (never more than the limit) and is always allowed. A key counts per rule: a changed rule begins afresh.
   * `now` is monotonicMs(). Synchronous for shared memory; a promise where a network is asked.
   */
  take(rule: LimitRule, key: string, cost: number, now: number): LimitDecision | Promise<LimitDecision>
}
