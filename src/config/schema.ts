import { createHash } from 'node:crypto'
import { z } from 'zod'
import { duration, size } from '#base/schema'
import { checkAddressBlock } from './addresses.ts'
import { cookieConditions, headerConditions, queryConditions } from './condition-schema.ts'
import { dnsSchema } from './dns-schema.ts'
import { minimumRateSchema, processLimitsShape } from './overload-schema.ts'
import { checkRoutePath, checkStripPrefix, type Fault } from './paths.ts'
import { checked, complain, count, lowerCaseHost, token } from './schema-parts.ts'
import {
  checkTogether,
  mirrorSchema,
  redirectSchema,
  respondSchema,
  rewriteSchema,
  splitSchema,
} from './shaping-schema.ts'
import { tlsSchema } from './tls-schema.ts'
import { upstreamSchema } from './upstream-schema.ts'

const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

const checkName = (text: string): Fault | null => {
  if (namePattern.test(text)) return null
  const better = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
  const message = 'must be at most 63 lower-case letters, digits and dashes, without a dash at the ends'
  return { message, suggestion: namePattern.test(better) ? better : null }
}

const name = (description: string) => checked(checkName, description)

const label = (description: string) =>
  z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$/, 'must be letters, digits and . _ @ + - (at most 128)')
    .meta({ description })

// RFC 9110 §9, RFC 5789, and WebDAV's; others are allowed with a warning.
export const knownMethods =
  'GET HEAD POST PUT PATCH DELETE OPTIONS TRACE QUERY PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK'.split(' ')

const method = z
  .string()
  .regex(token, 'is not an HTTP method')
  .transform((text, context) => {
    const upper = text.toUpperCase()
    if (upper === 'CONNECT') complain(context, { message: 'CONNECT is not served by a gateway', suggestion: null })
    return upper
  })

const distinct = (texts: string[]): string[] => (texts.length < 2 ? texts : [...new Set(texts)])

export const routeSchema = z
  .strictObject({
    name: name('Name of the route within its service; part of its id').optional(),
    path: checked(checkRoutePath, 'Matches itself and everything below it; {name} stands for any one segment'),
    methods: z.array(method).max(50).default([]).transform(distinct).meta({ description: 'All methods when empty' }),
    hosts: z
      .array(lowerCaseHost)
      .max(1000)
      .default([])
      .transform(distinct)
      .meta({ description: 'All hosts when empty; *.example.com stands for every host below example.com' }),
    headers: headerConditions,
    query: queryConditions,
    cookies: cookieConditions,
    stripPrefix: z
      .string()
      .nullable()
      .default(null)
      .meta({ description: 'Beginning of the path that the upstream does not see' }),
    encodedSlashes: z
      .enum(['reject', 'keep'])
      .default('reject')
      .meta({ description: 'What to do with %2F and %5C in the path: refuse the call, or forward them as data' }),
    rewrite: rewriteSchema.optional(),
    split: splitSchema.optional(),
    mirror: mirrorSchema.optional(),
    redirect: redirectSchema.optional(),
    respond: respondSchema.optional(),
    policies: z.unknown().optional().meta({ description: 'Policies of this route' }),
  })
  .superRefine((route, context) => {
    const { path, stripPrefix } = route
    const wrong = stripPrefix === null ? null : checkStripPrefix(stripPrefix, path)
    if (wrong !== null) complain(context, wrong, ['stripPrefix'])
    checkTogether(route, context)
  })

const serviceShape = {
  name: name('Unique name of the service'),
  upstream: upstreamSchema.optional(),
  upstreams: z
    .record(name('Name of an upstream'), upstreamSchema)
    .optional()
    .meta({ description: 'Further upstreams, for split and mirror' }),
  split: splitSchema.optional(),
  mirror: mirrorSchema.optional(),
  contract: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .meta({ description: 'OpenAPI 3 document of the service; path relative to this file' }),
  policies: z.unknown().optional().meta({ description: 'Policies of all routes of this service' }),
}

/** A service whose routes are decoded one by one, so that a mistake in one does not hide those in others. */
export const serviceSchema = z.strictObject({ ...serviceShape, routes: z.array(z.unknown()).default([]) })

/** The same for people and editors. */
export const wholeServiceSchema = z.strictObject({
  ...serviceShape,
  routes: z.array(routeSchema).default([]).meta({ description: 'Taken from the contract when there are none' }),
})

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

const key = z
  .strictObject({
    secret: z
      .string()
      .min(1)
      .max(512)
      .regex(/^[\x21-\x7e]*$/, 'must be visible ASCII characters without spaces')
      .meta({ description: 'The key in plain text; only its hash is kept' })
      .optional(),
    sha256: z
      .string()
      .regex(/^[0-9A-Fa-f]{64}$/, 'must be the SHA-256 of the key: 64 hexadecimal digits')
      .meta({ description: 'SHA-256 of the key as 64 hexadecimal digits' })
      .optional(),
  })
  .transform(({ secret, sha256: hash }, context) => {
    if ((secret === undefined) === (hash === undefined)) {
      complain(context, { message: 'must have either "secret" or "sha256"', suggestion: null })
    }
    return secret === undefined ? (hash ?? '').toLowerCase() : sha256(secret)
  })

/** `keys` decodes to hashes: the plain text of a key goes no further than this schema. */
export const consumerSchema = z
  .strictObject({
    name: label('Unique name of the consumer; upstreams see it'),
    groups: z.array(label('Name of a group')).default([]).transform(distinct).meta({ description: 'Groups it is in' }),
    keys: z.array(key).default([]).meta({ description: 'Keys it may present' }),
  })
  .meta({ description: 'A person or program that calls the gateway' })

const accessLog = (text: string): Fault | null => {
  if (text === 'off' || text === 'stdout' || /[./\\]/.test(text)) return null
  const suggestion = ['off', 'stdout'].find(word => word === text.toLowerCase()) ?? `./${text}`
  return { message: 'must be off, stdout, or the path of a file such as ./access.log', suggestion }
}

const settingsShape = {
  trustedProxies: z
    .array(checked(checkAddressBlock, 'Address or CIDR block'))
    .default([])
    .meta({ description: 'Proxies whose x-forwarded-* fields and request ids are believed' }),
  timeouts: z
    .strictObject({
      requestHead: duration({ min: '1ms', max: '10m', doc: 'Until the head of a request is complete' }).prefault('10s'),
      idle: duration({ min: '1ms', max: '24h', doc: 'How long an unused client connection is kept' }).prefault('60s'),
      drain: duration({ max: '24h', doc: 'How long calls in flight may go on at shutdown' }).prefault('30s'),
      drainDelay: duration({
        max: '1h',
        doc: 'How long new calls are still served at shutdown, so that load balancers can see that it is no longer ready',
      }).prefault('0s'),
      stall: duration({
        max: '24h',
        doc: 'How long a worker thread may do nothing but one thing before it is replaced; 0s for never',
      }).prefault('30s'),
    })
    .prefault({})
    .meta({ description: 'How long clients may take' }),
  limits: z
    .strictObject({
      head: size({ min: '1kb', max: '1mb', doc: 'Size of a request head' }).prefault('64kb'),
      headers: count(1, 10_000, 'Number of header fields of a request').default(128),
      target: size({ min: '64b', max: '1mb', doc: 'Size of a request target' }).prefault('16kb'),
      connections: count(1, 10_000_000, 'Number of client connections at a time, over all workers').default(20_000),
      http2: z
        .strictObject({
          streams: count(1, 10_000, 'Calls at a time on one connection').default(128),
          resets: count(1, 100_000, 'Calls per second that a connection may take back or break').default(100),
        })
        .optional()
        .meta({ description: 'Limits of connections that speak HTTP/2' }),
      ...processLimitsShape,
    })
    .prefault({})
    .meta({ description: 'How much clients may ask for' }),
  dns: dnsSchema,
  minimumRate: minimumRateSchema,
  tls: tlsSchema.optional(),
  accessLog: checked(accessLog, 'off, stdout, or the path of a file').default('off'),
  calls: z
    .strictObject({ keep: count(0, 1_000_000_000, 'Rows that are kept; 0 keeps no call log').default(200_000) })
    .prefault({})
    .meta({ description: 'The call log' }),
}

export const settingsSchema = z.strictObject({
  ...settingsShape,
  policies: z.unknown().optional().meta({ description: 'Policies of all routes' }),
})

/** The top of the file; its parts are decoded one by one with the schemas above. */
export const rootShape = {
  version: z.literal(1).meta({ description: 'Version of this format' }),
  settings: z.unknown().optional(),
  services: z.array(z.unknown()).default([]),
  consumers: z.array(z.unknown()).default([]),
}
