import { maxLimit, wrongParameter } from './calls-query.ts'

/** Which upstreams are listed: those with this name, or of all the names behind `after`. */
export type UpstreamsQuery = { name: string | null; after: string; limit: number }

const names = ['name', 'limit', 'cursor']

/** Reads the query of `GET /api/upstreams`; a cursor is the last name of the page before. */
export const readUpstreamsQuery = (query: string): UpstreamsQuery => {
  const values = new URLSearchParams(query)
  for (const [name, value] of values) {
    if (!names.includes(name)) throw wrongParameter(name, `is not known here; there are ${names.join(', ')}`)
    if (values.getAll(name).length > 1) throw wrongParameter(name, 'is there twice')
    if (value.length > 256) throw wrongParameter(name, 'is longer than 256 characters')
  }
  const text = values.get('limit') || '100'
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > maxLimit) throw wrongParameter('limit', `is a whole number from 1 to ${maxLimit}`)
  return { name: values.get('name') || null, after: values.get('cursor') ?? '', limit }
}
