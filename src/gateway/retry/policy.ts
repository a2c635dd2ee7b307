import type { GatewayError } from '#base/errors'
import { type HedgeConfig, type RetryConfig, retryDefaults } from '#config/resilience-schema'
import { RetryBudget } from './budget.ts'

/** When a call to an upstream is tried again; made once per configuration. */
export type RetryPolicy = {
  readonly attempts: number
  readonly connect: boolean
  readonly reset: boolean
  readonly timeout: boolean
  readonly statuses: ReadonlySet<number>
  readonly methods: ReadonlySet<string>
  /** Milliseconds until one try has its response head; Infinity unless set. */
  readonly perTryTimeout: number
  readonly backoffBase: number
  readonly backoffMax: number
  /** Bytes of a streamed body that are kept; 0 for none. */
  readonly bufferBody: number
  readonly hedge: HedgeConfig | null
  readonly budget: RetryBudget
}

const usual: RetryConfig['on'] = ['connect', 'reset', 502, 503, 504]

/** Compiles `retry` and `hedge` of an upstream for one of `workers` workers. */
export const retryPolicy = (written: Partial<RetryConfig>, hedge: HedgeConfig | null, workers: number): RetryPolicy => {
  const config = { ...retryDefaults, ...written }
  const on = config.on ?? (config.perTryTimeout === undefined ? usual : [...usual, 'timeout' as const])
  return {
    attempts: config.attempts,
    connect: on.includes('connect'),
    reset: on.includes('reset'),
    timeout: on.includes('timeout'),
    statuses: new Set(on.filter(condition => typeof condition === 'number')),
    methods: new Set(config.methods),
    perTryTimeout: config.perTryTimeout ?? Number.POSITIVE_INFINITY,
    backoffBase: config.backoff.base,
    backoffMax: config.backoff.max,
    bufferBody: config.bufferBody ?? 0,
    hedge,
    budget: new RetryBudget(config.budget.percent, config.budget.minimum, workers),
  }
}

/** Whether nothing of a request can have reached the service that failed with `error`. */
export const neverSent = ({ code, retry }: GatewayError): boolean => retry === 'yes' || code === 'upstream-tls'

/** Whether the policy repeats a try that ended with `error`, given that the request itself may be sent again. */
export const repeatsAfter = (policy: RetryPolicy, error: GatewayError): boolean => {
  if (neverSent(error)) return policy.connect
  if (error.code === 'upstream-timeout') return policy.timeout
  return error.code === 'upstream-closed' && policy.reset
}
