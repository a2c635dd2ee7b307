import { monotonicMs } from '#base/clock'
import type { Target } from '../target.ts'
import type { HealthTable } from './health-table.ts'

/** Share of a target at the very beginning of its slow start. */
const firstShare = 0.1

export type RosterOptions = {
  /** Null where neither health nor slow start is configured: then the list never changes. */
  readonly table: HealthTable | null
  /** Percentage; see `panicThreshold` in the configuration. */
  readonly panicThreshold: number
  /** Milliseconds. */
  readonly slowStart: number
  readonly onPanic: (panic: boolean, usable: number, all: number) => void
  readonly clock?: () => number
}

const evenShares = (targets: readonly Target[]): boolean =>
  targets.every(target => target.share === (targets[0] as Target).share)

/** Which targets of an upstream are chosen from at the moment. */
export class Roster {
  /** Chosen from; the same array as long as nothing changes. Empty: nothing may be called. */
  usable: readonly Target[] = []
  /** Whether all shares of `usable` are equal. */
  even = true
  /** All are used because too few are usable. */
  panic = false
  #reported: boolean | null = null
  /** Targets of weight above zero. */
  #weighted: readonly Target[] = []
  #epoch = -1
  /** Targets that are out, but may get the one call that brings them back. */
  #out: readonly Target[] = []
  #rampingUntil = 0
  readonly #options: RosterOptions
  readonly #clock: () => number

  constructor(targets: readonly Target[], options: RosterOptions) {
    this.#options = options
    this.#clock = options.clock ?? monotonicMs
    this.replace(targets)
  }

  /** Other targets, because addresses changed. */
  replace(targets: readonly Target[]): void {
    this.#weighted = targets.filter(target => target.weight > 0)
    this.#refresh()
  }

  /** Brings the list up to date: one plain load when nothing has changed anywhere. */
  update(): void {
    const { table } = this.#options
    if (table === null) return
    if (table.epoch !== this.#epoch) this.#refresh()
    else if (this.#rampingUntil > 0) this.#ramp()
  }

  /** A target that was ejected long enough, for the one call that shows whether it is well again. */
  takeTrial(tried: readonly Target[] | null): Target | null {
    if (this.#out.length === 0) return null
    const now = this.#clock()
    for (const target of this.#out) {
      if (tried?.some(({ owner }) => owner === target) === true) continue
      if (target.health?.check !== null && target.health?.check.state !== 0) continue
      if (target.health.ejection?.takeTrial(now) === true) return target.trial
    }
    return null
  }

  /** Whether one more target may be ejected. */
  mayEject(maxPercent: number): boolean {
    const out = this.#weighted.reduce(
      (count, { health }) => count + (health === null || health.slot.state === 0 ? 0 : 1),
      0,
    )
    return out + 1 <= Math.floor((this.#weighted.length * maxPercent) / 100)
  }

  /** Seconds until a target may get its trial; for Retry-After. */
  get waitSeconds(): number {
    if (this.#out.length === 0) return 1
    const now = this.#clock()
    const waits = this.#out.map(({ health }) => (health?.check?.state === 1 ? 0 : (health?.slot.until ?? 0) - now))
    return Math.min(60, Math.max(1, Math.ceil(Math.min(...waits, 60_000) / 1000)))
  }

  #refresh(): void {
    const { table, panicThreshold, onPanic } = this.#options
    this.#epoch = table?.epoch ?? -1
    const well = this.#weighted.filter(({ health }) => health === null || health.usable)
    const all = this.#weighted.length
    const panic = well.length < all && well.length * 100 < panicThreshold * all
    this.#out = well.length === all ? [] : this.#weighted.filter(target => !well.includes(target))
    const chosenFrom = panic ? this.#weighted : well
    const first = Math.min(...chosenFrom.map(({ priority }) => priority))
    this.usable = chosenFrom.filter(({ priority }) => priority === first)
    this.panic = panic
    // Also at the beginning: an upstream of the configuration before may have left it otherwise.
    if (panic !== this.#reported) onPanic(panic, well.length, all)
    this.#reported = panic
    this.#ramp()
  }

  #ramp(): void {
    const { slowStart } = this.#options
    const now = slowStart > 0 ? this.#clock() : 0
    this.#rampingUntil = 0
    for (const target of this.usable) {
      const since = target.health?.since ?? 0
      const age = slowStart > 0 ? Math.max(0, now - since) / slowStart : 1
      target.share = age >= 1 ? target.weight : target.weight * Math.max(firstShare, age)
      if (age < 1) this.#rampingUntil = Math.max(this.#rampingUntil, since + slowStart)
    }
    this.even = evenShares(this.usable)
  }
}
