import { mayBeTimeoutOf } from '#base/clock'
import type { GatewayError } from '#base/errors'
import type { Pool } from '#http/client'
import type { HeaderList } from '#http/headers'
import type { TargetLoad } from './balance/target-load.ts'
import type { TargetHealth } from './health/target-health.ts'

/**
 * How one try at a target ended: `ok` with a whole response, whatever its status; `error` with a broken or invalid one;
 * `timeout` after the connection stood; `connect` before it did; `cancelled` for reasons that say nothing of the target.
 */
export type Outcome = 'ok' | 'error' | 'timeout' | 'connect' | 'cancelled'

/** What of a call the choice of a target may depend on. */
export type BalanceCall = {
  readonly headers: HeaderList
  readonly clientAddress: string
  readonly path: string
  readonly consumer: { readonly name: string } | null
}

export type TargetOptions = {
  readonly url: string
  readonly authority: string
  readonly basePath: string
  /** Key of its endpoint, and the name that a sticky cookie gives it. */
  readonly key: string
  readonly weight: number
  readonly priority: number
  readonly address: string | null
  readonly pool: Pool
  readonly load: TargetLoad
  readonly health: TargetHealth | null
}

/** One address of an upstream. Pool, load and health are shared by all upstreams that name the same origin. */
export class Target {
  readonly url: string
  /** `host:port` as sent in Host. */
  readonly authority: string
  /** Path of the URL, put before the forwarded path; empty for none. */
  readonly basePath: string
  readonly key: string
  /** Share of the traffic by configuration (and DNS). */
  readonly weight: number
  /** Of several groups only the usable one with the lowest number is called (RFC 2782). */
  readonly priority: number
  /** The address that its host name resolved to; null for the name itself. */
  readonly address: string | null
  readonly pool: Pool
  readonly load: TargetLoad
  /** Null where health is not configured. */
  readonly health: TargetHealth | null
  /** The weight that counts now: less than `weight` while the target starts slowly. */
  share: number
  /** State of the smooth round robin. */
  turn = 0
  /** The target itself, or the one that a trial stands for. */
  readonly owner: Target
  readonly #options: TargetOptions
  #trial: Target | null = null

  constructor(options: TargetOptions, owner: Target | null = null) {
    this.#options = options
    this.url = options.url
    this.authority = options.authority
    this.basePath = options.basePath
    this.key = options.key
    this.weight = options.weight
    this.priority = options.priority
    this.address = options.address
    this.pool = options.pool
    this.load = options.load
    this.health = options.health
    this.share = options.weight
    this.owner = owner ?? this
  }

  /** Tries under way in this worker. */
  get active(): number {
    return this.load.active
  }

  /** The same target for the one call that decides whether it comes back. */
  get trial(): Target {
    this.#trial ??= new Target(this.#options, this)
    return this.#trial
  }

  get isTrial(): boolean {
    return this.owner !== this
  }

  /** A try starts. */
  begin(): void {
    this.load.active++
  }

  /** The head of a response is there: a trial needs no more to decide, however long the body takes. */
  answered(status: number): void {
    if (this.isTrial) this.health?.endTrial('ok', status)
  }

  /**
   * A try that began has ended: called exactly once for each. `milliseconds` is the time to the response head, or to the
   * failure; `status` is 0 without a response. Which statuses count as failures is the upstream's configuration.
   */
  end(outcome: Outcome, milliseconds: number, status: number): void {
    const { load, health } = this
    load.active--
    if (load.latency !== null && outcome !== 'cancelled') load.latency.observe(milliseconds, outcome !== 'ok')
    if (health === null) return
    if (this.owner === this) health.observe(outcome, status)
    else health.endTrial(outcome, status)
  }
}

/** What an error of the engine says about the target that was tried. `deadline` is when the caller gave up, if it said so. */
export const outcomeOf = ({ code, retry }: GatewayError, deadline: number | undefined): Outcome => {
  if (code === 'upstream-timeout' && deadline !== undefined && mayBeTimeoutOf(deadline)) return 'cancelled'
  // A connection that was kept and closed under the request: every idle connection ends so one day.
  if (retry === 'if-reused') return 'cancelled'
  if (retry === 'yes' || code === 'upstream-tls') return 'connect'
  return code === 'upstream-timeout' ? 'timeout' : 'error'
}

/** A target that was chosen, but not tried: where its trial was to be decided by this call, another one decides it. */
export const unused = (target: Target): void => {
  if (target.isTrial) target.health?.endTrial('cancelled', 0)
}
