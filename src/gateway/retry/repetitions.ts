import { monotonicMs, wallMs } from '#base/clock'
import type { Target } from '../target.ts'
import { backoff, retryAfter } from './backoff.ts'
import type { RetryPolicy } from './policy.ts'

/** What a call that failed once knows about its tries; most calls never need it. */
export class Repetitions {
  /** Targets of the tries that failed. */
  readonly tried: Target[] = []
  readonly #policy: RetryPolicy
  #count = 0

  constructor(policy: RetryPolicy) {
    this.#policy = policy
  }

  /**
   * Milliseconds before the next try. What Retry-After says holds for the target that said it, so that it only counts
   * where there is no `other` one.
   */
  wait(after: string | undefined, other: boolean): number {
    const { backoffBase, backoffMax } = this.#policy
    const wait = backoff(this.#count, backoffBase, backoffMax)
    if (after === undefined || other) return wait
    return Math.max(wait, Math.min(retryAfter(after, wallMs()), backoffMax))
  }

  /** Whether the policy and the budget of the upstream allow one more. */
  take(): boolean {
    if (this.#count >= this.#policy.attempts || !this.#policy.budget.take(monotonicMs())) return false
    this.#count++
    return true
  }
}
