import { monotonicMs } from '#base/clock'
import { GatewayError } from '#base/errors'
import type { GatewayCall } from '../gateway-call.ts'
import type { Target } from '../target.ts'
import { noTarget } from '../try.ts'
import type { Upstream } from '../upstream.ts'
import type { Gate, Waiter } from './gate.ts'

export type AdmissionOptions = {
  readonly call: GatewayCall
  readonly upstream: Upstream
  readonly tried: readonly Target[] | null
  /** monotonicMs() when the whole call must be over. */
  readonly deadline: number
  readonly admitted: (target: Target) => void
  readonly refused: (error: GatewayError) => void
}

/** One call at the gate of its upstream, for one try. */
export class Admission implements Waiter {
  readonly #gate: Gate
  readonly #options: AdmissionOptions
  #timer: NodeJS.Timeout | null = null
  #settled = false

  constructor(gate: Gate, options: AdmissionOptions) {
    this.#gate = gate
    this.#options = options
  }

  enter(): void {
    this.#gate.enter(this)
    if (this.#settled) return
    const left = this.#options.deadline - monotonicMs()
    if (left < this.#gate.patience) this.#timer = setTimeout(() => this.#giveUp(), left)
  }

  /** The call has gone; nothing is heard of it any more. */
  cancel(): void {
    if (this.#settled) return
    this.#settle()
    this.#gate.remove(this)
  }

  get turnKey(): string {
    const { consumer, clientAddress } = this.#options.call
    return consumer?.name ?? clientAddress
  }

  chooseTarget(full: readonly Target[]): Target | null {
    const { upstream, call, tried } = this.#options
    return upstream.choose(call, full.length === 0 ? tried : [...(tried ?? []), ...full])
  }

  admitted(target: Target): void {
    this.#settle()
    this.#options.admitted(target)
  }

  refused(error: GatewayError): void {
    this.#settle()
    this.#options.refused(error)
  }

  noTarget(): void {
    this.refused(noTarget(this.#options.upstream))
  }

  #giveUp(): void {
    this.cancel()
    this.#options.refused(
      new GatewayError('upstream-timeout', { detail: 'No target of the upstream became free in time' }),
    )
  }

  #settle(): void {
    this.#settled = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}
