import { createHash } from 'node:crypto'
import type { RouteDocument } from './document.ts'

type Conditions = Pick<RouteDocument, 'path' | 'methods' | 'hosts' | 'headers' | 'query' | 'cookies'>

/** Conditions may hold secrets and ids are logged, so they enter an id as a hash. */
const digest = (conditions: RouteDocument['headers']): string => {
  const entries = Object.entries(conditions)
  if (entries.length === 0) return ''
  entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(entries)).digest('hex').slice(0, 8)
}

/** What tells routes of the same path apart, from the most to the least telling. */
const marks: ((route: Conditions) => string)[] = [
  route => [...route.methods].sort().join(','),
  route => [...route.hosts].sort().join(','),
  route => digest(route.headers),
  route => digest(route.query),
  route => digest(route.cookies ?? {}),
]

/**
 * Ids for the routes of one service: `service/name`, else `service/path`, and what else it takes to be unique. An id
 * depends on its own route and those with the same path only, so moving routes around does not change it.
 */
export const routeIds = (service: string, routes: readonly (Conditions & { name: string | undefined })[]): string[] => {
  const ids = routes.map(({ name, path }) => (name === undefined ? service + path : `${service}/${name}`))
  const taken = new Set(ids.filter((_, index) => routes[index]!.name !== undefined))
  // Nearly all ids are unique as they are, in tables of many thousands too: only the others are looked at closely.
  const first = new Map<string, number>()
  const groups = new Map<string, number[]>()
  for (let index = 0; index < ids.length; index++) {
    if (routes[index]!.name !== undefined) continue
    const id = ids[index]!
    const before = first.get(id)
    if (before === undefined) first.set(id, index)
    if (before === undefined && !taken.has(id)) continue
    const group = groups.get(id)
    if (group) group.push(index)
    else groups.set(id, before === undefined ? [index] : [before, index])
  }
  for (const id of first.keys()) if (!groups.has(id)) taken.add(id)
  for (const [base, group] of groups) {
    let names = group.map(() => base)
    for (const mark of marks) {
      if (new Set(names).size === names.length && !names.some(name => taken.has(name))) break
      names = group.map((index, position) => [names[position], mark(routes[index]!)].filter(Boolean).join(' '))
    }
    for (const [position, index] of group.entries()) {
      let id = names[position]!
      for (let copy = 2; taken.has(id); copy++) id = `${names[position]} #${copy}`
      taken.add(id)
      ids[index] = id
    }
  }
  return ids
}

/**
 * One text for each (host, method) of a route, equal for two routes when nothing in a request could tell them apart
 * there: same path shape, same conditions on headers, query and cookies.
 */
export const routeClaims = (shape: string, { methods, hosts, headers, query, cookies = {} }: Conditions): string[] => {
  const rest = `${shape} ${digest(headers)} ${digest(query)} ${digest(cookies)}`
  const every = [''] as const
  const claims: string[] = []
  for (const host of hosts.length > 0 ? hosts : every) {
    for (const method of methods.length > 0 ? methods : every) claims.push(`${host} ${method} ${rest}`)
  }
  return claims
}
