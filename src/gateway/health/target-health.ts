import type { Outcome } from '../target.ts'
import { type Ejection, onTrial } from './ejection.ts'
import type { Slot } from './health-table.ts'

/** What is known of a target: `unhealthy` by active checks, `ejected` by its calls, `trial` while one call decides. */
export type HealthState = 'healthy' | 'unhealthy' | 'ejected' | 'trial'

/** The health of one target, read by plain loads from what all workers and the checks write. */
export class TargetHealth {
  /** What active checks found; null where there are none. */
  readonly check: Slot | null
  /** What its calls showed. */
  readonly slot: Slot
  readonly ejection: Ejection | null

  constructor(slot: Slot, check: Slot | null, ejection: Ejection | null) {
    this.slot = slot
    this.check = check
    this.ejection = ejection
  }

  get usable(): boolean {
    return this.slot.state === 0 && (this.check === null || this.check.state === 0)
  }

  get state(): HealthState {
    if (this.check !== null && this.check.state !== 0) return 'unhealthy'
    if (this.slot.state === 0) return 'healthy'
    return this.slot.state === onTrial ? 'trial' : 'ejected'
  }

  /** When it became usable. */
  get since(): number {
    return this.check === null ? this.slot.since : Math.max(this.slot.since, this.check.since)
  }

  observe(outcome: Outcome, status: number): void {
    this.ejection?.observe(outcome, status)
  }

  endTrial(outcome: Outcome, status: number): void {
    // A trial whose answer had begun has been decided by that; the end of its body finds nothing on trial.
    if (this.slot.state === onTrial) this.ejection?.endTrial(outcome, status)
    else if (outcome !== 'ok') this.ejection?.observe(outcome, status)
  }
}
