import { z } from 'zod'
import { duration } from '#base/schema'
import { readTargetUrl } from './addresses.ts'
import { balanceShape } from './balance-schema.ts'
import {
  breakerSchema,
  concurrencySchema,
  hedgeSchema,
  keepAliveSchema,
  retrySchema,
  upstreamLimitsSchema,
} from './resilience-schema.ts'
import { complain, count, fieldName, headerValue, lowerCaseFields } from './schema-parts.ts'
import { upstreamTlsSchema } from './tls-schema.ts'

/** Framing and the connection belong to the gateway (RFC 9110 §7.6.1, RFC 9112 §6). */
const ownFields = new Set(
  'connection content-length expect host keep-alive proxy-connection te trailer transfer-encoding upgrade'.split(' '),
)

const sentFieldName = fieldName.superRefine((field, context) => {
  if (!ownFields.has(field.toLowerCase())) return
  const hint = field.toLowerCase() === 'host' ? ' (see preserveHost)' : ''
  context.addIssue(`is set by the gateway itself${hint}`)
})

const sentHeaders = z
  .record(sentFieldName, headerValue)
  .transform((fields, context) => Object.entries(lowerCaseFields(fields, context)).flat())
  .meta({ description: 'Header fields added to every request, e.g. credentials of the upstream' })

const target = z
  .strictObject({
    url: z
      .string()
      .meta({ description: 'http or https, host, optional port and base path; unix:/PATH; or srv+http://NAME' })
      .transform((text, context) => {
        const read = readTargetUrl(text)
        if ('url' in read) return read.url
        complain(context, read)
        return z.NEVER
      }),
    weight: count(0, 1000, 'Share of the traffic in relation to the other targets').default(1),
    host: z
      .string()
      .regex(/^[\x21-\x2e\x30-\x3e\x40-\x7e]{1,255}$/, 'is not a host')
      .optional()
      .meta({ description: 'Sent as Host instead of that of the URL; localhost for sockets unless set' }),
  })
  .meta({ description: 'One server of the upstream' })

const targets = z
  .array(target)
  .min(1)
  .max(1000)
  .superRefine((list, context) => {
    const seen = new Set<string>()
    for (const [index, { url }] of list.entries()) {
      if (seen.has(url)) complain(context, { message: 'is there twice', suggestion: null }, [index, 'url'])
      seen.add(url)
    }
    if (list.length > 0 && list.every(({ weight }) => weight === 0)) {
      complain(context, { message: 'have no weight above 0 among them', suggestion: null })
    }
  })
  .meta({ description: 'The servers that calls are spread over' })

/** `upstream` of a service. */
export const upstreamSchema = z
  .strictObject({
    targets,
    ...balanceShape,
    timeouts: z
      .strictObject({
        connect: duration({ min: '1ms', max: '10m', doc: 'Until the connection stands' }).prefault('2s'),
        response: duration({ min: '1ms', max: '24h', doc: 'Until the head of the response is there' }).prefault('30s'),
        // Streams may last for hours, so only the user can know a sensible end.
        total: duration({ min: '1ms', max: '24h', doc: 'Until the response is complete; no limit unless set' })
          .optional()
          .transform(ms => ms ?? Number.POSITIVE_INFINITY),
        idle: duration({
          min: '1ms',
          max: '24h',
          doc: 'Between two pieces of a response; as response unless set, and no limit for event streams',
        }).optional(),
      })
      .prefault({})
      .meta({ description: 'How long an upstream may take' }),
    retry: retrySchema,
    hedge: hedgeSchema.optional(),
    breaker: breakerSchema.optional(),
    limits: upstreamLimitsSchema.optional(),
    keepAlive: keepAliveSchema.optional(),
    concurrency: concurrencySchema.optional(),
    protocol: z
      .enum(['auto', 'h1', 'h2'])
      .default('auto')
      .meta({ description: 'HTTP/1.1, HTTP/2 (without TLS too), or what https targets choose and HTTP/1.1 for http' }),
    tls: upstreamTlsSchema.optional(),
    preserveHost: z
      .boolean()
      .default(false)
      .meta({ description: 'Send the Host of the client, not that of the target' }),
    headers: sentHeaders.prefault({}),
  })
  .meta({ description: 'Where the calls of the service go' })
