import { monotonicMs } from '#base/clock'
import { type ResilienceConfig, upstreamLimitsDefaults } from '#config/resilience-schema'
import { AdaptiveLimit } from './overload/adaptive-limit.ts'
import { Breaker, type BreakerState } from './overload/breaker.ts'
import { Gate } from './overload/gate.ts'
import { createSharedState, openSlot } from './overload/shared-state.ts'
import { type RetryPolicy, retryPolicy } from './retry/policy.ts'

/** What stands between a call and the targets of its upstream; null where nothing is configured. */
export type Guard = {
  readonly retry: RetryPolicy
  readonly breaker: Breaker | null
  readonly gate: Gate | null
}

/** This worker's place among the workers of the process, and what it shares with them. */
export type WorkerPlace = {
  readonly index: number
  readonly count: number
  readonly memory: SharedArrayBuffer
  /** Hears what an operator should know. */
  readonly warn: (message: string) => void
}

/** A worker that is all there is. */
export const alone = (): WorkerPlace => ({ index: 0, count: 1, memory: createSharedState(64), warn: () => {} })

/** How an upstream is doing, as one worker sees it; what is null is not configured. */
export type GuardState = {
  readonly upstream: string
  /** The same for all workers. */
  readonly circuit: BreakerState | null
  readonly circuitOpened: number
  readonly inFlight: number | null
  readonly waiting: number | null
  readonly adaptiveLimit: number | null
  readonly refusals: number
  readonly retries: number
  readonly retriesRefused: number
}

type Kept = { readonly key: string; readonly guard: Guard }

/** Makes the guards of the upstreams of one worker; what they have learnt outlives a configuration that says the same. */
export class GuardRegistry {
  readonly #place: WorkerPlace
  #kept = new Map<string, Kept>()
  #used = new Map<string, Kept>()

  constructor(place: WorkerPlace) {
    this.#place = place
  }

  /** Guards asked for between `begin` and `commit` belong to the new configuration. */
  begin(): void {
    this.#used = new Map()
  }

  commit(): void {
    this.#kept = this.#used
  }

  create(config: ResilienceConfig & { readonly name: string }): Guard {
    const { name, retry, hedge, breaker, limits, concurrency } = config
    const key = JSON.stringify([retry, hedge, breaker, limits, concurrency])
    const known = this.#used.get(name) ?? this.#kept.get(name)
    const kept = known?.key === key ? known : { key, guard: this.#make(config) }
    this.#used.set(name, kept)
    return kept.guard
  }

  #make({ name, retry, hedge, breaker, limits, concurrency }: ResilienceConfig & { readonly name: string }): Guard {
    const { index, count, memory, warn } = this.#place
    const adaptive = concurrency == null ? null : new AdaptiveLimit(concurrency, monotonicMs())
    const gated = limits !== undefined || adaptive !== null
    return {
      retry: retryPolicy(retry, hedge ?? null, count),
      breaker:
        breaker === undefined
          ? null
          : new Breaker(openSlot(memory, `breaker ${name}`, index), breaker, state =>
              warn(`The circuit of upstream ${name} is ${state}`),
            ),
      gate: gated
        ? new Gate({ name, limits: limits ?? upstreamLimitsDefaults, adaptive, memory, worker: index, workers: count })
        : null,
    }
  }

  /** The state of all guards that have one worth telling. */
  states(): GuardState[] {
    return [...this.#kept]
      .map(
        ([
          upstream,
          {
            guard: { retry, breaker, gate },
          },
        ]) => ({
          upstream,
          circuit: breaker?.state ?? null,
          circuitOpened: breaker?.opened ?? 0,
          inFlight: gate?.active ?? null,
          waiting: gate?.waiting ?? null,
          adaptiveLimit: gate?.adaptiveLimit ?? null,
          refusals: gate?.refusals ?? 0,
          retries: retry.budget.allowed,
          retriesRefused: retry.budget.denied,
        }),
      )
      .filter(
        ({ circuit, inFlight, retries, retriesRefused }) =>
          circuit !== null || inFlight !== null || retries + retriesRefused > 0,
      )
  }
}
