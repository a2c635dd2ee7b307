import type { BalanceDocument } from '#config/document'
import type { ResilienceConfig } from '#config/resilience-schema'
import type { UpstreamTlsDocument } from '#config/tls'
import type { UpstreamProtocol } from '#http/client'
import type { HeaderList } from '#http/headers'
import { type Pick as PickTarget, picker } from './balance/choose.ts'
import { Sticky } from './balance/sticky.ts'
import type { GatewayCall } from './gateway-call.ts'
import type { Guard } from './guard.ts'
import type { HealthTable } from './health/health-table.ts'
import { Roster } from './health/roster.ts'
import type { BalanceCall, Target } from './target.ts'

export type { BalanceCall, Outcome, Target } from './target.ts'

type OwnConfig = ResilienceConfig & {
  /** Stable name; pools, load and health of targets with the same URL and settings survive a reload. */
  readonly name: string
  readonly targets: readonly { readonly url: string; readonly weight: number; readonly host?: string | undefined }[]
  readonly balance: BalanceDocument['balance']
  /**
   * Milliseconds: to connect, until the response head, for the whole call, and without a byte of the body. Where `idle` is
   * not set it is `response`, and event streams may be silent for ever.
   */
  readonly timeouts: {
    readonly connect: number
    readonly response: number
    readonly total: number
    readonly idle?: number | undefined
  }
  /** `h1` when absent. */
  readonly protocol?: UpstreamProtocol
  /** How https targets are called; the usual way when absent. */
  readonly tls?: UpstreamTlsDocument | undefined
  /** Send the client's Host instead of the target's. */
  readonly preserveHost: boolean
  /** Fields added to every request, e.g. provider credentials; lower-case names. */
  readonly headers: HeaderList
}

export type UpstreamConfig = OwnConfig & Partial<Omit<BalanceDocument, 'balance'>>

/** A set of targets behind one name. */
export interface Upstream {
  readonly name: string
  readonly config: UpstreamConfig
  /** All targets, one for each address that is known of a host name. */
  readonly targets: readonly Target[]
  readonly guard: Guard
  /** All targets are used because too few are healthy. */
  readonly panic: boolean
  /** Chooses the target of the next try; avoids those in `tried` while another is there. Null: nothing is usable. */
  choose(call: BalanceCall, tried: readonly Target[] | null): Target | null
  /** What `choose` would say of a call that brings no ejected target back. */
  preview(call: BalanceCall): Target | null
  /** Told of the response head that goes to the client, and of the target that sent it; null where nobody asks. */
  readonly onAnswer: ((call: GatewayCall, target: Target, status: number) => void) | null
  /** When nothing is usable: seconds until it is worth trying again. */
  readonly waitSeconds: number
}

export type BalancedOptions = {
  readonly config: UpstreamConfig
  readonly targets: readonly Target[]
  readonly guard: Guard
  /** Null where neither health nor slow start is configured. */
  readonly table: HealthTable | null
  readonly onPanic: (panic: boolean, usable: number, all: number) => void
  readonly clock?: () => number
}

const noHash = { by: { from: 'ip' }, loadFactor: 1.25 } as const

/** An upstream as one worker sees it. */
export class BalancedUpstream implements Upstream {
  readonly name: string
  readonly config: UpstreamConfig
  readonly guard: Guard
  targets: readonly Target[]
  readonly onAnswer: Upstream['onAnswer']
  readonly #roster: Roster
  readonly #sticky: Sticky | null
  readonly #plain: boolean
  readonly #watched: boolean
  #pick: PickTarget
  /** The one target there is to choose; null when there is something to think about. */
  #only: Target | null = null

  constructor({ config, targets, guard, table, onPanic, clock }: BalancedOptions) {
    this.name = config.name
    this.config = config
    this.targets = targets
    this.guard = guard
    const { panicThreshold = 0, slowStart = 0, sticky = null } = config
    this.#roster = new Roster(targets, { table, panicThreshold, slowStart, onPanic, ...(clock && { clock }) })
    this.#sticky = sticky === null ? null : new Sticky(sticky, config.name, targets)
    this.#watched = table !== null
    this.#plain = table === null && sticky === null
    this.#pick = this.#picker()
    this.#findOnly()
    this.onAnswer = this.#plain
      ? null
      : (call, target, status) => {
          target.answered(status)
          this.#sticky?.keep(call, target)
        }
  }

  get panic(): boolean {
    return this.#roster.panic
  }

  get waitSeconds(): number {
    return this.#roster.waitSeconds
  }

  choose(call: BalanceCall, tried: readonly Target[] | null): Target | null {
    if (this.#only !== null) return this.#only
    const roster = this.#roster
    roster.update()
    const stuck = this.#stuckTo(call, tried)
    if (stuck !== null) return stuck
    const trial = roster.takeTrial(tried)
    if (trial !== null) return trial
    const { usable } = roster
    if (usable.length === 0) return null
    if (tried === null) return this.#pick(call, usable, roster.even)
    const untried = usable.filter(target => !tried.some(({ owner }) => owner === target))
    return this.#pick(call, untried.length > 0 ? untried : usable, roster.even)
  }

  preview(call: BalanceCall): Target | null {
    const roster = this.#roster
    roster.update()
    const stuck = this.#stuckTo(call, null)
    if (stuck !== null || roster.usable.length === 0) return stuck
    return this.#pick(call, roster.usable, roster.even)
  }

  /** Other targets, because addresses changed. */
  replace(targets: readonly Target[]): void {
    this.targets = targets
    this.#roster.replace(targets)
    this.#sticky?.replace(targets)
    this.#pick = this.#picker()
    this.#findOnly()
  }

  /** Looks at what changed, without a call. */
  refresh(): void {
    this.#roster.update()
  }

  /** Whether its targets can go out. */
  get watched(): boolean {
    return this.#watched
  }

  mayEject(maxPercent: number): boolean {
    return this.#roster.mayEject(maxPercent)
  }

  #picker(): PickTarget {
    const { balance, hash = noHash } = this.config
    return picker({ balance, hash }, this.targets)
  }

  #findOnly(): void {
    const { usable } = this.#roster
    this.#only = this.#plain && usable.length === 1 ? (usable[0] as Target) : null
  }

  #stuckTo(call: BalanceCall, tried: readonly Target[] | null): Target | null {
    const target = this.#sticky?.find(call) ?? null
    if (target === null || tried?.some(({ owner }) => owner === target) === true) return null
    return this.#roster.panic || target.health === null || target.health.usable ? target : null
  }
}
