import { z } from 'zod'
import { duration } from '#base/schema'
import { balances, type HashKeyDocument } from './balance-document.ts'
import { complain, count, fieldName, headerValue, lowerCaseFields, token } from './schema-parts.ts'

const cookieName = z.string().regex(token, 'is not a valid cookie name')

/** `header:x-user` → what of a call is hashed. */
const hashKey = z.string().transform((text, context): HashKeyDocument => {
  if (text === 'ip' || text === 'path' || text === 'consumer') return { from: text }
  const [, from, name = ''] = /^(header|cookie):(.+)$/.exec(text) ?? []
  if ((from === 'header' || from === 'cookie') && token.test(name))
    return { from, name: from === 'header' ? name.toLowerCase() : name }
  const suggestion = ['ip', 'path', 'consumer'].find(word => word === text.toLowerCase()) ?? null
  complain(context, { message: 'must be header:<name>, cookie:<name>, ip, path or consumer', suggestion })
  return z.NEVER
})

/** `200-399` or `204`. */
const statusRange = z
  .union([z.string(), z.int()])
  .transform((value, context): [number, number] => {
    const [, from, to = from] = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(String(value)) ?? []
    if (from !== undefined && Number(from) <= Number(to)) return [Number(from), Number(to)]
    complain(context, { message: 'must be a status such as 204, or a range such as 200-399', suggestion: null })
    return z.NEVER
  })
  .meta({ description: 'A status, or a range of them' })

const status = count(400, 599, 'A status of 400 or above')

const active = z.strictObject({
  type: z.enum(['http', 'tcp', 'grpc']).default('http').meta({ description: 'How a target is asked' }),
  path: z
    .string()
    .regex(/^\/[\x21-\x7e]*$/, 'must begin with "/" and hold no spaces')
    .default('/')
    .meta({ description: 'Asked for by http; the base path of the target does not stand before it' }),
  method: z.enum(['GET', 'HEAD', 'OPTIONS']).default('GET').meta({ description: 'Method of http' }),
  headers: z
    .record(fieldName, headerValue)
    .transform((fields, context) => Object.entries(lowerCaseFields(fields, context)).flat())
    .prefault({})
    .meta({ description: 'Header fields of http' }),
  expect: z
    .array(statusRange)
    .min(1)
    .max(20)
    .prefault(['200-399'])
    .meta({ description: 'Statuses of a healthy target' }),
  service: z
    .string()
    .max(256)
    .default('')
    .meta({ description: 'Service that grpc asks about; the server as a whole unless set' }),
  port: count(1, 65_535, '').nullable().default(null).meta({ description: 'Another port than that of the target' }),
  interval: duration({ min: '10ms', max: '1h', doc: 'Time between two checks, give or take a tenth' }).prefault('5s'),
  timeout: duration({ min: '10ms', max: '10m', doc: 'Until a check has failed' }).prefault('2s'),
  healthyAfter: count(1, 100, 'Good checks in a row that bring a target back').default(2),
  unhealthyAfter: count(1, 100, 'Bad checks in a row that take a target out').default(3),
  initial: z
    .enum(['healthy', 'unhealthy'])
    .default('healthy')
    .meta({ description: 'What a target is before it was checked' }),
})

const passive = z.strictObject({
  failures: count(1, 10_000, '')
    .nullable()
    .default(5)
    .meta({ description: 'Failed calls in a row that eject a target; null does not count them' }),
  failureRate: z
    .strictObject({
      percent: count(1, 100, 'Percentage of failed calls that ejects'),
      window: duration({ min: '100ms', max: '1h', doc: 'Time over which calls are counted' }).prefault('30s'),
      minimumCalls: count(1, 1_000_000, 'Fewer calls in the window eject nobody').default(20),
    })
    .nullable()
    .default(null)
    .meta({ description: 'Ejects by the share of failed calls' }),
  statuses: z
    .array(status)
    .max(50)
    .default([502, 503, 504])
    .meta({ description: 'Statuses that are failures, beside broken connections and timeouts' }),
  ejectFor: duration({ min: '10ms', max: '24h', doc: 'How long a target is left out; longer each time' }).prefault(
    '10s',
  ),
  maxEjectFor: duration({ min: '10ms', max: '24h', doc: 'The longest that a target is left out' }).prefault('5m'),
  maxEjectedPercent: count(1, 100, 'No more than this percentage of the targets is ejected').default(50),
})

const health = z
  .strictObject({
    active: active.nullable().default(null).meta({
      description: 'Asks each target by itself, once for all workers and routes',
    }),
    passive: passive.nullable().default(null).meta({
      description: 'What calls show of a target, counted over all workers',
    }),
  })
  .prefault({})
  .meta({ description: 'Which targets are left out' })

/** The keys of an upstream that say how calls are spread over its targets. */
export const balanceShape = {
  balance: z.enum(balances).default('round-robin').meta({ description: 'How a target is chosen' }),
  hash: z
    .strictObject({
      by: hashKey.prefault('ip').meta({ description: 'header:<name>, cookie:<name>, ip, path or consumer' }),
      loadFactor: z
        .number()
        .min(1)
        .max(1000)
        .nullable()
        .default(1.25)
        .transform(factor => factor ?? Number.POSITIVE_INFINITY)
        .meta({ description: 'The most a target gets, as a multiple of its share; null sets no bound' }),
    })
    .prefault({})
    .meta({ description: 'For consistent-hash: what keeps calls together' }),
  sticky: z
    .strictObject({
      cookie: cookieName.default('portico-target').meta({ description: 'Name of the cookie' }),
      ttl: duration({ min: '1s', max: '365d', doc: 'How long it is kept; as long as the browser runs unless set' })
        .optional()
        .transform(ms => ms ?? null),
      secret: z
        .string()
        .min(1)
        .max(512)
        .optional()
        .transform(text => text ?? null)
        .meta({ description: 'Keeps outsiders from guessing addresses out of the cookie; the same on all gateways' }),
    })
    .nullable()
    .default(null)
    .meta({ description: 'Clients stay with their first target by a cookie' }),
  slowStart: duration({
    max: '1h',
    doc: 'How long a target that is new or came back takes to its full share',
  }).prefault('0s'),
  panicThreshold: count(0, 100, 'With fewer usable targets than this percentage all are used; 0 for never').default(50),
  health,
}
