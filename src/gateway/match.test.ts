import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Predicate, predicateOf } from './conditions.ts'
import { createMatcher, type MatchInput, segmentsOf } from './match.ts'
import type { Route } from './snapshot.ts'

type Given = { path: string; hosts?: string[]; methods?: string[]; predicates?: Predicate[] }

const route = (
  { path, hosts = [], methods = [], predicates = [] }: Given,
  id = `${methods.join(',')} ${hosts.join(',')}${path}`,
): Route => {
  const segments = segmentsOf(path)
  return {
    ...{
      id,
      template: path,
      service: { name: 's', upstream: null, handler: 'test' },
      hosts,
      methods,
      predicates,
    },
    parameterNames: segments.filter(segment => segment.startsWith('{')).map(segment => segment.slice(1, -1)),
    ...{
      stripPrefix: '',
      encodedSeparators: false,
      policies: [],
      handle: () => {},
      onResponse: null,
      recheck: null,
      renderError: null,
      shaping: null,
    },
  }
}

const ask = (path: string, more: Partial<MatchInput> = {}): MatchInput => ({
  ...{ host: 'example.com', path, method: 'GET', headers: [], query: '' },
  ...more,
})

const matcherOf = (...given: Given[]) => {
  const matcher = createMatcher(given.map(one => route(one)))
  return {
    ...matcher,
    template: (path: string, more: Partial<MatchInput> = {}) => matcher.match(ask(path, more))?.route.template ?? null,
    id: (path: string, more: Partial<MatchInput> = {}) => matcher.match(ask(path, more))?.route.id ?? null,
  }
}

test('a path matches itself and everything below it, by whole segments', () => {
  const { template } = matcherOf({ path: '/orders' })
  assert.equal(template('/orders'), '/orders')
  assert.equal(template('/orders/7/items'), '/orders')
  assert.equal(template('/orders/'), '/orders')
  assert.equal(template('/ordersx'), null)
  assert.equal(template('/'), null)
})

test('the deepest route wins, and a literal segment beats a template', () => {
  const { template } = matcherOf(
    { path: '/' },
    { path: '/a' },
    { path: '/a/{id}' },
    { path: '/a/special' },
    { path: '/a/{id}/x' },
  )
  assert.equal(template('/b'), '/')
  assert.equal(template('/a'), '/a')
  assert.equal(template('/a/7'), '/a/{id}')
  assert.equal(template('/a/special'), '/a/special')
  assert.equal(template('/a/special/x'), '/a/special')
  assert.equal(template('/a/7/x/y'), '/a/{id}/x')
})

test('a literal that leads nowhere is left again for the template', () => {
  const { template } = matcherOf({ path: '/a/special/deep' }, { path: '/a/{id}' })
  assert.equal(template('/a/special/other'), '/a/{id}')
})

test('templates take one segment that is not empty, and give its raw text', () => {
  const matcher = createMatcher([route({ path: '/a/{x}/b/{y}' })])
  assert.deepEqual({ ...matcher.match(ask('/a/1%20/b/2/c'))?.params }, { x: '1%20', y: '2' })
  assert.equal(matcher.match(ask('/a//b/2')), null)
})

test('an exact host goes before a wildcard, a longer wildcard before a shorter, any host last', () => {
  const { id } = matcherOf(
    { path: '/', hosts: ['api.example.com'] },
    { path: '/', hosts: ['*.example.com'] },
    { path: '/', hosts: ['*.eu.example.com'] },
    { path: '/' },
    { path: '/only-any' },
  )
  assert.equal(id('/', { host: 'api.example.com' }), ' api.example.com/')
  assert.equal(id('/', { host: 'x.example.com' }), ' *.example.com/')
  assert.equal(id('/', { host: 'x.eu.example.com' }), ' *.eu.example.com/')
  assert.equal(id('/', { host: 'example.com' }), ' /')
  assert.equal(id('/', { host: '' }), ' /')
  assert.equal(id('/only-any', { host: 'example.com' }), ' /only-any')
})

test('a host that has no route for a path falls back to the routes of all hosts', () => {
  const { template } = matcherOf({ path: '/a', hosts: ['api.example.com'] }, { path: '/b' })
  assert.equal(template('/b', { host: 'api.example.com' }), '/b')
})

test('methods: the named ones, HEAD where GET is, and a shallower route when the deeper does not take it', () => {
  const matcher = matcherOf({ path: '/a', methods: ['GET'] }, { path: '/', methods: ['POST'] })
  assert.equal(matcher.template('/a', { method: 'HEAD' }), '/a')
  assert.equal(matcher.template('/a', { method: 'POST' }), '/')
  assert.equal(matcher.template('/a', { method: 'PUT' }), null)
  assert.deepEqual(matcher.allowedMethods(ask('/a')), ['GET', 'HEAD', 'POST'])
})

test('header and query predicates: the route that asks for more goes first', () => {
  const beta = predicateOf('header', 'x-beta', 'yes')
  const any = predicateOf('query', 'v', '*')
  const { id } = matcherOf(
    { path: '/a' },
    { path: '/a', methods: [], hosts: [], predicates: [beta] },
    { path: '/a', predicates: [beta, any] },
  )
  const routes = [
    route({ path: '/a' }, 'plain'),
    route({ path: '/a', predicates: [beta] }, 'beta'),
    route({ path: '/a', predicates: [beta, any] }, 'both'),
  ]
  const matcher = createMatcher(routes)
  const chosen = (more: Partial<MatchInput>) => matcher.match(ask('/a', more))?.route.id
  assert.equal(chosen({}), 'plain')
  assert.equal(chosen({ headers: ['x-beta', 'no', 'x-beta', 'yes'] }), 'beta')
  assert.equal(chosen({ headers: ['x-beta', 'yes'], query: 'w=1&v' }), 'both')
  assert.equal(chosen({ query: 'v=1' }), 'plain')
  assert.ok(id('/a') !== null)
})

test('gives what a plain search through all routes gives', () => {
  const words = ['a', 'b', 'c', '{x}', '{y}']
  let seed = 11
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return (seed >>> 10) % below
  }
  for (let round = 0; round < 300; round++) {
    const paths = new Map<string, Route>()
    for (let i = 0; i < 12; i++) {
      const path = `/${Array.from({ length: 1 + random(4) }, () => words[random(words.length)]).join('/')}`
      paths.set(path.replaceAll(/\{.\}/g, '{}'), route({ path }))
    }
    const routes = [...paths.values()]
    const matcher = createMatcher(routes)
    for (let i = 0; i < 20; i++) {
      const path = `/${Array.from({ length: 1 + random(5) }, () => ['a', 'b', 'c', 'd'][random(4)]).join('/')}`
      const parts = path.slice(1).split('/')
      const fits = routes.filter(({ template }) =>
        segmentsOf(template).every(
          (segment, index) => index < parts.length && (segment.startsWith('{') || segment === parts[index]),
        ),
      )
      // Literal before template from the left; among those the deepest.
      const rank = ({ template }: Route): string => {
        const segments = segmentsOf(template)
        return parts
          .map((_, index) => (index >= segments.length ? '0' : segments[index]?.startsWith('{') ? '1' : '2'))
          .join('')
      }
      const best = fits.map(rank).sort().at(-1)
      const found = matcher.match(ask(path))?.route
      assert.equal(
        found === undefined ? undefined : rank(found),
        best,
        `${path} in ${routes.map(({ template }) => template).join(' ')}`,
      )
    }
  }
})

test('50,000 routes are told apart', () => {
  const routes = Array.from({ length: 50_000 }, (_, index) =>
    route({ path: `/s${index % 97}/r${index}/items` }, String(index)),
  )
  const matcher = createMatcher(routes)
  for (let index = 0; index < 50_000; index += 997)
    assert.equal(matcher.match(ask(`/s${index % 97}/r${index}/items/7`))?.route.id, String(index))
  assert.equal(matcher.match(ask('/s1/r2/items')), null)
})

test('a path of very many segments is matched by its beginning', () => {
  const { template } = matcherOf({ path: '/a/b' }, { path: '/{x}/c', methods: ['PUT'] }, { path: '/' })
  const long = '/z'.repeat(8000)
  assert.equal(template(`/a/b${long}`), '/a/b')
  assert.equal(template(`/a/bb${long}`), '/')
  assert.equal(template(`/a/c${long}`, { method: 'PUT' }), '/{x}/c')
})

test('a route that stops being alone at its path is found all the same', () => {
  const beta = predicateOf('header', 'x-beta', '*')
  const routes = [
    route({ path: '/a' }, 'plain'),
    route({ path: '/a', predicates: [beta] }, 'beta'),
    route({ path: '/b', predicates: [beta] }, 'first'),
    route({ path: '/b', methods: ['GET'] }, 'second'),
  ]
  const matcher = createMatcher(routes)
  const chosen = (path: string, headers: string[] = []) => matcher.match(ask(path, { headers }))?.route.id
  assert.equal(chosen('/a/x'), 'plain')
  assert.equal(chosen('/a/x', ['x-beta', '']), 'beta')
  assert.equal(chosen('/b'), 'second')
  assert.deepEqual(matcher.allowedMethods(ask('/b', { method: 'POST' })), ['GET', 'HEAD'])
})
