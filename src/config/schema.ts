import { createHash } from 'node:crypto'
import { z } from 'zod'
import { duration, size } from '#base/schema'
import { checkAddressBlock, checkHost, readTargetUrl } from './addresses.ts'
import { checkRoutePath, checkStripPrefix, type Fault } from './paths.ts'

const complain = (context: z.core.$RefinementCtx, { message, suggestion }: Fault, path: (string | number)[] = []) =>
  context.addIssue({ code: 'custom', message, params: { suggestion }, path })

/** Text that `check` finds nothing wrong with. */
const checked = (check: (text: string) => Fault | null, description: string) =>
  z
    .string()
    .superRefine((text, context) => {
      const wrong = check(text)
      if (wrong !== null) complain(context, wrong)
    })
    .meta({ description })

const count = (minimum: number, maximum: number, description: string) =>
  z.int().min(minimum).max(maximum).meta({ description })

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

// RFC 9110 §5.6.2 and §5.5
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/

/** Framing and the connection belong to the gateway (RFC 9110 §7.6.1, RFC 9112 §6). */
const ownFields = new Set(
  'connection content-length expect host keep-alive proxy-connection te trailer transfer-encoding upgrade'.split(' '),
)

const fieldName = z.string().regex(token, 'is not a valid header name')

const sentFieldName = fieldName.superRefine((field, context) => {
  if (!ownFields.has(field.toLowerCase())) return
  const hint = field.toLowerCase() === 'host' ? ' (see preserveHost)' : ''
  context.addIssue(`is set by the gateway itself${hint}`)
})

/** Header fields with lower-case names; a name may stand there once, in whatever case. */
const lowerCaseFields = (fields: Record<string, string>, context: z.core.$RefinementCtx): Record<string, string> => {
  const lower: Record<string, string> = {}
  for (const [field, value] of Object.entries(fields)) {
    const key = field.toLowerCase()
    if (Object.hasOwn(lower, key)) complain(context, { message: 'is there twice', suggestion: null }, [field])
    lower[key] = value
  }
  return lower
}

const headerValue = z.string().regex(fieldValue, 'has a character that a header cannot hold')

const sentHeaders = z
  .record(sentFieldName, headerValue)
  .transform((fields, context) => Object.entries(lowerCaseFields(fields, context)).flat())
  .meta({ description: 'Header fields added to every request, e.g. credentials of the upstream' })

const target = z
  .strictObject({
    url: z
      .string()
      .meta({ description: 'http or https, host, optional port and base path' })
      .transform((text, context) => {
        const read = readTargetUrl(text)
        if ('url' in read) return read.url
        complain(context, read)
        return z.NEVER
      }),
    weight: count(0, 1000, 'Share of the traffic in relation to the other targets').default(1),
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

const balances = ['round-robin', 'least-requests', 'random-two'] as const
const plannedBalances: unknown[] = ['peak-ewma', 'consistent-hash']

const upstreamSchema = z
  .strictObject({
    targets,
    balance: z
      .enum(balances, {
        error: issue =>
          plannedBalances.includes(issue.input)
            ? `${issue.input} is not supported by this version: it has ${balances.join(', ')}`
            : undefined,
      })
      .default('round-robin')
      .meta({ description: 'How a target is chosen' }),
    timeouts: z
      .strictObject({
        connect: duration({ min: '1ms', max: '10m', doc: 'Until the connection stands' }).prefault('2s'),
        response: duration({ min: '1ms', max: '24h', doc: 'Until the head of the response is there' }).prefault('30s'),
        // Streams may last for hours, so only the user can know a sensible end.
        total: duration({ min: '1ms', max: '24h', doc: 'Until the response is complete; no limit unless set' })
          .optional()
          .transform(ms => ms ?? Number.POSITIVE_INFINITY),
      })
      .prefault({})
      .meta({ description: 'How long an upstream may take' }),
    retry: z
      .strictObject({ attempts: count(0, 10, 'Additional tries after the first').default(2) })
      .prefault({})
      .meta({ description: 'What is tried again: unsent requests always, idempotent ones on 502, 503 and 504' }),
    preserveHost: z
      .boolean()
      .default(false)
      .meta({ description: 'Send the Host of the client, not that of the target' }),
    headers: sentHeaders.prefault({}),
  })
  .meta({ description: 'Where the calls of the service go' })

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

const distinct = (texts: string[]): string[] => [...new Set(texts)]

export const routeSchema = z
  .strictObject({
    name: name('Name of the route within its service; part of its id').optional(),
    path: checked(checkRoutePath, 'Matches itself and everything below it; {name} stands for any one segment'),
    methods: z.array(method).max(50).default([]).transform(distinct).meta({ description: 'All methods when empty' }),
    hosts: z
      .array(
        z.string().transform((text, context) => {
          const host = text.toLowerCase()
          const wrong = checkHost(host)
          if (wrong !== null) complain(context, wrong)
          return host
        }),
      )
      .max(1000)
      .default([])
      .transform(distinct)
      .meta({ description: 'All hosts when empty; *.example.com stands for every host below example.com' }),
    headers: z
      .record(fieldName, headerValue)
      .transform(lowerCaseFields)
      .prefault({})
      .meta({ description: 'Header fields a request must have: exact value, or * for any' }),
    query: z
      .record(z.string().min(1), z.string())
      .default({})
      .meta({ description: 'Query parameters a request must have: exact value, or * for any' }),
    stripPrefix: z
      .string()
      .nullable()
      .default(null)
      .meta({ description: 'Beginning of the path that the upstream does not see' }),
    encodedSlashes: z
      .enum(['reject', 'keep'])
      .default('reject')
      .meta({ description: 'What to do with %2F and %5C in the path: refuse the call, or forward them as data' }),
    policies: z.unknown().optional().meta({ description: 'Policies of this route' }),
  })
  .superRefine(({ path, stripPrefix }, context) => {
    const wrong = stripPrefix === null ? null : checkStripPrefix(stripPrefix, path)
    if (wrong !== null) complain(context, wrong, ['stripPrefix'])
  })

const serviceShape = {
  name: name('Unique name of the service'),
  upstream: upstreamSchema,
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
    })
    .prefault({})
    .meta({ description: 'How long clients may take' }),
  limits: z
    .strictObject({
      head: size({ min: '1kb', max: '1mb', doc: 'Size of a request head' }).prefault('64kb'),
      headers: count(1, 10_000, 'Number of header fields of a request').default(128),
      target: size({ min: '64b', max: '1mb', doc: 'Size of a request target' }).prefault('16kb'),
      connections: count(1, 10_000_000, 'Number of client connections at a time').default(20_000),
    })
    .prefault({})
    .meta({ description: 'How much clients may ask for' }),
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
