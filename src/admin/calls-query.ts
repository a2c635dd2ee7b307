import { GatewayError } from '#base/errors'
import { isStatusFilter } from '#storage/call-filter'
import type { CallFilter } from '#storage/calls'

const defaultLimit = 50
export const maxLimit = 1000
const maxTextLength = 1024

export type CallsQuery = { filter: CallFilter; page: { limit: number; cursor?: string } }

const textNames = ['service', 'route', 'consumer', 'method', 'q'] as const
const names: readonly string[] = [...textNames, 'status', 'from', 'to', 'limit', 'cursor']

/** The answer to a parameter that is wrong: 400, with its name at the front of the detail. */
export const wrongParameter = (name: string, what: string): GatewayError =>
  new GatewayError('invalid-parameter', { detail: `The parameter ${JSON.stringify(name.slice(0, 64))} ${what}` })

/** Reads the query of `GET /api/calls`. Empty parameters are as good as none; unknown and repeated ones are refused. */
export const readCallsQuery = (query: string): CallsQuery => {
  const values = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(query)) {
    if (!names.includes(name)) throw wrongParameter(name, `is not known here; there are ${names.join(', ')}`)
    if (values.has(name)) throw wrongParameter(name, 'is there twice')
    if (value.length > maxTextLength) throw wrongParameter(name, `is longer than ${maxTextLength} characters`)
    values.set(name, value)
  }
  const read = (name: string): string | undefined => values.get(name) || undefined
  const filter: CallFilter = {}
  for (const name of textNames) {
    const value = read(name)
    if (value !== undefined) filter[name] = value
  }
  const status = read('status')
  if (status !== undefined && !isStatusFilter(status)) {
    throw wrongParameter('status', 'is a status like 404, a class like 5xx, or error')
  }
  if (status !== undefined) filter.status = status
  for (const name of ['from', 'to'] as const) {
    const value = read(name)
    if (value !== undefined) filter[name] = readTime(name, value)
  }
  const cursor = read('cursor')
  return { filter, page: { limit: readLimit(read('limit')), ...(cursor !== undefined && { cursor }) } }
}

const readLimit = (text: string | undefined): number => {
  if (text === undefined) return defaultLimit
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > maxLimit) throw wrongParameter('limit', `is a whole number from 1 to ${maxLimit}`)
  return limit
}

const isoTime = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?$/

/** ISO 8601 (UTC where no zone is written) or milliseconds since the epoch. */
const readTime = (name: string, text: string): number => {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  // A plus sign that was not percent-encoded arrives as a space.
  const iso = text.replace(' ', '+')
  if (isoTime.test(iso)) {
    const time = Date.parse(/T.*(Z|[+-]\d\d:\d\d)$/.test(iso) || !iso.includes('T') ? iso : `${iso}Z`)
    if (!Number.isNaN(time)) return time
  }
  throw wrongParameter(name, 'is a time like 2026-01-31T12:00:00Z, or milliseconds since 1970')
}
