import { monotonicMs } from '#base/clock'
import { Pool } from '#http/client'
import type { TimerWheel } from '#http/timer-wheel'
import { TargetLoad } from './balance/target-load.ts'
import { discoveryKey, endpointKey, type ResolvedAddress, readPlace, type TargetPlace } from './endpoint.ts'
import { alone, GuardRegistry } from './guard.ts'
import { Ejection } from './health/ejection.ts'
import type { HealthTable, Slot } from './health/health-table.ts'
import { TargetHealth } from './health/target-health.ts'
import { originOf } from './origin.ts'
import { Target } from './target.ts'
import { addressText, checkKey, stateKey, targetName } from './target-keys.ts'
import { BalancedUpstream, type UpstreamConfig } from './upstream.ts'

/** Something about the targets of an upstream that whoever runs the gateway wants to know. */
export type UpstreamEvent = {
  readonly kind: 'ejected' | 'returned' | 'unhealthy' | 'healthy' | 'panic' | 'calm' | 'no-room' | 'tls'
  readonly upstream: string
  /** URL and address; empty when it is about the upstream as a whole. */
  readonly target: string
  readonly details: Readonly<Record<string, unknown>>
}

export type RegistryOptions = {
  /** Shared state of all targets; without one there is no health and no slow start. */
  readonly table?: HealthTable
  readonly onEvent?: (event: UpstreamEvent) => void
}

const tlsEventMs = 10_000
const idlePoolMs = 30_000
const maxResponseHead = 131_072
const maxResponseFields = 256

const isDiscovered = ({ targets }: UpstreamConfig): boolean =>
  targets.some(({ url }) => readPlace(url, null).discovery !== 'none')

/** One address of a target as it is configured and resolved. */
type GivenTarget = {
  readonly url: string
  readonly weight: number
  readonly place: TargetPlace
  readonly address: ResolvedAddress | null
}

/**
 * The upstreams of one worker with their connection pools, which outlive a configuration as long as the next one
 * names the same origin.
 */
export class UpstreamRegistry {
  readonly #wheel: TimerWheel
  readonly #guards: GuardRegistry
  readonly #table: HealthTable | null
  readonly #announces: boolean
  readonly #onEvent: (event: UpstreamEvent) => void
  #pools = new Map<string, Pool>()
  #loads = new Map<string, TargetLoad>()
  #live: BalancedUpstream[] = []
  #next: BalancedUpstream[] = []
  #addresses = new Map<string, readonly ResolvedAddress[]>()

  constructor(wheel: TimerWheel, guards = new GuardRegistry(alone()), { table, onEvent }: RegistryOptions = {}) {
    this.#wheel = wheel
    this.#guards = guards
    this.#table = table ?? null
    this.#announces = onEvent !== undefined
    this.#onEvent = onEvent ?? (() => {})
  }

  get pools(): IterableIterator<Pool> {
    return this.#pools.values()
  }

  /** The upstreams of the configuration that is served. */
  get upstreams(): readonly BalancedUpstream[] {
    return this.#live
  }

  /** Upstreams made between `begin` and `commit` belong to the new configuration. */
  begin(): void {
    this.#next = []
    this.#guards.begin()
  }

  /** Closes the pools that the new configuration no longer names; running calls finish on them. */
  commit(): void {
    this.#live = this.#next
    this.#next = []
    this.#guards.commit()
    this.#sweep()
  }

  /** Forgets what was made since `begin`: the old configuration stays. */
  rollback(): void {
    this.#next = []
    this.#sweep()
  }

  create(config: UpstreamConfig): BalancedUpstream {
    const { health, slowStart = 0 } = config
    const watched = slowStart > 0 || (health !== undefined && (health.active !== null || health.passive !== null))
    const upstream: BalancedUpstream = new BalancedUpstream({
      config,
      targets: this.#expand(config, () => upstream),
      guard: this.#guards.create(config),
      table: watched ? this.#table : null,
      onPanic: (panic, usable, all) => {
        if (!this.#announces) return
        // All workers see it; one tells.
        const slot = this.#table?.open(`panic\n${config.name}`, 0) ?? null
        if (slot?.change(panic ? 0 : 1, panic ? 1 : 0) === true)
          this.#onEvent({ kind: panic ? 'panic' : 'calm', upstream: config.name, target: '', details: { usable, all } })
      },
    })
    this.#next.push(upstream)
    return upstream
  }

  /** New addresses of host names: targets that go are called no more, those that stay keep all they have. */
  resolve(addresses: ReadonlyMap<string, readonly ResolvedAddress[]>): void {
    this.#addresses = new Map(addresses)
    for (const upstream of [...this.#live, ...this.#next]) {
      if (!isDiscovered(upstream.config)) continue
      const targets = this.#expand(upstream.config, () => upstream)
      const known = new Map(upstream.targets.map(target => [target.key, target]))
      const merged = targets.map(target => {
        const old = known.get(target.key)
        return old !== undefined && old.weight === target.weight && old.priority === target.priority ? old : target
      })
      if (merged.length !== known.size || merged.some((target, index) => target !== upstream.targets[index]))
        upstream.replace(merged)
    }
    this.#sweep()
  }

  #expand(config: UpstreamConfig, upstream: () => BalancedUpstream): Target[] {
    return config.targets.flatMap(({ url, weight, host }) => {
      const place = readPlace(url, host ?? null, config.tls)
      const known = place.discovery === 'none' ? undefined : this.#addresses.get(discoveryKey(place))
      // Until the first answer of DNS the system resolves the name; SRV records it cannot find.
      const addresses = known ?? (place.discovery === 'srv' ? [] : [null])
      return addresses.map(address => this.#target(config, { url, weight, place, address }, upstream))
    })
  }

  #target(config: UpstreamConfig, given: GivenTarget, upstream: () => BalancedUpstream): Target {
    const { url, weight, place, address } = given
    const endpoint = endpointKey(place, address)
    let load = this.#loads.get(endpoint)
    if (load === undefined) this.#loads.set(endpoint, (load = new TargetLoad()))
    if (config.balance === 'peak-ewma') load.measureLatency()
    const text = addressText(address)
    return new Target({
      url,
      authority: place.authority,
      basePath: place.basePath,
      key: text === null ? url : `${url}|${text}`,
      weight: weight * (address?.weight ?? 1),
      priority: address?.priority ?? 0,
      address: text,
      pool: this.#pool(config, endpoint, place, address),
      load,
      health: this.#health(config, given, upstream),
    })
  }

  #health(config: UpstreamConfig, given: GivenTarget, upstream: () => BalancedUpstream): TargetHealth | null {
    const table = this.#table
    const { url, place, address } = given
    const { health, slowStart = 0 } = config
    const active = health?.active ?? null
    const passive = health?.passive ?? null
    if (table === null || (active === null && passive === null && slowStart === 0)) return null
    const now = monotonicMs()
    const endpoint = endpointKey(place, address)
    const target = targetName(url, address)
    const slot = table.open(stateKey(endpoint, { passive, slowStart }), now)
    if (slot === null) return null
    const check: Slot | null =
      active === null
        ? null
        : table.open(
            checkKey(`${config.protocol ?? 'h1'} ${endpoint}`, place.authority, active),
            now,
            active.initial === 'unhealthy' ? 1 : 0,
          )
    const ejection =
      passive === null
        ? null
        : new Ejection({
            slot,
            rules: passive,
            checked: active !== null,
            mayEject: () => upstream().mayEject(passive.maxEjectedPercent),
            onEvent: (kind, milliseconds) =>
              this.#onEvent({
                kind,
                upstream: config.name,
                target,
                details: kind === 'ejected' ? { milliseconds } : {},
              }),
          })
    return new TargetHealth(slot, check, ejection)
  }

  #pool(config: UpstreamConfig, endpoint: string, place: TargetPlace, address: ResolvedAddress | null): Pool {
    const { protocol = 'h1', keepAlive } = config
    const key = `${protocol} ${endpoint}${keepAlive === undefined ? '' : JSON.stringify(keepAlive)}`
    let pool = this.#pools.get(key)
    if (pool === undefined) {
      pool = new Pool({
        origin: originOf(place, address),
        protocol,
        wheel: this.#wheel,
        ...(place.secure &&
          this.#announces && { onTlsError: this.#tlsTeller(config.name, `https://${place.authority}`) }),
        idleTimeout: keepAlive?.idle ?? idlePoolMs,
        maxRequests: keepAlive?.requests,
        maxAge: keepAlive?.age,
        maxHead: maxResponseHead,
        maxFields: maxResponseFields,
      })
      this.#pools.set(key, pool)
    }
    return pool
  }

  /** Tells of failed TLS connections of one pool, now and then: each call may make one. */
  #tlsTeller(upstream: string, target: string): (error: NodeJS.ErrnoException) => void {
    let last = Number.NEGATIVE_INFINITY
    return error => {
      const now = monotonicMs()
      if (now - last < tlsEventMs) return
      last = now
      const reason = error.code === undefined ? error.message : `${error.code}: ${error.message}`
      this.#onEvent({ kind: 'tls', upstream, target, details: { reason: reason.split('\n')[0] } })
    }
  }

  /** Closes pools and forgets loads that no upstream uses any more. */
  #sweep(): void {
    const targets = [...this.#live, ...this.#next].flatMap(upstream => upstream.targets)
    const pools = new Set(targets.map(target => target.pool))
    const loads = new Set(targets.map(target => target.load))
    for (const [key, pool] of this.#pools) {
      if (pools.has(pool)) continue
      this.#pools.delete(key)
      pool.close()
    }
    for (const [key, load] of this.#loads) if (!loads.has(load)) this.#loads.delete(key)
  }
}
