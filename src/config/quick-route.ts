import type { z } from 'zod'
import { checkRoutePath } from './paths.ts'
import { isMap } from './policies.ts'
import { knownMethods, type routeSchema } from './schema.ts'

type Route = z.output<typeof routeSchema>

const methods = new Set(knownMethods)
const none: never[] = Object.freeze([]) as unknown as never[]
const noConditions = Object.freeze({})

const isMethodList = (value: unknown): value is string[] => {
  if (!Array.isArray(value) || value.length > 50) return false
  return value.every((one, index) => methods.has(one) && value.indexOf(one) === index)
}

/**
 * Decodes a route of the everyday kind, path and methods, as `routeSchema` does but much faster: there are files with
 * tens of thousands of them. Undefined for all others, also for those in which something is wrong.
 */
export const quickRoute = (value: unknown): Route | undefined => {
  if (!isMap(value)) return undefined
  for (const key in value) if (key !== 'path' && key !== 'methods' && key !== 'policies') return undefined
  const { path, methods: listed, policies } = value
  if (typeof path !== 'string' || checkRoutePath(path) !== null) return undefined
  if (listed !== undefined && !isMethodList(listed)) return undefined
  const route: Route = {
    path,
    methods: listed === undefined || listed.length === 0 ? none : listed,
    hosts: none,
    headers: noConditions,
    query: noConditions,
    cookies: noConditions,
    stripPrefix: null,
    encodedSlashes: 'reject',
  }
  if (policies !== undefined) route.policies = policies
  return route
}
