import { monotonicMs } from '#base/clock'
import type { PassiveHealthDocument } from '#config/document'
import type { Outcome } from '../target.ts'
import { number, type Slot, word } from './health-table.ts'

/** States of a slot: called as usual, left out, and left out but for one call that shows whether it is well again. */
export const [usable, ejected, onTrial] = [0, 1, 2] as const

/** A trial whose call never told its end (its worker died) makes room for another after this time. */
const trialMs = 30_000

/** What happened to a target because of a call. */
export type EjectionEvent = 'ejected' | 'returned'

export type EjectionOptions = {
  readonly slot: Slot
  readonly rules: PassiveHealthDocument
  /** True when active checks bring targets back, so that no call has to. */
  readonly checked: boolean
  /** Whether one more target of the upstream may go. */
  readonly mayEject: () => boolean
  readonly onEvent: (event: EjectionEvent, milliseconds: number) => void
  readonly clock?: () => number
}

/**
 * Leaves a target out when its calls fail, counted over all workers; each ejection in a row lasts longer. When it is
 * over, one call (or an active check, where there are some) decides whether the target comes back or stays out.
 */
export class Ejection {
  readonly slot: Slot
  readonly #options: EjectionOptions
  readonly #statuses: ReadonlySet<number>
  readonly #clock: () => number

  constructor(options: EjectionOptions) {
    this.slot = options.slot
    this.#options = options
    this.#statuses = new Set(options.rules.statuses)
    this.#clock = options.clock ?? monotonicMs
  }

  isFailure(outcome: Outcome, status: number): boolean {
    return outcome !== 'ok' || this.#statuses.has(status)
  }

  /** Counts the end of a try that was no trial. */
  observe(outcome: Outcome, status: number): void {
    if (outcome === 'cancelled') return
    const { slot } = this
    const { failures, failureRate } = this.#options.rules
    const failed = this.isFailure(outcome, status)
    const at = slot.word + word.failures
    let reached = false
    if (!failed) {
      // Almost always zero already: no write, so that the line stays shared between the cores.
      if (slot.words[at] !== 0) Atomics.store(slot.words, at, 0)
    } else if (failures !== null) reached = Atomics.add(slot.words, at, 1) + 1 >= failures
    if (failureRate !== null && this.#exceeds(failureRate, failed)) reached = true
    if (reached && slot.state === usable && this.#options.mayEject()) this.#eject(usable)
  }

  /** Takes the one call that an ejected target gets when its time is over; false when there is none to take. */
  takeTrial(now: number): boolean {
    const { slot } = this
    const { state } = slot
    if (state === usable || now < slot.until || (this.#options.checked && state === ejected)) return false
    if (state === onTrial) {
      // Two threads may both see the old one overdue; the second call does no harm.
      slot.until = now + trialMs
      return true
    }
    // Before the state: whoever sees that one must see its time too.
    slot.until = now + trialMs
    if (!slot.change(ejected, onTrial)) return false
    slot.table.moveEpoch()
    return true
  }

  /** The trial's call has ended, or its answer has begun. */
  endTrial(outcome: Outcome, status: number): void {
    const { slot } = this
    if (outcome === 'cancelled') {
      if (slot.change(onTrial, ejected)) {
        slot.until = this.#clock()
        slot.table.moveEpoch()
      }
    } else if (this.isFailure(outcome, status)) this.#eject(onTrial)
    else this.readmit(onTrial)
  }

  /** Brings the target back; from `ejected` only when its time is over. */
  readmit(from: typeof ejected | typeof onTrial): void {
    const { slot } = this
    const now = this.#clock()
    if ((from === ejected && now < slot.until) || !slot.change(from, usable)) return
    Atomics.store(slot.words, slot.word + word.failures, 0)
    Atomics.store(slot.words, slot.word + word.windowCalls, 0)
    Atomics.store(slot.words, slot.word + word.windowFailures, 0)
    slot.announce(now)
    this.#options.onEvent('returned', 0)
  }

  #eject(from: typeof usable | typeof onTrial): void {
    const { slot } = this
    const { ejectFor, maxEjectFor } = this.#options.rules
    const now = this.#clock()
    // What is long ago counts no more: one step is forgiven for each `ejectFor` that the target was well.
    const well = from === onTrial ? 0 : Math.floor(Math.max(0, now - slot.since) / ejectFor)
    const streak = Math.min(Math.max(0, slot.count('streak') - well) + 1, 1_000_000)
    const milliseconds = Math.min(ejectFor * streak, Math.max(ejectFor, maxEjectFor))
    slot.until = now + milliseconds
    if (!slot.change(from, ejected)) return
    Atomics.store(slot.words, slot.word + word.streak, streak)
    if (from === usable) Atomics.add(slot.words, slot.word + word.ejections, 1)
    slot.table.moveEpoch()
    if (from === usable) this.#options.onEvent('ejected', milliseconds)
  }

  #exceeds(rule: NonNullable<PassiveHealthDocument['failureRate']>, failed: boolean): boolean {
    const { words, numbers } = this.slot
    const calls = this.slot.word + word.windowCalls
    const failures = this.slot.word + word.windowFailures
    const start = this.slot.number + number.windowStart
    const now = this.#clock()
    if (now - (numbers[start] as number) > rule.window) {
      numbers[start] = now
      Atomics.store(words, calls, 0)
      Atomics.store(words, failures, 0)
    }
    const count = Atomics.add(words, calls, 1) + 1
    const bad = failed ? Atomics.add(words, failures, 1) + 1 : (words[failures] as number)
    return failed && count >= rule.minimumCalls && bad * 100 >= rule.percent * count
  }
}
