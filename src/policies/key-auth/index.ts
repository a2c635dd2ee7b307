import { z } from 'zod'
import { GatewayError } from '#base/errors'
import type { Call } from '#gateway/call'
import { definePolicy } from '#gateway/contract'
import { isToken, truncate } from '#http/headers'
import { pieceName, pieceValue, splitQuery } from '#policies/query-string'
import { findConsumer, keyIndex } from './key-index.ts'

const schema = z.strictObject({
  header: z
    .string()
    .refine(isToken, 'is not a header name: use letters, digits and dashes')
    .transform(name => name.toLowerCase())
    .prefault('x-api-key')
    .meta({
      description:
        'Header that carries the key. Where it is absent, `x-goog-api-key` and `Authorization: Bearer` are looked at.',
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

/** A key is one word: `Basic dTpw` is not one. */
const bareKey = (value: string): string | null => (value === '' || value.includes(' ') ? null : value)

/** Reads one place where a key may stand; null for fields and parameters that are none or hold none. */
type Place = { inField(name: string, value: string): string | null; inQuery: string | null }

/**
 * The places in order of precedence. A call that carries a key where this gateway expects it may carry another
 * credential in `Authorization`, which is the service's own business.
 */
const placesOf = ({ header, query }: Config): Place[] => [
  {
    inField: (name, value) =>
      name !== header ? null : name === 'authorization' ? (bearerToken(value) ?? bareKey(value)) : value || null,
    inQuery: null,
  },
  { inField: (name, value) => (name === 'x-goog-api-key' ? value || null : null), inQuery: null },
  { inField: (name, value) => (name === 'authorization' ? bearerToken(value) : null), inQuery: null },
  { inField: () => null, inQuery: query },
]

/** The key at one place; throws when there are two different ones, because it is unclear who is calling. */
const keyAt = (call: Call, place: Place): string | null => {
  let key: string | null = null
  const meet = (found: string | null) => {
    if (found === null) return
    if (key !== null && key !== found) throw refused('The call carries two different keys; send one.')
    key = found
  }
  for (let i = 0; i < call.headers.length; i += 2)
    meet(place.inField(call.headers[i] as string, call.headers[i + 1] as string))
  if (place.inQuery !== null)
    for (const piece of splitQuery(call.query)) if (pieceName(piece) === place.inQuery) meet(pieceValue(piece) || null)
  return key
}

const presentedKey = (call: Call, places: readonly Place[]): string | null => {
  for (const place of places) {
    const key = keyAt(call, place)
    if (key !== null) return key
  }
  return null
}

/** The key is between the caller and the gateway: the service must not see it, wherever else it stands. */
const removeKey = (call: Call, places: readonly Place[], key: string): void => {
  const { headers } = call
  let kept = 0
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    const value = headers[i + 1] as string
    if (places.some(place => place.inField(name, value) === key)) continue
    headers[kept++] = name
    headers[kept++] = value
  }
  truncate(headers, kept)
  for (const { inQuery } of places)
    if (inQuery !== null && call.query !== '')
      call.query = splitQuery(call.query)
        .filter(piece => pieceName(piece) !== inQuery)
        .join('&')
}

export const keyAuth = definePolicy({
  name: 'key-auth',
  phase: 'authenticate',
  summary: 'Lets only callers with a valid API key pass and finds out which consumer is calling.',
  schema,
  create(config, context) {
    const index = keyIndex(context.consumers)
    const places = placesOf(config)
    return {
      request(call, next) {
        const key = presentedKey(call, places)
        if (key === null) {
          if (!config.optional) throw missing()
          return next(call)
        }
        const consumer = findConsumer(index, key)
        if (consumer === null) throw refused('The API key is not valid.')
        removeKey(call, places, key)
        call.consumer = consumer
        call.credential = key
        return next(call)
      },
      recheck(call, consumers) {
        const { credential } = call
        if (credential === null) return config.optional ? null : missing()
        const owner = findConsumer(keyIndex(consumers), credential)
        return owner?.name === call.consumer?.name ? null : refused('The API key is no longer valid.')
      },
    }
  },
})
