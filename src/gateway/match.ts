import { getHeader, getHeaders, type HeaderList } from '#http/headers'
import type { Route } from './snapshot.ts'

/** What routes are chosen by. `query` is without `?`. */
export type MatchInput = { host: string; path: string; method: string; headers: HeaderList; query: string }

export type Match = { route: Route; params: Record<string, string> }

type Node = {
  literals: Map<string, Node> | null
  parameter: Node | null
  byMethod: Map<string, Route[]> | null
  anyMethod: Route[] | null
}

const newNode = (): Node => ({ literals: null, parameter: null, byMethod: null, anyMethod: null })

const noParams: Record<string, string> = Object.freeze({})

/** More predicates first: the route that asks for more is the more specific one. HEAD named goes before HEAD by GET. */
const bySpecificity =
  (method: string) =>
  (a: Route, b: Route): number =>
    b.predicates.length - a.predicates.length || Number(b.methods.includes(method)) - Number(a.methods.includes(method))

const addTo = (node: Node, route: Route): void => {
  if (route.methods.length === 0) {
    node.anyMethod = [...(node.anyMethod ?? []), route].sort(bySpecificity(''))
    return
  }
  node.byMethod ??= new Map()
  // RFC 9110 §9.3.2: where GET is served, HEAD is.
  const methods = new Set(route.methods)
  if (methods.has('GET')) methods.add('HEAD')
  for (const method of methods)
    node.byMethod.set(method, [...(node.byMethod.get(method) ?? []), route].sort(bySpecificity(method)))
}

const insert = (root: Node, route: Route): void => {
  let node = root
  for (const segment of route.segments) {
    if (segment.startsWith('{')) node = node.parameter ??= newNode()
    else {
      node.literals ??= new Map()
      let next = node.literals.get(segment)
      if (next === undefined) node.literals.set(segment, (next = newNode()))
      node = next
    }
  }
  addTo(node, route)
}

const holds = (predicate: Route['predicates'][number], input: MatchInput): boolean => {
  if (predicate.kind === 'header') {
    if (predicate.value === null) return getHeader(input.headers, predicate.name) !== undefined
    return getHeaders(input.headers, predicate.name).includes(predicate.value)
  }
  const values = new URLSearchParams(input.query).getAll(predicate.name)
  return predicate.value === null ? values.length > 0 : values.includes(predicate.value)
}

const satisfies = (route: Route, input: MatchInput): boolean => {
  for (const predicate of route.predicates) if (!holds(predicate, input)) return false
  return true
}

const chooseIn = (list: Route[] | null | undefined, input: MatchInput): Route | null => {
  if (list === null || list === undefined) return null
  for (const route of list) if (satisfies(route, input)) return route
  return null
}

/** Deepest match wins; at each step a literal segment beats a template. */
const search = (node: Node, position: number, input: MatchInput, values: string[]): Route | null => {
  const { path } = input
  if (position < path.length) {
    const slash = path.indexOf('/', position)
    const end = slash < 0 ? path.length : slash
    const segment = path.slice(position, end)
    const literal = node.literals?.get(segment)
    if (literal !== undefined) {
      const found = search(literal, end + 1, input, values)
      if (found !== null) return found
    }
    if (node.parameter !== null && segment !== '') {
      values.push(segment)
      const found = search(node.parameter, end + 1, input, values)
      if (found !== null) return found
      values.pop()
    }
  }
  return chooseIn(node.byMethod?.get(input.method), input) ?? chooseIn(node.anyMethod, input)
}

const collectMethods = (node: Node, position: number, input: MatchInput, into: Set<string>): void => {
  const { path } = input
  for (const [method, routes] of node.byMethod ?? [])
    if (routes.some(route => satisfies(route, input))) into.add(method)
  if (position >= path.length) return
  const slash = path.indexOf('/', position)
  const end = slash < 0 ? path.length : slash
  const segment = path.slice(position, end)
  const literal = node.literals?.get(segment)
  if (literal !== undefined) collectMethods(literal, end + 1, input, into)
  if (node.parameter !== null && segment !== '') collectMethods(node.parameter, end + 1, input, into)
}

export type Matcher = {
  match(input: MatchInput): Match | null
  /** Methods with which the same request would have a route, for 405 and Allow; asked when `match` found none. */
  allowedMethods(input: MatchInput): string[]
}

/**
 * Builds the table of routes: host → tree of path segments → method → predicates. A look-up walks the segments of the
 * path, so its cost depends on the request and not on how many routes there are.
 */
export const createMatcher = (routes: readonly Route[]): Matcher => {
  const anyHost = newNode()
  const exact = new Map<string, Node>()
  const wildcards = new Map<string, Node>()
  for (const route of routes) {
    if (route.hosts.length === 0) insert(anyHost, route)
    for (const host of route.hosts) {
      const table = host.startsWith('*.') ? wildcards : exact
      const key = host.startsWith('*.') ? host.slice(1) : host
      let root = table.get(key)
      if (root === undefined) table.set(key, (root = newNode()))
      insert(root, route)
    }
  }
  /** Trees in the order of precedence: exact host, longest wildcard, any host. */
  const trees = (host: string): Node[] => {
    const list: Node[] = []
    const own = exact.get(host)
    if (own !== undefined) list.push(own)
    if (wildcards.size > 0)
      for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
        const root = wildcards.get(host.slice(dot))
        if (root !== undefined) list.push(root)
      }
    list.push(anyHost)
    return list
  }
  const hostsMatter = exact.size > 0 || wildcards.size > 0
  const anyOnly = [anyHost]
  const result = (route: Route, values: string[]): Match => {
    if (route.parameterNames.length === 0) return { route, params: noParams }
    const params: Record<string, string> = {}
    for (let i = 0; i < route.parameterNames.length; i++)
      params[route.parameterNames[i] as string] = values[i] as string
    return { route, params }
  }
  return {
    match: input => {
      for (const root of hostsMatter ? trees(input.host) : anyOnly) {
        const values: string[] = []
        const route = search(root, 1, input, values)
        if (route !== null) return result(route, values)
      }
      return null
    },
    allowedMethods: input => {
      const methods = new Set<string>()
      for (const root of trees(input.host)) collectMethods(root, 1, input, methods)
      return [...methods].sort()
    },
  }
}
