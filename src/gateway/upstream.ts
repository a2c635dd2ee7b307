import type { ResilienceConfig } from '#config/resilience-schema'
import { Pool } from '#http/client'
import type { HeaderList } from '#http/headers'
import type { TimerWheel } from '#http/timer-wheel'
import { type Choose, chooser } from './balance/choose.ts'
import type { GatewayCall } from './gateway-call.ts'
import { alone, type Guard, GuardRegistry } from './guard.ts'
import { Target } from './target.ts'

export type { BalanceCall, Outcome } from './target.ts'
export { Target }

export type UpstreamConfig = ResilienceConfig & {
  /** Stable name; the pools of targets with the same URL and settings survive a reload. */
  readonly name: string
  readonly targets: readonly { readonly url: string; readonly weight: number }[]
  readonly balance: 'round-robin' | 'least-requests' | 'random-two'
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
  /** Send the client's Host instead of the target's. */
  readonly preserveHost: boolean
  /** Fields added to every request, e.g. provider credentials; lower-case names. */
  readonly headers: HeaderList
}

/** A set of targets behind one name. */
export interface Upstream {
  readonly name: string
  readonly config: UpstreamConfig
  readonly targets: readonly Target[]
  readonly guard: Guard
  /** Chooses the target of the next try; avoids those in `tried` while another is there. Null: nothing is usable. */
  readonly choose: Choose
  /** Told of the response head that goes to the client, and of the target that sent it; null where nobody asks. */
  readonly onAnswer: ((call: GatewayCall, target: Target, status: number) => void) | null
}

const idlePoolMs = 30_000
const maxResponseHead = 131_072
const maxResponseFields = 256

/** The connection pools of one worker; they outlive a configuration as long as the next one names the same origin. */
export class UpstreamRegistry {
  readonly #wheel: TimerWheel
  readonly #guards: GuardRegistry
  #pools = new Map<string, Pool>()
  #used = new Map<string, Pool>()

  constructor(wheel: TimerWheel, guards: GuardRegistry = new GuardRegistry(alone)) {
    this.#wheel = wheel
    this.#guards = guards
  }

  get pools(): IterableIterator<Pool> {
    return this.#pools.values()
  }

  /** Pools asked for between `begin` and `commit` belong to the new configuration. */
  begin(): void {
    this.#used = new Map()
  }

  /** Closes the pools that the new configuration no longer names; running calls finish on them. */
  commit(): void {
    for (const [origin, pool] of this.#pools) if (!this.#used.has(origin)) pool.close()
    this.#pools = this.#used
  }

  /** Forgets what was made since `begin`: the old configuration stays. */
  rollback(): void {
    for (const [origin, pool] of this.#used) if (!this.#pools.has(origin)) pool.close()
  }

  create(config: UpstreamConfig): Upstream {
    const targets = config.targets.map(({ url, weight }) => this.#target(url, weight))
    const guard = this.#guards.create(config)
    return { name: config.name, config, targets, guard, choose: chooser(config.balance, targets), onAnswer: null }
  }

  #target(text: string, weight: number): Target {
    const url = new URL(text)
    const pool = this.#pool(url)
    const basePath = url.pathname === '/' ? '' : url.pathname.replace(/\/$/, '')
    return new Target({ url: text, authority: url.host, basePath, weight, pool })
  }

  #pool(url: URL): Pool {
    const known = this.#used.get(url.origin) ?? this.#pools.get(url.origin)
    const pool = known ?? new Pool(this.#poolOptions(url))
    this.#used.set(url.origin, pool)
    return pool
  }

  #poolOptions(url: URL) {
    const secure = url.protocol === 'https:'
    const host = url.hostname.replace(/^\[|\]$/g, '')
    return {
      origin: {
        host,
        port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
        tls: secure ? { servername: /^[0-9.]+$|:/.test(host) ? '' : host, rejectUnauthorized: true } : null,
      },
      wheel: this.#wheel,
      idleTimeout: idlePoolMs,
      maxHead: maxResponseHead,
      maxFields: maxResponseFields,
    }
  }
}
