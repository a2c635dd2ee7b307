import { monotonicMs } from '#base/clock'
import type { TimerWheel } from '#http/timer-wheel'
import { discoveryKey, endpointKey, type ResolvedAddress, readPlace } from '../endpoint.ts'
import { originOf } from '../origin.ts'
import { checkKey, stateKey, targetName } from '../target-keys.ts'
import type { UpstreamEvent } from '../upstream-registry.ts'
import { Ejection } from './ejection.ts'
import { type Check, HealthChecks } from './health-checks.ts'
import { HealthTable } from './health-table.ts'
import type { WatchedTarget, WatchPlan } from './watch-plan.ts'

export type TargetWatchOptions = {
  readonly memory: SharedArrayBuffer
  readonly wheel: TimerWheel
  readonly onEvent: (event: UpstreamEvent) => void
}

/** Finds out about targets on behalf of all workers: runs their checks, and keeps the table of their states tidy. */
export class TargetWatch {
  readonly #table: HealthTable
  readonly #checks: HealthChecks
  readonly #onEvent: (event: UpstreamEvent) => void
  #plan: WatchPlan = []
  #addresses: ReadonlyMap<string, readonly ResolvedAddress[]> = new Map()

  constructor({ memory, wheel, onEvent }: TargetWatchOptions) {
    this.#table = new HealthTable(memory)
    this.#onEvent = onEvent
    this.#checks = new HealthChecks(wheel, (kind, { target, upstreams }, problem) => {
      for (const upstream of upstreams)
        onEvent({ kind, upstream, target, details: problem === null ? {} : { problem } })
    })
  }

  /** The configuration that is served now. */
  apply(plan: WatchPlan): void {
    this.#plan = plan
    this.#update()
  }

  /** The addresses that host names have now. */
  resolve(addresses: ReadonlyMap<string, readonly ResolvedAddress[]>): void {
    this.#addresses = addresses
    this.#update()
  }

  close(): void {
    this.#checks.close()
  }

  #update(): void {
    const now = monotonicMs()
    const named = new Set<number>()
    const checks = new Map<string, Check>()
    for (const target of this.#plan) for (const part of this.#expand(target, now, named)) this.#merge(checks, part)
    this.#checks.update([...checks.values()])
    this.#table.sweep(named, now)
  }

  #merge(checks: Map<string, Check>, part: Check): void {
    const known = checks.get(part.key)
    if (known === undefined) checks.set(part.key, part)
    else
      checks.set(part.key, {
        ...known,
        upstreams: [...new Set([...known.upstreams, ...part.upstreams])],
        ejections: [...known.ejections, ...part.ejections],
      })
  }

  /** The checks of one target, one for each of its addresses; notes all slots that it uses. */
  #expand(target: WatchedTarget, now: number, named: Set<number>): Check[] {
    const { upstream, url, active } = target
    const place = readPlace(url, target.host, target.tls)
    const known = place.discovery === 'none' ? undefined : this.#addresses.get(discoveryKey(place))
    const panic = this.#table.open(`panic\n${upstream}`, now)
    if (panic !== null) named.add(panic.index)
    return (known ?? (place.discovery === 'srv' ? [] : [null])).flatMap(address => {
      const endpoint = endpointKey(place, address)
      const name = targetName(url, address)
      const state = this.#table.open(stateKey(endpoint, target), now)
      if (state === null) this.#onEvent({ kind: 'no-room', upstream, target: name, details: {} })
      else named.add(state.index)
      if (active === null) return []
      const key = checkKey(`${target.protocol} ${endpoint}`, place.authority, active)
      const slot = this.#table.open(key, now, active.initial === 'unhealthy' ? 1 : 0)
      if (slot === null) return []
      named.add(slot.index)
      const ejections =
        target.passive === null || state === null
          ? []
          : [
              new Ejection({
                slot: state,
                rules: target.passive,
                checked: true,
                mayEject: () => false,
                onEvent: () => this.#onEvent({ kind: 'returned', upstream, target: name, details: {} }),
              }),
            ]
      const { protocol } = target
      const checkPlace = { origin: originOf(place, address), authority: place.authority, protocol }
      return [{ key, place: checkPlace, rules: active, slot, target: name, upstreams: [upstream], ejections }]
    })
  }
}
