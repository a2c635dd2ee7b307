import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConditionDocument } from '#config/document'
import { type Predicate, predicateOf } from './conditions.ts'
import { createMatcher, type MatchInput, segmentsOf } from './match.ts'
import type { Route } from './snapshot.ts'

type Given = Partial<Pick<Route, 'hosts' | 'methods' | 'predicates'>> & { path: string }

const routeOf = ({ path, hosts = [], methods = [], predicates = [] }: Given, index: number): Route => {
  const segments = segmentsOf(path)
  return {
    id: `${index}`,
    template: path,
    service: { name: 's', upstream: null, handler: 'test' },
    hosts,
    methods,
    predicates,
    parameterNames: segments.filter(segment => segment.startsWith('{')).map(segment => segment.slice(1, -1)),
    stripPrefix: '',
    encodedSeparators: false,
    policies: [],
    handle: () => {},
    onResponse: null,
    recheck: null,
    renderError: null,
    shaping: null,
  }
}

const get = (path: string, more: Partial<MatchInput> = {}): MatchInput => ({
  host: 'example.com',
  path,
  method: 'GET',
  headers: [],
  query: '',
  ...more,
})

// ---- the rules once more, as slow and plain as they can be said

/** 3 for the very host, 2 and a bit for a wildcard by its length, 1 for a route of every host, 0 for no. */
const hostRank = (route: Route, host: string): number =>
  Math.max(
    route.hosts.length === 0 ? 1 : 0,
    ...route.hosts.map(candidate => {
      if (candidate === host) return 3
      return candidate.startsWith('*.') && host.endsWith(candidate.slice(1)) ? 2 + candidate.length / 1000 : 0
    }),
  )

/** One digit for each segment of the path: literal before template before nothing; null when the path is another. */
const pathRank = (route: Route, path: string): string | null => {
  const parts = path.slice(1).split('/')
  if (segmentsOf(route.template).length > parts.length) return null
  let rank = ''
  for (const [index, part] of parts.entries()) {
    const segment = segmentsOf(route.template)[index]
    if (segment === undefined) rank += '0'
    else if (segment === part) rank += '2'
    else if (segment.startsWith('{') && part !== '') rank += '1'
    else return null
  }
  return rank
}

const methodRank = (route: Route, method: string): number => {
  if (route.methods.length === 0) return 1
  if (route.methods.includes(method)) return 3
  return method === 'HEAD' && route.methods.includes('GET') ? 2 : 0
}

const plainly = (condition: ConditionDocument, values: string[]): boolean => {
  if (typeof condition === 'string') return condition === '*' ? values.length > 0 : values.includes(condition)
  if ('not' in condition) return !plainly(condition.not, values)
  return values.some(value =>
    'in' in condition
      ? condition.in.includes(value)
      : 'prefix' in condition
        ? value.startsWith(condition.prefix)
        : 'suffix' in condition
          ? value.endsWith(condition.suffix)
          : new RegExp(condition.regex).test(value),
  )
}

const conditions = new Map<Predicate, ConditionDocument>()

const predicate = (kind: Predicate['kind'], name: string, condition: ConditionDocument): Predicate => {
  const made = predicateOf(kind, name, condition)
  conditions.set(made, condition)
  return made
}

const holds = (one: Predicate, { headers, query }: MatchInput): boolean => {
  const fields = (name: string) => headers.filter((_, index) => index % 2 === 1 && headers[index - 1] === name)
  const cookies = fields('cookie').flatMap(field => field.split('; ').map(pair => pair.split('=')))
  const values =
    one.kind === 'query'
      ? new URLSearchParams(query).getAll(one.name)
      : one.kind === 'header'
        ? fields(one.name)
        : cookies.flatMap(([name, value]) => (name === one.name ? [value as string] : []))
  return plainly(conditions.get(one) as ConditionDocument, values)
}

/** Every route that takes the request, the best first. Methods named go before every method, then who asks for more. */
const naive = (routes: readonly Route[], input: MatchInput): Route[] => {
  const rank = (route: Route): [number, string, number, number, number] => {
    const method = methodRank(route, input.method)
    return [
      hostRank(route, input.host),
      pathRank(route, input.path) as string,
      Number(method > 1),
      route.predicates.length,
      method,
    ]
  }
  return routes
    .filter(route => hostRank(route, input.host) > 0 && pathRank(route, input.path) !== null)
    .filter(route => methodRank(route, input.method) > 0 && route.predicates.every(one => holds(one, input)))
    .toSorted((a, b) => {
      const left = rank(a)
      const right = rank(b)
      const at = left.findIndex((value, index) => value !== right[index])
      return at < 0 ? 0 : (left[at] as number) > (right[at] as number) ? -1 : 1
    })
}

/** A small seeded generator (mulberry32), so that a failing round can be run again. */
const seeded = (seed: number) => {
  let state = seed
  const int = (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
  return { int, pick: <T>(list: readonly T[]): T => list[int(list.length)] as T }
}

test('hosts, paths, methods and predicates together give what a search through all routes gives', () => {
  const hosts = ['a.test', 'b.test', 'x.a.test', '*.test', '*.a.test', '*.x.a.test']
  const predicates: Predicate[] = [
    predicate('header', 'x-v', '1'),
    predicate('header', 'x-v', '*'),
    predicate('header', 'x-v', { in: ['2', '3'] }),
    predicate('header', 'x-v', { prefix: '1' }),
    predicate('header', 'x-v', { regex: '^(1|3)$' }),
    predicate('header', 'x-v', { not: '*' }),
    predicate('query', 'q', '1'),
    predicate('query', 'q', '*'),
    predicate('query', 'q', { not: { suffix: '1' } }),
    predicate('cookie', 'c', '1'),
    predicate('cookie', 'c', { not: { in: ['1', '2'] } }),
  ]
  let matched = 0
  for (let seed = 1; seed <= 400; seed++) {
    const { int, pick } = seeded(seed)
    const several = <T>(list: readonly T[], most: number): T[] => [
      ...new Set(Array.from({ length: int(most + 1) }, () => pick(list))),
    ]
    const routes = Array.from({ length: 1 + int(14) }, (_, index) =>
      routeOf(
        {
          path: `/${Array.from({ length: int(4) }, () => pick(['a', 'b', '{x}', '{y}'])).join('/')}`,
          hosts: several(hosts, 2),
          methods: several(['GET', 'POST', 'HEAD'], 2),
          predicates: several(predicates, 2),
        },
        index,
      ),
    )
    const matcher = createMatcher(routes)
    for (let question = 0; question < 30; question++) {
      const input = get(`/${Array.from({ length: int(5) }, () => pick(['a', 'b', 'c', ''])).join('/')}`, {
        host: pick(['a.test', 'b.test', 'x.a.test', 'y.a.test', 'z.x.a.test', 'test', 'other', '']),
        method: pick(['GET', 'POST', 'HEAD', 'DELETE']),
        headers: pick([
          [],
          ['x-v', '1'],
          ['x-v', '2'],
          ['x-v', '2', 'x-v', '1'],
          ['cookie', 'b=2; c=1'],
          ['x-v', '1', 'cookie', 'c=3'],
        ]),
        query: pick(['', 'q', 'q=1', 'q=2&q=1', 'r=1']),
      })
      const expected = naive(routes, input)
      const found = matcher.match(input)
      const about = `seed ${seed}: ${JSON.stringify(input)} in ${JSON.stringify(routes)}`
      assert.equal(found?.route.id, expected[0]?.id, about)
      if (found !== null) {
        matched++
        const parts = input.path.slice(1).split('/')
        const names = segmentsOf(found.route.template).map(
          (segment, index) => [segment.slice(1, -1), parts[index]] as const,
        )
        const params = names.filter((_, index) => segmentsOf(found.route.template)[index]?.startsWith('{'))
        assert.deepEqual({ ...found.params }, Object.fromEntries(params), about)
        continue
      }
      // Where there is no route, Allow names exactly the methods that would have one.
      const allowed = ['GET', 'HEAD', 'POST'].filter(method => naive(routes, { ...input, method }).length > 0)
      assert.deepEqual(matcher.allowedMethods(input), allowed, about)
    }
  }
  assert.ok(matched > 2000, `only ${matched} requests had a route`)
})

test('a route that names HEAD goes before one that has it by GET, whichever is written first', () => {
  const routes: Given[] = [
    { path: '/a', methods: ['GET'] },
    { path: '/a', methods: ['HEAD'] },
  ]
  for (const order of [routes, routes.toReversed()]) {
    const matcher = createMatcher(order.map(routeOf))
    assert.deepEqual(matcher.match(get('/a', { method: 'HEAD' }))?.route.methods, ['HEAD'])
    assert.deepEqual(matcher.match(get('/a'))?.route.methods, ['GET'])
  }
})

test('a method is not called allowed when it is a header or the query that is missing', () => {
  const predicates = [predicate('header', 'x-beta', '*')]
  const matcher = createMatcher([{ path: '/a', methods: ['GET'], predicates }].map(routeOf))
  assert.equal(matcher.match(get('/a')), null)
  assert.deepEqual(matcher.allowedMethods(get('/a')), [])
  assert.deepEqual(matcher.allowedMethods(get('/a', { method: 'POST' })), [])
  assert.deepEqual(matcher.allowedMethods(get('/a', { method: 'POST', headers: ['x-beta', ''] })), ['GET', 'HEAD'])
})

test('the methods of other hosts are not told', () => {
  const matcher = createMatcher(
    [
      { path: '/a', methods: ['PUT'], hosts: ['one.test'] },
      { path: '/a', methods: ['DELETE'], hosts: ['two.test'] },
      { path: '/a', methods: ['POST'] },
    ].map(routeOf),
  )
  assert.deepEqual(matcher.allowedMethods(get('/a', { host: 'one.test' })), ['POST', 'PUT'])
  assert.deepEqual(matcher.allowedMethods(get('/a', { host: 'three.test' })), ['POST'])
})

test('no routes match nothing', () => {
  const matcher = createMatcher([])
  assert.equal(matcher.match(get('/')), null)
  assert.deepEqual(matcher.allowedMethods(get('/')), [])
})
