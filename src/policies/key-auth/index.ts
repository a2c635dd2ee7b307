import { z } from 'zod'
import { GatewayError } from '#base/errors'
import type { Call } from '#gateway/call'
import { definePolicy } from '#gateway/contract'
import { isToken } from '#http/headers'
import { pieceName, pieceValue, splitQuery } from '#policies/query-string'
import { findConsumer, keyIndex } from './key-index.ts'

const schema = z.strictObject({
  header: z
    .string()
    .refine(isToken, 'is not a header name: use letters, digits and dashes')
    .transform(name => name.toLowerCase())
    .prefault('x-api-key')
    .meta({
      description: 'Header that carries the key. `Authorization: Bearer` and `x-goog-api-key` are accepted too.',
    }),
  query: z.string().min(1, 'is empty').nullable().default(null).meta({
    description:
      'Query parameter that may carry the key; none unless set, because addresses end up in logs and histories.',
  }),
  optional: z
    .boolean()
    .default(false)
    .meta({ description: 'Let calls without a key pass without a consumer; a wrong key is refused all the same.' }),
})

type Config = z.output<typeof schema>

const missing = (): GatewayError =>
  new GatewayError('missing-credentials', {
    detail: 'This call needs an API key.',
    headers: ['www-authenticate', 'Bearer realm="portico"'],
  })

const refused = (detail: string): GatewayError =>
  new GatewayError('invalid-credentials', {
    detail,
    headers: ['www-authenticate', 'Bearer realm="portico", error="invalid_token"'],
  })

/** RFC 6750 §2.1; the scheme's case does not matter. Taken apart by hand, because LLM clients send it in every call. */
const bearerToken = (value: string): string | null => {
  if (value.length < 8 || value.charCodeAt(6) !== 32) return null
  const scheme = value.slice(0, 6)
  if (scheme !== 'Bearer' && scheme.toLowerCase() !== 'bearer') return null
  return value.slice(7).trimStart() || null
}

/** The key that one header field carries, or null. */
const keyInField = (name: string, value: string, header: string): string | null => {
  if (name === 'authorization') return bearerToken(value) ?? (name === header ? bareKey(value) : null)
  return name === header || name === 'x-goog-api-key' ? value || null : null
}

/** A key is one word: `Basic dTpw` is not one. */
const bareKey = (value: string): string | null => (value === '' || value.includes(' ') ? null : value)

/** The one key of the call; throws when different keys are presented, because it is unclear who is calling. */
const presentedKey = (call: Call, { header, query }: Config): string | null => {
  let key: string | null = null
  const meet = (found: string) => {
    if (key !== null && key !== found) throw refused('The call carries two different keys; send one.')
    key = found
  }
  for (let i = 0; i < call.headers.length; i += 2) {
    const found = keyInField(call.headers[i] as string, call.headers[i + 1] as string, header)
    if (found !== null) meet(found)
  }
  if (query !== null)
    for (const piece of splitQuery(call.query)) {
      if (pieceName(piece) !== query) continue
      const found = pieceValue(piece)
      if (found !== '') meet(found)
    }
  return key
}

/** A key is between the caller and the gateway: the service behind it must not see it. */
const removeKey = (call: Call, { header, query }: Config): void => {
  const headers = call.headers
  let kept = 0
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    const value = headers[i + 1] as string
    if (keyInField(name, value, header) !== null) continue
    headers[kept++] = name
    headers[kept++] = value
  }
  headers.length = kept
  if (query !== null && call.query !== '')
    call.query = splitQuery(call.query)
      .filter(piece => pieceName(piece) !== query)
      .join('&')
}

export const keyAuth = definePolicy({
  name: 'key-auth',
  phase: 'authenticate',
  summary: 'Lets only callers with a valid API key pass and finds out which consumer is calling.',
  schema,
  create(config, context) {
    const index = keyIndex(context.consumers)
    return {
      request(call, next) {
        const key = presentedKey(call, config)
        if (key === null) {
          if (!config.optional) throw missing()
          return next(call)
        }
        const consumer = findConsumer(index, key)
        if (consumer === null) throw refused('The API key is not valid.')
        removeKey(call, config)
        call.consumer = consumer
        return next(call)
      },
    }
  },
})
