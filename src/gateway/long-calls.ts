import type { GatewayError } from '#base/errors'
import type { TimerWheel } from '#http/timer-wheel'
import type { GatewayCall } from './gateway-call.ts'
import type { Route, Snapshot } from './snapshot.ts'

/** A call that may go on for hours: a tunnel, or a stream of events. It must be able to end before its time. */
export interface LongCall {
  readonly call: GatewayCall
  /** The gateway shuts down: ends so that the client can go on elsewhere, if it is that kind of call. */
  goAway(): void
  /** The call is no longer allowed. */
  revoke(error: GatewayError): void
}

/** The long calls of one worker, whichever snapshot they began with. */
export class LongCalls {
  readonly wheel: TimerWheel
  readonly #calls = new Set<LongCall>()
  #leaving = false

  constructor(wheel: TimerWheel) {
    this.wheel = wheel
  }

  get size(): number {
    return this.#calls.size
  }

  add(call: LongCall): void {
    this.#calls.add(call)
    if (this.#leaving) call.goAway()
  }

  remove(call: LongCall): void {
    this.#calls.delete(call)
  }

  /** From now on every long call, also one that begins later, is asked to end. */
  goAway(): void {
    this.#leaving = true
    for (const call of this.#calls) call.goAway()
  }

  /**
   * Asks the policies of the new configuration whether they still let each call be. The policies that a call met are
   * asked where its route is gone: removing a route stops new calls only, but a revoked key always counts. A call that
   * goes on belongs to the new configuration from now on: else each old one would stay in memory as long as its calls.
   */
  recheck(snapshot: Snapshot): void {
    if (this.#calls.size === 0) return
    const routes = new Map<string, Route>(snapshot.routes.map(route => [route.id, route]))
    for (const long of this.#calls) {
      const { call } = long
      const now = call.route === null ? undefined : routes.get(call.route.id)
      const error = (now ?? call.route)?.recheck?.(call, snapshot.consumers) ?? null
      if (error !== null) long.revoke(error)
      else if (now !== undefined) {
        call.route = now
        call.snapshot = snapshot
      }
    }
  }
}
