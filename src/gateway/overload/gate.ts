import { monotonicMs } from '#base/clock'
import { GatewayError } from '#base/errors'
import type { UpstreamLimitsConfig } from '#config/resilience-schema'
import type { GatewayCall } from '../gateway-call.ts'
import { type Target, unused } from '../target.ts'
import type { Upstream } from '../upstream.ts'
import type { AdaptiveLimit } from './adaptive-limit.ts'
import { FairQueue } from './fair-queue.ts'
import { Permits } from './permits.ts'
import { openSlot, type SharedSlot, word } from './shared-state.ts'

/** A call that wants to try a target. */
export interface Waiter {
  /** Whose call it is: turns go round over consumers, or addresses of clients. */
  readonly turnKey: string
  /** A target outside of `full`, as long as there is one; null when none may be used. */
  chooseTarget(full: readonly Target[]): Target | null
  /** It may be tried now; `leave` must be called when the try is over. */
  admitted(target: Target): void
  refused(error: GatewayError): void
  /** No target may be used at all. */
  noTarget(): void
}

export type GateOptions = {
  readonly name: string
  readonly limits: UpstreamLimitsConfig
  readonly adaptive: AdaptiveLimit | null
  readonly memory: SharedArrayBuffer
  readonly worker: number
  readonly workers: number
}

const tooMany = (detail: string): GatewayError => new GatewayError('overloaded', { detail })

/**
 * Lets as many calls to the targets of one upstream as its limits allow; the others wait in a bounded queue, one per
 * worker. `requests` and the length of the queue are exact over all workers; `connections` are divided among them, and
 * the adaptive limit is each worker's own.
 */
export class Gate {
  readonly #options: GateOptions
  readonly #shared: SharedSlot
  readonly #permits = new Map<string, Permits>()
  readonly #queue = new FairQueue<Waiter>()
  readonly #deadlines = new Map<Waiter, number>()
  readonly #connections: number
  #active = 0
  #timer: NodeJS.Timeout | null = null
  #pumping = false
  #listening = false
  /** Calls refused since the start. */
  refusals = 0

  constructor(options: GateOptions) {
    this.#options = options
    this.#shared = openSlot(options.memory, `gate ${options.name}`, options.worker)
    const { connections } = options.limits
    this.#connections =
      connections === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(connections / options.workers))
  }

  /** Milliseconds that a call may wait. */
  get patience(): number {
    return this.#options.limits.queueTimeout
  }
  get active(): number {
    return this.#active
  }
  get waiting(): number {
    return this.#queue.size
  }
  /** The adaptive limit of this worker; null where there is none. */
  get adaptiveLimit(): number | null {
    return this.#options.adaptive?.at(monotonicMs()) ?? null
  }

  enter(waiter: Waiter): void {
    if (this.#queue.size === 0 && this.#place(waiter)) return
    const { queue, queueTimeout } = this.#options.limits
    if (!this.#takePlace(queue)) {
      this.#refuse(waiter, tooMany('Too many calls wait for the upstream'))
      return
    }
    this.#queue.push(waiter.turnKey, waiter)
    this.#deadlines.set(waiter, monotonicMs() + queueTimeout)
    if (this.#timer === null) this.#timer = setTimeout(() => this.#expire(), queueTimeout).unref()
    this.#listen()
  }

  /** A target for one more try of a call that has one already; null when that would have to wait. */
  enterAtOnce(upstream: Upstream, call: GatewayCall, busy: readonly Target[]): Target | null {
    let admitted: Target | null = null
    if (this.#queue.size > 0) return null
    this.#place({
      turnKey: '',
      chooseTarget: full => upstream.choose(call, [...busy, ...full]),
      admitted: target => {
        admitted = target
      },
      refused: () => {},
      noTarget: () => {},
    })
    return admitted
  }

  /** A call that waits has gone. */
  remove(waiter: Waiter): void {
    if (this.#queue.remove(waiter)) this.#forget(waiter)
  }

  /** A try is over; `milliseconds` until its answer where that says how fast the upstream is, else -1. */
  leave(target: Target, milliseconds: number): void {
    const { adaptive, limits } = this.#options
    if (adaptive !== null && milliseconds >= 0) adaptive.sample(milliseconds, this.#active, monotonicMs())
    this.#active--
    if (limits.requests !== undefined) this.#permitsOf(target).give()
    const { words } = this.#shared
    const others = Atomics.load(words, word.waiting) - this.#queue.size
    if (others > 0) {
      Atomics.add(words, word.signal, 1)
      Atomics.notify(words, word.signal)
    }
    // Who waits in other workers gets its share of what this one gives back.
    if (this.#queue.size > 0) this.#pumpSoon(others > 0 && Math.random() * (others + this.#queue.size) < others)
  }

  /** False when everything is full; true when the waiter has been told something. */
  #place(waiter: Waiter): boolean {
    const { adaptive, limits } = this.#options
    if (adaptive !== null && this.#active >= adaptive.at(monotonicMs())) return false
    const full: Target[] = []
    for (;;) {
      const target = waiter.chooseTarget(full)
      if (target === null) {
        if (full.length > 0) return false
        waiter.noTarget()
        return true
      }
      if (full.includes(target.owner)) {
        unused(target)
        return false
      }
      const { pool } = target
      const connected = pool.multiplexes || pool.idleCount > 0 || pool.connections.size < this.#connections
      if (connected && (limits.requests === undefined || this.#permitsOf(target).take(limits.requests))) {
        this.#active++
        waiter.admitted(target)
        return true
      }
      unused(target)
      full.push(target.owner)
    }
  }

  #permitsOf({ key }: Target): Permits {
    let permits = this.#permits.get(key)
    if (permits === undefined) {
      const { memory, name, worker } = this.#options
      permits = new Permits(openSlot(memory, `target ${name} ${key}`, worker))
      this.#permits.set(key, permits)
    }
    return permits
  }

  /** Takes a place in the queue, whose length all workers share. */
  #takePlace(limit: number): boolean {
    const { words, worker } = this.#shared
    if (Atomics.add(words, word.waiting, 1) >= limit) {
      Atomics.sub(words, word.waiting, 1)
      return false
    }
    Atomics.add(words, word.waitingAt + worker, 1)
    return true
  }

  #forget(waiter: Waiter): void {
    const { words, worker } = this.#shared
    this.#deadlines.delete(waiter)
    Atomics.sub(words, word.waiting, 1)
    Atomics.sub(words, word.waitingAt + worker, 1)
  }

  #refuse(waiter: Waiter, error: GatewayError): void {
    this.refusals++
    waiter.refused(error)
  }

  /** After the engine has put the connection of the call that left back, or closed it. */
  #pumpSoon(late: boolean): void {
    if (this.#pumping) return
    this.#pumping = true
    const pump = () => {
      this.#pumping = false
      this.#pump()
    }
    if (late) setImmediate(pump)
    else process.nextTick(pump)
  }

  #pump(): void {
    for (let waiter = this.#queue.first(); waiter !== undefined; waiter = this.#queue.first()) {
      if (!this.#place(waiter)) return
      if (this.#queue.first() !== waiter) continue
      this.#queue.shift()
      this.#forget(waiter)
    }
  }

  #expire(): void {
    this.#timer = null
    const now = monotonicMs()
    for (let waiter = this.#queue.oldest(); waiter !== undefined; waiter = this.#queue.oldest()) {
      const deadline = this.#deadlines.get(waiter) as number
      if (deadline > now) {
        this.#timer = setTimeout(() => this.#expire(), deadline - now).unref()
        return
      }
      this.remove(waiter)
      this.#refuse(waiter, tooMany('No target of the upstream became free in time'))
    }
  }

  /** Waits for other workers to give something back, as long as somebody waits here. */
  #listen(): void {
    if (this.#listening || this.#queue.size === 0) return
    this.#listening = true
    const { words } = this.#shared
    const seen = Atomics.load(words, word.signal)
    this.#pump()
    const signal = Atomics.waitAsync(words, word.signal, seen, 1000)
    const again = () => {
      this.#listening = false
      this.#pump()
      this.#listen()
    }
    if (signal.async) void signal.value.then(again)
    else setImmediate(again)
  }
}
