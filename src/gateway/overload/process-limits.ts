import { GatewayError } from '#base/errors'
import type { ProcessLimitsConfig } from '#config/overload-schema'
import type { PaceRules } from '#http/pace'
import type { Connection, ConnectionSet } from '#http/server'
import { unsentLimit } from '#http/unsent'
import type { WorkerPlace } from '../guard.ts'
import { MemoryWatch } from './memory-watch.ts'
import { Permits } from './permits.ts'
import { openSlot } from './shared-state.ts'

/** Connections of this worker; `total` are those of all. */
class SharedConnections extends Set<Connection> implements ConnectionSet {
  readonly #permits: Permits

  constructor(permits: Permits) {
    super()
    this.#permits = permits
  }

  get total(): number {
    return this.#permits.held
  }

  override add(connection: Connection): this {
    if (!this.has(connection)) this.#permits.take(Number.POSITIVE_INFINITY)
    return super.add(connection)
  }

  override delete(connection: Connection): boolean {
    const had = super.delete(connection)
    if (had) this.#permits.give()
    return had
  }
}

const mostUnsent = 262_144
/** What a socket holds by itself: it says `drain` only above that, and whoever was told to wait below would wait for ever. */
const leastUnsent = 65_536
const shareEveryMs = 200
const sweepEveryMs = 1_000

/** What all clients together may ask of the process: connections, calls in flight, memory, bytes they are slow to take. */
export class ProcessLimits {
  readonly connections: ConnectionSet
  readonly #requests: Permits
  readonly #memory = new MemoryWatch()
  readonly #workers: number
  #limits: ProcessLimitsConfig = {}
  #timer: NodeJS.Timeout | null = null
  #sweep: NodeJS.Timeout | null = null
  /** Whether a call must be asked for at all. */
  active = false
  /** Calls refused since the start. */
  refusals = 0

  constructor({ memory, index, count }: WorkerPlace) {
    this.connections = new SharedConnections(new Permits(openSlot(memory, 'process connections', index)))
    this.#requests = new Permits(openSlot(memory, 'process requests', index))
    this.#workers = count
  }

  apply(limits: ProcessLimitsConfig, minimumRate: PaceRules): void {
    this.#applyPace(minimumRate)
    this.#limits = limits
    this.active = limits.requests !== undefined || limits.memory !== undefined
    this.#memory.set(limits.memory ?? null)
    if (limits.buffered !== undefined) this.#timer ??= setInterval(() => this.#share(), shareEveryMs).unref()
    else if (this.#timer !== null) {
      clearInterval(this.#timer)
      this.#timer = null
      unsentLimit.bytes = mostUnsent
    }
  }

  /** Takes a new call in: `counted` when `leave` must be told of its end; an error when there is no room for it. */
  enter(): GatewayError | 'counted' | 'uncounted' {
    if (this.#memory.exceeded) return this.#refuse('The gateway has no memory left for more calls')
    const { requests } = this.#limits
    if (requests === undefined) return 'uncounted'
    return this.#requests.take(requests) ? 'counted' : this.#refuse('The gateway has too many calls in flight')
  }

  leave(): void {
    this.#requests.give()
  }

  #applyPace(rules: PaceRules): void {
    if (this.#sweep !== null) clearInterval(this.#sweep)
    this.#sweep = null
    if (rules.request === 0 && rules.response === 0) return
    this.#sweep = setInterval(() => {
      const now = performance.now()
      for (const connection of [...this.connections]) connection.checkPace(rules, now)
    }, sweepEveryMs).unref()
  }

  close(): void {
    this.#memory.close()
    if (this.#sweep !== null) clearInterval(this.#sweep)
    if (this.#timer !== null) clearInterval(this.#timer)
  }

  #refuse(detail: string): GatewayError {
    this.refusals++
    return new GatewayError('overloaded', { detail })
  }

  /** Each connection may have an equal part of what may be unsent in all. */
  #share(): void {
    const { buffered } = this.#limits
    if (buffered === undefined) return
    const share = buffered / this.#workers / Math.max(1, this.connections.size)
    unsentLimit.bytes = Math.max(leastUnsent, Math.min(mostUnsent, Math.floor(share)))
  }
}
