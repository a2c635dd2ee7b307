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

/**
 * The routes of one host. Those that are alone at a path without templates, nearly all in large tables, are found by that
 * path: one look at cold memory instead of one for each segment, and no nodes for them. The others stand in the tree.
 */
type Tree = {
  readonly root: Node
  readonly alone: Map<string, Route>
  /** Segments of the longest path in `alone`. */
  depth: number
  /** Whether anything stands in the tree. */
  branched: boolean
}

const newNode = (): Node => ({ literals: null, parameter: null, routes: null })
const newTree = (): Tree => ({ root: newNode(), alone: new Map(), depth: 0, branched: false })

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

const plant = (tree: Tree, route: Route): void => {
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
  addTo(node, route)
  tree.branched = true
}

/** Whether the tree has routes at a path without templates. */
const isPlanted = ({ root, branched }: Tree, template: string): boolean => {
  let node: Node | undefined = root
  if (branched) for (const segment of segmentsOf(template)) node = node?.literals?.get(segment)
  return node !== undefined && node.routes !== null
}

const depthOf = (template: string): number => {
  let depth = template === '/' ? 0 : 1
  for (let at = template.indexOf('/', 1); at >= 0; at = template.indexOf('/', at + 1)) depth++
  return depth
}

const insert = (tree: Tree, route: Route): void => {
  const { template } = route
  const other = tree.alone.get(template)
  if (other !== undefined) {
    tree.alone.delete(template)
    plant(tree, other)
    plant(tree, route)
  } else if (route.predicates.length > 0 || route.parameterNames.length > 0 || isPlanted(tree, template))
    plant(tree, route)
  else {
    tree.alone.set(template, route)
    tree.depth = Math.max(tree.depth, depthOf(template))
  }
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

const collectOf = ({ methods }: Route, into: Set<string>): void => {
  for (const method of methods) into.add(method)
  if (methods.includes('GET')) into.add('HEAD')
}

const collectMethods = (node: Node, position: number, input: MatchInput, into: Set<string>): void => {
  const { path } = input
  for (const route of node.routes ?? []) {
    if (satisfies(route, input)) collectOf(route, into)
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

/**
 * The end of the longest beginning of a path, whole segments, that may be the path of a route in `alone`. What is deeper
 * than the deepest route is not looked at, so a path of thousands of segments costs no more than others.
 */
const reach = ({ depth }: Tree, path: string): number => {
  let end = 0
  for (let segments = 0; segments < depth; segments++) {
    end = path.indexOf('/', end + 1)
    if (end < 0) return path.length
  }
  return end
}

const nearest = (tree: Tree, { path, method }: MatchInput): Route | null => {
  for (let end = reach(tree, path); end > 0; end = path.lastIndexOf('/', end - 1)) {
    const route = tree.alone.get(end === path.length ? path : path.slice(0, end))
    if (route !== undefined && takesMethod(route, method)) return route
  }
  const route = tree.alone.get('/')
  return route !== undefined && takesMethod(route, method) ? route : null
}

/** Literal segments before the first template. */
const literalDepth = (template: string): number => {
  const brace = template.indexOf('{')
  return brace < 0 ? depthOf(template) : depthOf(template.slice(0, brace - 1) || '/')
}

const matchIn = (tree: Tree, input: MatchInput): Match | null => {
  const exact = tree.alone.get(input.path)
  if (exact !== undefined && takesMethod(exact, input.method)) return { route: exact, params: noParams }
  const found = tree.alone.size === 0 ? null : nearest(tree, input)
  if (!tree.branched) return found === null ? null : { route: found, params: noParams }
  const values: string[] = []
  const route = search(tree.root, 1, input, values)
  if (route === null) return found === null ? null : { route: found, params: noParams }
  // The first segment in which the two differ decides; where one ends there, the other goes on and is deeper.
  if (found !== null && depthOf(found.template) > literalDepth(route.template))
    return { route: found, params: noParams }
  return resultOf(route, values)
}

const collectIn = (tree: Tree, input: MatchInput, into: Set<string>): void => {
  collectMethods(tree.root, 1, input, into)
  const { path } = input
  const collect = (route: Route | undefined): void => {
    if (route !== undefined) collectOf(route, into)
  }
  for (let end = reach(tree, path); end > 0; end = path.lastIndexOf('/', end - 1))
    collect(tree.alone.get(path.slice(0, end)))
  collect(tree.alone.get('/'))
}

export type Matcher = {
  match(input: MatchInput): Match | null
  /** Methods with which the same request would have a route, for 405 and Allow; asked when `match` found none. */
  allowedMethods(input: MatchInput): string[]
}

/** A matcher that is still growing: routes are added one by one, so that a large table can be made in many steps. */
export type GrowingMatcher = Matcher & { add(route: Route): void }

/**
 * The table of routes: host → path → methods and predicates. A look-up walks the segments of the path,
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
      for (const tree of trees(input.host)) collectIn(tree, input, methods)
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
