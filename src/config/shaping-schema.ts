import { z } from 'zod'
import { compilePattern, patternProblem } from '#base/pattern/pattern'
import { duration, size } from '#base/schema'
import { checkHost } from './addresses.ts'
import { cookieConditions, headerConditions, patternText, queryConditions } from './condition-schema.ts'
import type { RedirectDocument, RewriteDocument, WrittenRespond } from './document.ts'
import type { Fault } from './paths.ts'
import { checked, complain, count, fieldName, headerValue, lowerCaseFields } from './schema-parts.ts'
import { checkPathTemplate, checkRedirectTemplate, checkReplacement, templateNames } from './templates.ts'

const percent = (description: string) => z.number().min(0).max(100).multipleOf(0.01).meta({ description })

const upstreamName = z.string().meta({ description: 'Name of one of the upstreams of the service' })

const branch = z
  .strictObject({
    upstream: upstreamName,
    percent: percent('Share of the calls that meet no condition, in percent').default(0),
    when: z
      .strictObject({
        headers: headerConditions,
        cookies: cookieConditions,
        query: queryConditions,
        groups: z.array(z.string()).max(100).default([]).meta({ description: 'Groups of the consumer' }),
      })
      .optional()
      .meta({ description: 'Calls that meet any of these go here, whatever the shares are' }),
  })
  .superRefine(({ percent: share, when }, context) => {
    const conditions = [when?.headers, when?.cookies, when?.query, when?.groups].flatMap(one => Object.keys(one ?? {}))
    if (share === 0 && conditions.length === 0)
      complain(context, {
        message: 'takes no call: give it a percent above 0, or a condition under "when"',
        suggestion: null,
      })
  })
  .meta({ description: 'One upstream and the calls that go there' })

/** `split` of a service or route. */
export const splitSchema = z
  .strictObject({
    to: z
      .array(branch)
      .min(1)
      .max(20)
      .superRefine((branches, context) => {
        const sum = branches.reduce((total, { percent: share }) => total + Math.round(share * 100), 0)
        if (sum > 10_000) complain(context, { message: `take ${sum / 100} percent together`, suggestion: null })
      })
      .meta({ description: 'Where a part of the calls goes; the rest goes to `upstream`' }),
    stickyBy: z
      .string()
      .regex(
        /^(?:consumer|ip|(?:header|cookie):[!#$%&'*+\-.^_`|~0-9A-Za-z]+)$/,
        'must be consumer, ip, header:<name> or cookie:<name>',
      )
      .nullable()
      .default(null)
      .meta({ description: 'What is always sent the same way, unless shares change; nothing when not set' }),
  })
  .meta({ description: 'Sends a part of the calls to other upstreams of the service' })

/** `mirror` of a service or route. */
export const mirrorSchema = z
  .strictObject({
    upstream: upstreamName,
    percent: percent('Share of the calls that are copied').default(100),
    compare: z
      .boolean()
      .default(false)
      .meta({ description: 'Compare status, headers and body of both answers, and log what differs' }),
    headers: z
      .array(fieldName.toLowerCase())
      .max(50)
      .default(['content-type'])
      .meta({ description: 'Header fields of the answers that are compared' }),
    maxBody: size({ max: '16mb', doc: 'Calls with a larger body are not copied' }).prefault('64kb'),
    concurrency: count(1, 10_000, 'Copies under way at a time for each worker; calls above are not copied').default(50),
    timeout: duration({ min: '1ms', max: '10m', doc: 'After which a copy is given up' }).prefault('10s'),
  })
  .meta({ description: 'Sends a copy of calls to another upstream, whose answers are thrown away' })

const host = z.string().superRefine((text, context) => {
  const wrong = checkHost(text.toLowerCase())
  if (wrong !== null) complain(context, wrong)
  else if (text.includes('*')) complain(context, { message: 'must be one host', suggestion: null })
})

/** `rewrite` of a route. */
export const rewriteSchema = z
  .strictObject({
    path: checked(
      checkPathTemplate,
      'Path for the upstream: {name} of the route’s path, {rest} for what is below it',
    ).optional(),
    regex: patternText(
      'Regular expression found in the path; linear time, so no look-around or back references',
    ).optional(),
    to: z.string().optional().meta({ description: 'With regex: path for the upstream, $1 to $9 for its groups' }),
    host: host.optional().meta({ description: 'Host the upstream is asked for' }),
  })
  .superRefine(({ path, regex, to, host: name }, context) => {
    const say = (message: string, at: string[] = []) => complain(context, { message, suggestion: null }, at)
    if (path !== undefined && regex !== undefined) say('has path and regex: give one')
    else if (to !== undefined && regex === undefined) say('needs "regex" beside it', ['to'])
    else if (regex !== undefined && to === undefined) say('needs "to" beside it', ['regex'])
    else if (path === undefined && regex === undefined && name === undefined)
      say('changes nothing: give path, regex or host')
    if (regex === undefined || to === undefined || patternProblem(regex) !== null) return
    const wrong = checkReplacement(to, compilePattern(regex).groups)
    if (wrong !== null) complain(context, wrong, ['to'])
  })
  .transform(
    ({ path = null, regex = null, to = null, host: name = null }): RewriteDocument => ({ path, regex, to, host: name }),
  )
  .meta({ description: 'Changes what the upstream is asked for' })

const redirectStatus = z
  .union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)])
  .default(302)
  .meta({ description: 'Status of the answer' })

/** `redirect` of a route. */
export const redirectSchema = z
  .union([
    z.literal('https'),
    z.strictObject({
      to: checked(checkRedirectTemplate, 'URL or path; {host}, {path}, {rest}, {query} and {name} of the route’s path'),
      status: redirectStatus,
      keepQuery: z
        .boolean()
        .default(true)
        .meta({ description: 'Append the query of the call where {query} is not used' }),
    }),
  ])
  .transform((written): RedirectDocument => written)
  .meta({ description: 'Answers with another place; "https" does so for calls without TLS, and lets the others pass' })

const bodyless = (status: number): boolean => status === 204 || status === 205 || status === 304

/** `respond` of a route. */
export const respondSchema = z
  .strictObject({
    status: z.int().min(200).max(599).default(200).meta({ description: 'Status of the answer' }),
    headers: z
      .record(fieldName, headerValue)
      .transform(lowerCaseFields)
      .superRefine((fields, context) => {
        for (const name of ['content-length', 'transfer-encoding', 'connection', 'trailer', 'upgrade', 'keep-alive'])
          if (Object.hasOwn(fields, name))
            complain(context, { message: 'is set by the gateway itself', suggestion: null }, [name])
      })
      .prefault({})
      .meta({ description: 'Header fields of the answer' }),
    body: z.string().max(1_048_576).optional().meta({ description: 'The answer as text' }),
    json: z.unknown().optional().meta({ description: 'The answer as a value, sent as JSON' }),
    file: z
      .string()
      .min(1)
      .optional()
      .meta({ description: 'Text file with the answer, at most 1 MB; path relative to this file' }),
  })
  .superRefine(({ status, body, json, file }, context) => {
    const given = Object.entries({ body, json, file }).flatMap(([key, value]) => (value === undefined ? [] : [key]))
    const fault = (message: string): Fault => ({ message, suggestion: null })
    if (given.length > 1) complain(context, fault(`has ${given.join(' and ')}: give one`))
    else if (given.length > 0 && bodyless(status))
      complain(context, fault(`has a body that an answer with ${status} cannot have`))
  })
  .transform((written): WrittenRespond => written)
  .meta({ description: 'Answers the call itself' })

type Together = {
  path: string
  stripPrefix: string | null
  rewrite?: RewriteDocument | undefined
  split?: unknown
  mirror?: unknown
  redirect?: RedirectDocument | undefined
  respond?: unknown
}

const known = ['host', 'path', 'query', 'rest']

/** What of a route cannot stand together, and names that its path does not have. */
export const checkTogether = (route: Together, context: z.core.$RefinementCtx): void => {
  const { path, stripPrefix, rewrite, redirect, respond } = route
  const say = (message: string, at: string[]) => complain(context, { message, suggestion: null }, at)
  const moves = redirect !== undefined && redirect !== 'https'
  if (moves && respond !== undefined) say('cannot stand beside redirect', ['respond'])
  for (const key of ['rewrite', 'split', 'mirror'] as const)
    if (route[key] !== undefined && (moves || respond !== undefined))
      say(`has no effect beside ${moves ? 'redirect' : 'respond'}, which answers the call`, [key])
  if (rewrite !== undefined && stripPrefix !== null && (rewrite.path !== null || rewrite.regex !== null))
    say('cannot stand beside a rewrite of the path', ['stripPrefix'])
  const own = templateNames(path)
  const unknown = (text: string, also: readonly string[], at: string[]) => {
    const name = templateNames(text).find(one => !own.includes(one) && !also.includes(one))
    if (name !== undefined) say(`has {${name}}, which the path of the route does not have`, at)
  }
  if (rewrite?.path) unknown(rewrite.path, ['rest'], ['rewrite', 'path'])
  if (moves) unknown(redirect.to, known, ['redirect', 'to'])
}
