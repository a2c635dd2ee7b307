import type { ResilienceConfig } from '#config/resilience-schema'
import { type RetryPolicy, retryPolicy } from './retry/policy.ts'

/** What stands between a call and the targets of its upstream; null where nothing is configured. */
export type Guard = {
  readonly retry: RetryPolicy
}

/** This worker's place among the workers of the process. */
export type WorkerPlace = { readonly index: number; readonly count: number }

/** A worker that is all there is. */
export const alone: WorkerPlace = { index: 0, count: 1 }

/** Makes the guards of the upstreams of one worker; what they have learnt outlives a configuration. */
export class GuardRegistry {
  readonly #place: WorkerPlace

  constructor(place: WorkerPlace) {
    this.#place = place
  }

  create(config: ResilienceConfig): Guard {
    return { retry: retryPolicy(config.retry, config.hedge ?? null, this.#place.count) }
  }
}
