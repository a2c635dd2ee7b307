import type { HeaderList } from '#http/headers'
import { holds } from './conditions.ts'
import type { Route } from './snapshot.ts'

/** What routes are chosen by. `query` is without `?`. */
export type MatchInput = { host: string; path: string; method: string; headers: HeaderList; query: string }

export type Match = { route: Route; params: Record<string, string> }

type Node = {
  literals: Map<string, Node> | null
  parameter: Node | null
  /** The more specific before the less. */
  routes: Route[] | null
}

/** The routes of one host. */
type Tree = {
  readonly root: Node
  /**
   * Routes that are alone at a path without templates, by that path. With tens of thousands of routes most calls find
   * theirs here, by one look at cold memory instead of one for each segment.
   */
  readonly alone: Map<string, Route>
}

const newNode = (): Node => ({ literals: null, parameter: null, routes: null })
const newTree = (): Tree => ({ root: newNode(), alone: new Map() })

const noParams: Record<string, string> = Object.freeze({})

/** The segments of a route's path. */
export const segmentsOf = (template: string): string[] => (template === '/' ? [] : template.slice(1).split('/'))

/** A route that names methods goes before one for all; then the one that asks for more. Equals stay as written. */
const isBefore = (a: Route, b: Route): boolean => {
  const named = Number(a.methods.length > 0) - Number(b.methods.length > 0)
  return named !== 0 ? named > 0 : a.predicates.length > b.predicates.length
}

const addTo = (node: Node, route: Route): void => {
  node.routes ??= []
  const { routes } = node
  let position = routes.length
  while (position > 0 && isBefore(route, routes[position - 1] as Route)) position--
  routes.splice(position, 0, route)
}

const insert = (tree: Tree, route: Route): void => {
  let node = tree.root
  for (const segment of segmentsOf(route.template)) {
    if (segment.startsWith('{')) node = node.parameter ??= newNode()
    else {
      node.literals ??= new Map()
      let next = node.literals.get(segment)
      if (next === undefined) node.literals.set(segment, (next = newNode()))
      node = next
    }
  }
  if (node.routes === null && route.predicates.length === 0 && route.parameterNames.length === 0)
    tree.alone.set(route.template, route)
  else tree.alone.delete(route.template)
  addTo(node, route)
}

/** RFC 9110 §9.3.2: where GET is served, HEAD is. */
const takesMethod = ({ methods }: Route, method: string): boolean =>
  methods.length === 0 || methods.includes(method) || (method === 'HEAD' && methods.includes('GET'))

const satisfies = (route: Route, input: MatchInput): boolean => {
  const { predicates } = route
  for (let i = 0; i < predicates.length; i++)
    if (!holds(predicates[i] as Route['predicates'][number], input)) return false
  return true
}

/** Of routes that ask for as much, the one that names HEAD goes before one that has it by GET. */
const chooseForHead = (routes: readonly Route[], input: MatchInput): Route | null => {
  let byGet: Route | null = null
  for (const route of routes) {
    if (byGet !== null && isBefore(byGet, route)) return byGet
    if (!takesMethod(route, 'HEAD') || !satisfies(route, input)) continue
    if (route.methods.length === 0 || route.methods.includes('HEAD')) return route
    byGet ??= route
  }
  return byGet
}

const chooseIn = (routes: readonly Route[] | null, input: MatchInput): Route | null => {
  if (routes === null) return null
  if (input.method === 'HEAD') return chooseForHead(routes, input)
  for (const route of routes) if (takesMethod(route, input.method) && satisfies(route, input)) return route
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
  return chooseIn(node.routes, input)
}

const collectMethods = (node: Node, position: number, input: MatchInput, into: Set<string>): void => {
  const { path } = input
  for (const route of node.routes ?? []) {
    if (route.methods.length === 0 || !satisfies(route, input)) continue
    for (const method of route.methods) into.add(method)
    if (route.methods.includes('GET')) into.add('HEAD')
  }
  if (position >= path.length) return
  const slash = path.indexOf('/', position)
  const end = slash < 0 ? path.length : slash
  const segment = path.slice(position, end)
  const literal = node.literals?.get(segment)
  if (literal !== undefined) collectMethods(literal, end + 1, input, into)
  if (node.parameter !== null && segment !== '') collectMethods(node.parameter, end + 1, input, into)
}

const resultOf = (route: Route, values: readonly string[]): Match => {
  const { parameterNames } = route
  if (parameterNames.length === 0) return { route, params: noParams }
  const params: Record<string, string> = {}
  for (let i = 0; i < parameterNames.length; i++) params[parameterNames[i] as string] = values[i] as string
  return { route, params }
}

const matchIn = ({ alone, root }: Tree, input: MatchInput): Match | null => {
  const found = alone.get(input.path)
  if (found !== undefined && takesMethod(found, input.method)) return { route: found, params: noParams }
  if (root.literals === null && root.parameter === null && root.routes === null) return null
  const values: string[] = []
  const route = search(root, 1, input, values)
  return route === null ? null : resultOf(route, values)
}

export type Matcher = {
  match(input: MatchInput): Match | null
  /** Methods with which the same request would have a route, for 405 and Allow; asked when `match` found none. */
  allowedMethods(input: MatchInput): string[]
}

/** A matcher that is still growing: routes are added one by one, so that a large table can be made in many steps. */
export type GrowingMatcher = Matcher & { add(route: Route): void }

/**
 * The table of routes: host → tree of path segments → methods and predicates. A look-up walks the segments of the path,
 * so its cost depends on the request and not on how many routes there are.
 */
export const growMatcher = (): GrowingMatcher => {
  const anyHost = newTree()
  const exact = new Map<string, Tree>()
  const wildcards = new Map<string, Tree>()
  /** Trees in the order of precedence: exact host, longest wildcard, any host. */
  const trees = (host: string): Tree[] => {
    const list: Tree[] = []
    const own = exact.get(host)
    if (own !== undefined) list.push(own)
    if (wildcards.size > 0)
      for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
        const tree = wildcards.get(host.slice(dot))
        if (tree !== undefined) list.push(tree)
      }
    list.push(anyHost)
    return list
  }
  let hostsMatter = false
  return {
    add: route => {
      if (route.hosts.length === 0) insert(anyHost, route)
      for (const host of route.hosts) {
        const table = host.startsWith('*.') ? wildcards : exact
        const key = host.startsWith('*.') ? host.slice(1) : host
        let tree = table.get(key)
        if (tree === undefined) table.set(key, (tree = newTree()))
        insert(tree, route)
        hostsMatter = true
      }
    },
    match: input => {
      if (!hostsMatter) return matchIn(anyHost, input)
      for (const tree of trees(input.host)) {
        const found = matchIn(tree, input)
        if (found !== null) return found
      }
      return null
    },
    allowedMethods: input => {
      const methods = new Set<string>()
      for (const { root } of trees(input.host)) collectMethods(root, 1, input, methods)
      return [...methods].sort()
    },
  }
}

/** The table of these routes. */
export const createMatcher = (routes: readonly Route[]): Matcher => {
  const matcher = growMatcher()
  for (const route of routes) matcher.add(route)
  return matcher
}
