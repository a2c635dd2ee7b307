import { z } from 'zod'
import { duration, size } from '#base/schema'
import { count } from './schema-parts.ts'

const conditions = ['connect', 'reset', 'timeout'] as const

const condition = z.union([z.enum(conditions), z.int().min(400).max(599)])

// RFC 9110 §9.2.2, and QUERY (RFC 10008 §2).
const idempotentMethods = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE', 'QUERY']

/** `retry` of an upstream: what is tried again, when, and how often at most. */
export const retrySchema = z
  .strictObject({
    attempts: count(0, 10, 'Additional tries after the first').default(2),
    on: z
      .array(condition)
      .max(50)
      .optional()
      .meta({
        description:
          'What a try is repeated after: connect, reset, timeout, or a status of 400–599. ' +
          'Unless set: connect, reset, 502, 503, 504, and timeout where perTryTimeout is set',
      }),
    methods: z
      .array(z.string().transform(method => method.toUpperCase()))
      .max(50)
      .default(idempotentMethods)
      .meta({
        description:
          'Methods that may be repeated after they were sent; what was never sent is repeated with any method',
      }),
    perTryTimeout: duration({ min: '1ms', max: '24h', doc: 'Until one try has the head of its response' }).optional(),
    backoff: z
      .strictObject({
        base: duration({ max: '1m', doc: 'Longest wait before the first repetition; it doubles with each' }).prefault(
          '25ms',
        ),
        max: duration({ max: '10m', doc: 'Longest wait before any repetition, also for Retry-After' }).prefault('1s'),
      })
      .prefault({})
      .meta({ description: 'Random waits between tries (full jitter)' }),
    budget: z
      .strictObject({
        percent: z.number().min(0).max(100).default(20).meta({ description: 'Repetitions per hundred calls' }),
        minimum: count(0, 1_000_000, 'Repetitions per second that are always allowed').default(10),
      })
      .prefault({})
      .meta({ description: 'How many repetitions an upstream gets at most, over the last ten seconds' }),
    bufferBody: size({ max: '16mb', doc: 'Bodies up to this size are kept so that they can be sent again' }).optional(),
  })
  .prefault({})
  .meta({ description: 'What is tried again: unsent requests with any method, others where that does no harm' })

/** `hedge` of an upstream. */
export const hedgeSchema = z
  .strictObject({
    after: duration({ min: '1ms', max: '1h', doc: 'How long a try may take before another one joins it' }),
    max: count(1, 4, 'Tries that may join the first').default(1),
  })
  .meta({
    description:
      'Tries at other targets when the first one is slow: the first response counts. For the methods of retry.methods ' +
      'without a body, within retry.budget',
  })

/** `breaker` of an upstream. */
export const breakerSchema = z
  .strictObject({
    failureRate: z.number().min(1).max(100).default(50).meta({ description: 'Percentage of failures that opens it' }),
    minimumCalls: count(1, 1_000_000, 'Calls within the window before the rate counts').default(20),
    window: duration({ min: '1s', max: '10m', doc: 'How far back calls count' }).prefault('10s'),
    openFor: duration({
      min: '100ms',
      max: '1h',
      doc: 'How long calls are refused before some are let through',
    }).prefault('10s'),
    halfOpenCalls: count(1, 1000, 'Calls that must succeed to close it again').default(3),
  })
  .meta({
    description:
      'Refuses calls at once (503, circuit-open) while most of them fail: errors, timeouts, and statuses of 500 and above',
  })

/** `limits` of an upstream. */
export const upstreamLimitsSchema = z
  .strictObject({
    requests: count(1, 1_000_000, 'Calls in flight per target, over all workers').optional(),
    connections: count(1, 1_000_000, 'HTTP/1.1 connections per target; each worker has an equal share').optional(),
    queue: count(0, 1_000_000, 'Calls that may wait for a target, over all workers').default(100),
    queueTimeout: duration({ min: '1ms', max: '10m', doc: 'How long a call may wait' }).prefault('5s'),
  })
  .meta({ description: 'How much an upstream is given at a time; the rest waits, fairly between consumers' })

const adaptive = z
  .strictObject({
    min: count(1, 1_000_000, 'Calls in flight that are always allowed').default(4),
    max: count(1, 1_000_000, 'Calls in flight that are never exceeded').default(1000),
    initial: count(1, 1_000_000, 'Calls in flight at the beginning; 20 within min and max unless set').optional(),
    tolerance: z
      .number()
      .min(1)
      .max(10)
      .default(1.5)
      .meta({ description: 'How many times the usual latency is still taken for health' }),
  })
  .superRefine(({ min, max, initial }, context) => {
    if (min > max) context.addIssue({ code: 'custom', path: ['min'], message: `must not be above max (${max})` })
    else if (initial !== undefined && (initial < min || initial > max))
      context.addIssue({ code: 'custom', path: ['initial'], message: `must be between min (${min}) and max (${max})` })
  })
  .transform(({ initial = 20, ...rest }) => ({ ...rest, initial: Math.min(Math.max(initial, rest.min), rest.max) }))

/** `concurrency` of an upstream. */
export const concurrencySchema = z
  .strictObject({
    adaptive: z
      .union([z.boolean(), adaptive])
      .default(true)
      .meta({ description: 'true, or an object that changes the details' })
      .transform(value => (value === true ? adaptive.parse({}) : value === false ? null : value)),
  })
  .transform(value => value.adaptive)
  .meta({
    description: 'Finds out how many calls the upstream can take at a time, from its latency; each worker for itself',
  })

/** `keepAlive` of an upstream. */
export const keepAliveSchema = z
  .strictObject({
    idle: duration({ min: '100ms', max: '24h', doc: 'How long an unused connection is kept' }).prefault('30s'),
    requests: count(1, 1_000_000_000, 'Requests after which a connection is closed (HTTP/1.1)').optional(),
    age: duration({
      min: '100ms',
      max: '30d',
      doc: 'Age after which a connection is used no more (HTTP/1.1)',
    }).optional(),
  })
  .meta({ description: 'How long connections to the targets are used' })

export type KeepAliveConfig = z.output<typeof keepAliveSchema>
export type RetryConfig = z.output<typeof retrySchema>
export type HedgeConfig = z.output<typeof hedgeSchema>
export type BreakerConfig = z.output<typeof breakerSchema>
export type UpstreamLimitsConfig = z.output<typeof upstreamLimitsSchema>
export type AdaptiveConfig = z.output<typeof adaptive>

/** How an upstream is protected; all parts are optional but `retry`. */
export type ResilienceConfig = {
  readonly retry: Partial<RetryConfig>
  readonly hedge?: HedgeConfig | undefined
  readonly breaker?: BreakerConfig | undefined
  readonly limits?: UpstreamLimitsConfig | undefined
  readonly concurrency?: AdaptiveConfig | null | undefined
  readonly keepAlive?: KeepAliveConfig | undefined
}

/** What `retry` is where nothing else is said. */
export const retryDefaults: RetryConfig = retrySchema.parse({})

/** What `limits` is where only adaptive concurrency is asked for. */
export const upstreamLimitsDefaults: UpstreamLimitsConfig = upstreamLimitsSchema.parse({})
