import { z } from 'zod'
import { duration } from '#base/schema'
import type { Call } from '#gateway/call'
import { definePolicy } from '#gateway/contract'
import { getHeader, getHeaders, type HeaderList, isToken, truncate } from '#http/headers'
import { originMatcher, originProblem } from './origins.ts'

const origin = z.string().superRefine((text, context) => {
  const problem = originProblem(text)
  if (problem !== null) context.addIssue(problem)
})

const method = z
  .string()
  .refine(isToken, 'is not a method')
  .refine(name => name === name.toUpperCase(), {
    message: 'must be in upper case: methods are case-sensitive',
  })

const headerName = z.string().refine(isToken, 'is not a header name')

const schema = z
  .strictObject({
    origins: z.array(origin).min(1, 'is empty: name at least one origin, or *').meta({
      description: 'Pages that may call: exact origins, patterns like `https://*.example.com`, or `*` for all.',
    }),
    methods: z
      .array(method)
      .default(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])
      .meta({ description: 'Methods that pages may use.' }),
    headers: z
      .array(headerName)
      .default(['*'])
      .meta({ description: 'Request headers that pages may send; `*` allows whatever the browser asks for.' }),
    exposeHeaders: z.array(headerName).default([]).meta({ description: 'Response headers that pages may read.' }),
    credentials: z
      .boolean()
      .default(false)
      .meta({ description: 'Allow cookies and other credentials; not together with the origin `*`.' }),
    maxAge: duration({ max: '1d', doc: 'How long browsers may remember the answer to a preflight.' }).prefault('10m'),
  })
  .superRefine(({ origins, credentials, exposeHeaders }, context) => {
    const all = origins.includes('*')
    if (all && origins.length > 1)
      context.addIssue({ code: 'custom', path: ['origins'], message: 'holds * beside others: * already allows all' })
    if (all && credentials)
      context.addIssue({
        code: 'custom',
        path: ['credentials'],
        message: 'cannot be allowed for all origins: name the origins that are trusted',
      })
    if (credentials && exposeHeaders.includes('*'))
      context.addIssue({
        code: 'custom',
        path: ['exposeHeaders'],
        message: 'cannot hold * together with credentials: name the headers (Fetch standard, CORS protocol)',
      })
  })

const isTokenList = (text: string): boolean => text.split(',').every(name => isToken(name.trim()))

const addVary = (headers: HeaderList, name: string): void => {
  const present = getHeaders(headers, 'vary').flatMap(value => value.toLowerCase().split(/\s*,\s*/))
  if (!present.includes(name.toLowerCase()) && !present.includes('*')) headers.push('vary', name)
}

/** What the service says about other origins does not count. */
const removeAnswers = (headers: HeaderList): void => {
  let kept = 0
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (name.startsWith('access-control-')) continue
    headers[kept++] = name
    headers[kept++] = headers[i + 1] as string
  }
  truncate(headers, kept)
}

const isPreflight = (call: Call): boolean =>
  call.method === 'OPTIONS' &&
  getHeader(call.headers, 'origin') !== undefined &&
  getHeader(call.headers, 'access-control-request-method') !== undefined

/** The CORS protocol of the Fetch standard (§3.3): the gateway decides, whatever the service behind it says. */
export const cors = definePolicy({
  name: 'cors',
  phase: 'negotiate',
  summary: 'Tells browsers which web pages may call from another origin and answers their preflight requests.',
  schema,
  create(config) {
    const all = config.origins.includes('*')
    const reflect = config.headers.includes('*')
    const isAllowed = originMatcher(config.origins)
    const allowMethods = config.methods.join(', ')
    const allowHeaders = config.headers.join(', ')
    const exposeHeaders = config.exposeHeaders.join(', ')
    const maxAge = String(Math.floor(config.maxAge / 1000))

    /** Fields for one call; kept from the request, because a later policy may change its headers. */
    const fieldsFor = (call: Call): HeaderList => {
      const from = getHeader(call.headers, 'origin')
      if (!all && (from === undefined || !isAllowed(from))) return []
      const fields: HeaderList = ['access-control-allow-origin', all ? '*' : (from as string)]
      if (config.credentials) fields.push('access-control-allow-credentials', 'true')
      if (!isPreflight(call)) {
        if (exposeHeaders !== '') fields.push('access-control-expose-headers', exposeHeaders)
        return fields
      }
      const asked = getHeader(call.headers, 'access-control-request-headers')
      fields.push('access-control-allow-methods', allowMethods, 'access-control-max-age', maxAge)
      if (!reflect) {
        if (allowHeaders !== '') fields.push('access-control-allow-headers', allowHeaders)
      } else if (asked !== undefined && isTokenList(asked)) fields.push('access-control-allow-headers', asked)
      return fields
    }
    const decided = new WeakMap<Call, HeaderList>()

    return {
      request(call, next) {
        if (isPreflight(call)) {
          call.respond(204, reflect ? ['vary', 'Access-Control-Request-Headers'] : [], null)
          return
        }
        decided.set(call, fieldsFor(call))
        return next(call)
      },
      response(call, { headers }) {
        removeAnswers(headers)
        headers.push(...(decided.get(call) ?? fieldsFor(call)))
        if (!all) addVary(headers, 'Origin')
      },
    }
  },
})
