import { z } from 'zod'
import { monotonicMs } from '#base/clock'
import { GatewayError } from '#base/errors'
import { duration } from '#base/schema'
import type { Call } from '#gateway/call'
import { definePolicy } from '#gateway/contract'
import type { LimitDecision, LimitRule } from '#storage/counters'
import { announcement, seconds } from './announce.ts'
import { counterKey } from './counter-key.ts'

const most = 1_000_000_000

const schema = z
  .strictObject({
    limit: z.int().min(1).max(most).meta({ description: 'How many calls may pass in one window.' }),
    window: duration({ min: '1s', max: '30d', doc: 'Length of the window, from `1s` to `30d`.' }),
    by: z
      .string()
      .regex(
        /^(consumer|ip|route|service|header:[!#$%&'*+\-.^_`|~0-9A-Za-z]+)$/,
        'must be consumer, ip, route, service or header:<name>',
      )
      .default('consumer')
      .meta({
        description:
          'Who shares one count: each `consumer` (or client address where there is none), each `ip`, all callers of a ' +
          '`route` or of a `service`, or all calls with the same value of `header:<name>`.',
      }),
    algorithm: z.enum(['gcra', 'sliding-window', 'fixed-window']).default('gcra').meta({
      description: '`gcra` spreads calls evenly after a burst; the windows count calls in the last or current window.',
    }),
    burst: z
      .int()
      .min(1)
      .max(most)
      .optional()
      .meta({ description: 'With `gcra`: how many calls may come at once; the limit itself unless set.' }),
    headers: z
      .enum(['standard', 'legacy', 'both', 'off'])
      .default('standard')
      .meta({
        description:
          'Response headers that tell the caller what is left: `RateLimit` and `RateLimit-Policy`, `X-RateLimit-*` ' +
          '(reset in seconds from now), both, or none.',
      }),
    dryRun: z.boolean().default(false).meta({ description: 'Count and announce, but refuse nobody.' }),
    name: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores')
      .default('default')
      .meta({ description: 'Name of this limit in the response headers.' }),
    onStoreError: z
      .enum(['allow', 'deny'])
      .default('allow')
      .meta({ description: 'What happens to calls while the counters cannot be reached; `deny` answers 503.' }),
  })
  .superRefine((config, context) => {
    if (config.burst !== undefined && config.algorithm !== 'gcra')
      context.addIssue({ code: 'custom', path: ['burst'], message: 'has a meaning only with algorithm: gcra' })
  })

const refusal = (decision: LimitDecision): GatewayError =>
  new GatewayError('rate-limited', {
    detail: 'The limit of calls is used up for now.',
    headers: ['retry-after', String(Math.max(1, seconds(decision.retryAfterMs)))],
  })

const storeFailure = (cause: unknown): GatewayError =>
  new GatewayError('overloaded', {
    detail: 'The limit of calls cannot be checked at the moment.',
    headers: ['retry-after', '1'],
    cause,
  })

export const rateLimit = definePolicy({
  name: 'rate-limit',
  phase: 'limit',
  summary: 'Lets only so many calls pass in a span of time and answers 429 to the rest.',
  schema,
  create(config, context) {
    const { limit, window: windowMs, algorithm, burst = limit, dryRun, onStoreError } = config
    const rule: LimitRule = { algorithm, limit, windowMs, burst }
    const keyOf = counterKey(config.by, context)
    const announce = announcement(config)

    const obey = (call: Call, decision: LimitDecision): void => {
      announce?.(call, decision)
      if (!decision.allowed && !dryRun) throw refusal(decision)
    }
    const withoutStore = (error: unknown): void => {
      if (onStoreError === 'deny') throw storeFailure(error)
    }

    return {
      request(call, next) {
        let decision: LimitDecision | Promise<LimitDecision>
        try {
          decision = context.counters.take(rule, keyOf(call), 1, monotonicMs())
        } catch (error) {
          withoutStore(error)
          return next(call)
        }
        if (decision instanceof Promise)
          return decision.then(found => obey(call, found), withoutStore).then(() => next(call))
        obey(call, decision)
        return next(call)
      },
    }
  },
})
