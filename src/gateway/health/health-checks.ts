import { monotonicMs } from '#base/clock'
import type { ActiveHealthDocument } from '#config/document'
import type { TimerWheel } from '#http/timer-wheel'
import { type CheckPlace, type CheckRun, checkTarget } from './check-target.ts'
import { type Ejection, ejected } from './ejection.ts'
import { type Slot, word } from './health-table.ts'

/** One address that is checked in one way, for all upstreams that ask for the same. */
export type Check = {
  readonly key: string
  readonly place: CheckPlace
  readonly rules: ActiveHealthDocument
  readonly slot: Slot
  /** For people: the target, and the upstreams it belongs to. */
  readonly target: string
  readonly upstreams: readonly string[]
  /** What a good check brings back when its time is over. */
  readonly ejections: readonly Ejection[]
}

export type CheckEvent = (kind: 'healthy' | 'unhealthy', check: Check, problem: string | null) => void

/** A check waits up to a tenth of the interval more or less, so that those of many targets do not fall together. */
const jitter = 0.1
/** The first checks are soon, whatever the interval. */
const firstWithinMs = 1_000

/** Checks one address again and again; `Check.slot` says what came out. */
class CheckLoop {
  check: Check
  readonly #wheel: TimerWheel
  readonly #onEvent: CheckEvent
  #timer: NodeJS.Timeout | undefined
  #run: CheckRun | null = null
  #good = 0
  #bad = 0
  #closed = false

  constructor(check: Check, wheel: TimerWheel, onEvent: CheckEvent) {
    this.check = check
    this.#wheel = wheel
    this.#onEvent = onEvent
    this.#after(Math.random() * Math.min(check.rules.interval, firstWithinMs))
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#run?.abandon()
  }

  #after(milliseconds: number): void {
    this.#timer = setTimeout(() => void this.#look(), milliseconds)
    this.#timer.unref()
  }

  async #look(): Promise<void> {
    const { place, rules, slot } = this.check
    const started = monotonicMs()
    this.#run = checkTarget(place, rules, this.#wheel)
    const problem = await this.#run.result
    this.#run = null
    if (this.#closed) return
    Atomics.add(slot.words, slot.word + word.checks, 1)
    if (problem === null) this.#passed()
    else this.#failed(problem)
    const wait = rules.interval * (1 - jitter + 2 * jitter * Math.random())
    // The interval is that between beginnings.
    this.#after(Math.max(0, wait - (monotonicMs() - started)))
  }

  #passed(): void {
    const { rules, slot, ejections } = this.check
    this.#bad = 0
    this.#good++
    // Of a target that nobody has seen yet the first good check is proof enough.
    const first = slot.count('checks') === 1
    if (slot.state === 1 && (first || this.#good >= rules.healthyAfter) && slot.change(1, 0)) {
      slot.announce(monotonicMs())
      this.#onEvent('healthy', this.check, null)
    }
    if (slot.state === 0) for (const ejection of ejections) ejection.readmit(ejected)
  }

  #failed(problem: string): void {
    const { rules, slot } = this.check
    this.#good = 0
    this.#bad++
    if (slot.state === 0 && this.#bad >= rules.unhealthyAfter && slot.change(0, 1)) {
      slot.table.moveEpoch()
      this.#onEvent('unhealthy', this.check, problem)
    }
  }
}

/** All active checks of the process: one stream of them for each address and kind, whoever asks for it. */
export class HealthChecks {
  readonly #wheel: TimerWheel
  readonly #onEvent: CheckEvent
  readonly #loops = new Map<string, CheckLoop>()

  constructor(wheel: TimerWheel, onEvent: CheckEvent) {
    this.#wheel = wheel
    this.#onEvent = onEvent
  }

  /** Begins what is new, goes on with what is named again, and ends the rest. */
  update(checks: readonly Check[]): void {
    const named = new Set(checks.map(({ key }) => key))
    for (const [key, loop] of this.#loops) {
      if (named.has(key)) continue
      loop.close()
      this.#loops.delete(key)
    }
    for (const check of checks) {
      const loop = this.#loops.get(check.key)
      if (loop === undefined) this.#loops.set(check.key, new CheckLoop(check, this.#wheel, this.#onEvent))
      else loop.check = check
    }
  }

  close(): void {
    this.update([])
  }
}
