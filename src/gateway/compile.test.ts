import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import type { Document, RouteDocument, ServiceDocument } from '#config/document'
import type { HeaderList } from '#http/headers'
import { TimerWheel } from '#http/timer-wheel'
import { createCountersMemory, sharedCounters } from '#storage/shared-counters'
import type { Call } from './call.ts'
import { compile } from './compile.ts'
import { definePolicy, type HandlerUnit, type Phase, type PolicyUnit, phases, type UnitContext } from './contract.ts'
import { LongCalls } from './long-calls.ts'
import { UpstreamRegistry } from './upstream-registry.ts'

const wheel = new TimerWheel()

/** A call that no unit of these tests looks into. */
const call = {} as Call

const handlerUnit = (log: string[]): HandlerUnit => ({
  name: 'answer',
  schema: z.unknown(),
  create: () => () => void log.push('answer'),
})

/** Writes down when it is called; `answers` ends the call instead of passing it on. */
const policy = (name: string, phase: Phase, log: string[], answers = false): PolicyUnit =>
  definePolicy({
    name,
    phase,
    summary: 'For tests.',
    schema: z.unknown(),
    create: config => ({
      request: (passing, next) => {
        log.push(config === undefined ? name : `${name} ${JSON.stringify(config)}`)
        return answers ? undefined : next(passing)
      },
      response: () => void log.push(`${name} response`),
    }),
  })

const route = (path: string, names: string[] = [], more: Partial<RouteDocument> = {}): RouteDocument => ({
  id: `service${path}`,
  path,
  methods: [],
  hosts: [],
  headers: {},
  query: {},
  stripPrefix: null,
  encodedSlashes: 'reject',
  policies: names.map(name => ({ name, scope: 'service', config: undefined })),
  ...more,
})

const local = (routes: RouteDocument[], more: Partial<ServiceDocument> = {}): ServiceDocument => ({
  name: 'service',
  upstream: null,
  handler: { type: 'answer', config: null },
  contract: null,
  routes,
  ...more,
})

const proxied = (name: string, ...urls: string[]): ServiceDocument => ({
  name,
  upstream: {
    targets: urls.map(url => ({ url, weight: 1 })),
    balance: 'round-robin',
    hash: { by: { from: 'ip' }, loadFactor: 1.25 },
    sticky: null,
    slowStart: 0,
    panicThreshold: 50,
    health: { active: null, passive: null },
    timeouts: { connect: 1000, response: 1000, total: Number.POSITIVE_INFINITY },
    retry: { attempts: 0 },
    preserveHost: false,
    headers: [],
  },
  handler: null,
  contract: null,
  routes: [route(`/${name}`, [], { id: name })],
})

const documentOf = (services: ServiceDocument[], more: Partial<Document> = {}): Document => ({
  version: 1,
  settings: {
    trustedProxies: [],
    timeouts: { requestHead: 10_000, idle: 60_000, drain: 1000, drainDelay: 0, stall: 0 },
    limits: { head: 65_536, headers: 100, target: 8192, connections: 100 },
    tls: null,
    dns: { servers: [], minTtl: 1000, maxTtl: 300_000 },
    minimumRate: { request: 0, response: 0, grace: 10_000 },
    accessLog: 'off',
    calls: { keep: 0 },
  },
  services,
  consumers: [],
  ...more,
})

const compileWith = (
  services: ServiceDocument[],
  units: readonly PolicyUnit[] = [],
  given: { log?: string[]; upstreams?: UpstreamRegistry; document?: Partial<Document> } = {},
) =>
  compile(documentOf(services, given.document), {
    units: { policies: units, handlers: [handlerUnit(given.log ?? [])] },
    counters: sharedCounters(createCountersMemory({ slots: 64 })),
    upstreams: given.upstreams ?? new UpstreamRegistry(wheel),
    longCalls: new LongCalls(wheel),
    revision: 7,
  })

const originsOf = (upstreams: UpstreamRegistry): number[] => [...upstreams.pools].map(pool => pool.options.origin.port)

test('policies run by phase, whatever the order in the configuration and in the list of units', async () => {
  const log: string[] = []
  const units = phases.map(phase => policy(`at-${phase}`, phase, log)).reverse()
  const names = ['at-limit', 'at-shield', 'at-transform', 'at-authorize', 'at-authenticate', 'at-negotiate']
  const snapshot = compileWith([local([route('/a', names)])], units, { log })
  await snapshot.routes[0]?.handle(call)
  assert.deepEqual(log, [...phases.map(phase => `at-${phase}`), 'answer'])
  assert.deepEqual(
    snapshot.routes[0]?.policies.map(({ phase }) => phase),
    [...phases],
  )
})

test('inside one phase the list of units decides', async () => {
  const log: string[] = []
  const units = ['one', 'two', 'three'].map(name => policy(name, 'limit', log))
  const snapshot = compileWith([local([route('/a', ['three', 'one', 'two'])])], units, { log })
  await snapshot.routes[0]?.handle(call)
  assert.deepEqual(log, ['one', 'two', 'three', 'answer'])
})

test('a policy that answers keeps the call from everything behind it', async () => {
  const log: string[] = []
  const units = [
    policy('first', 'shield', log),
    policy('answers', 'limit', log, true),
    policy('last', 'transform', log),
  ]
  const snapshot = compileWith([local([route('/a', ['first', 'answers', 'last'])])], units, { log })
  await snapshot.routes[0]?.handle(call)
  assert.deepEqual(log, ['first', 'answers'])
})

test('responses pass the policies in reverse order', () => {
  const log: string[] = []
  const units = [policy('one', 'shield', log), policy('two', 'limit', log), policy('three', 'transform', log)]
  const snapshot = compileWith([local([route('/a', ['one', 'two', 'three']), route('/b', ['two'])])], units)
  const response = { status: 200, headers: [] as HeaderList }
  snapshot.routes[0]?.onResponse?.(call, response)
  assert.deepEqual(log, ['three response', 'two response', 'one response'])
  log.length = 0
  snapshot.routes[1]?.onResponse?.(call, response)
  assert.deepEqual(log, ['two response'])
})

test('where no policy looks at responses there is nothing to call', () => {
  const quiet = definePolicy({ name: 'quiet', phase: 'limit', summary: '', schema: z.unknown(), create: () => ({}) })
  const snapshot = compileWith([local([route('/a', ['quiet']), route('/b')])], [quiet])
  assert.deepEqual(
    snapshot.routes.map(({ onResponse }) => onResponse),
    [null, null],
  )
})

test('a policy may have a response side only, and is passed over by requests', async () => {
  const log: string[] = []
  const unit = definePolicy({
    name: 'late',
    phase: 'shield',
    summary: '',
    schema: z.unknown(),
    create: () => ({ response: () => void log.push('late response') }),
  })
  const snapshot = compileWith([local([route('/a', ['late', 'early'])])], [unit, policy('early', 'limit', log)], {
    log,
  })
  await snapshot.routes[0]?.handle(call)
  assert.deepEqual(log, ['early', 'answer'])
})

test('a unit is told the scope it was declared in, and the consumers', () => {
  const contexts: UnitContext[] = []
  const unit = definePolicy({
    name: 'curious',
    phase: 'limit',
    summary: '',
    schema: z.unknown(),
    create: (_config, context) => {
      contexts.push(context)
      return {}
    },
  })
  const uses = (scope: string) => [{ name: 'curious', scope, config: undefined }]
  const consumers = [{ name: 'ann', groups: ['staff'], keyHashes: [] }]
  const routes = [route('/a', [], { policies: uses('settings') }), route('/b', [], { policies: uses('service/b') })]
  compileWith([local(routes)], [unit], { document: { consumers } })
  assert.deepEqual(
    contexts.map(({ scope }) => scope),
    ['settings/curious', 'service/b/curious'],
  )
  assert.deepEqual(contexts[0]?.consumers, consumers)
})

test('routes with the same policies share one chain, and one declaration is one unit', () => {
  let made = 0
  const unit = definePolicy({
    name: 'counting',
    phase: 'limit',
    summary: '',
    schema: z.unknown(),
    create: () => {
      made++
      return { request: (passing, next) => next(passing) }
    },
  })
  const use = { name: 'counting', scope: 'settings', config: undefined }
  const list = [use]
  const own = { name: 'counting', scope: 'service/c', config: undefined }
  const routes = [
    route('/a', [], { policies: list }),
    route('/b', [], { policies: list }),
    route('/c', [], { policies: [own] }),
  ]
  const snapshot = compileWith(
    [local(routes), local([route('/d', [], { policies: [use] })], { name: 'other' })],
    [unit],
  )
  const [a, b, c, d] = snapshot.routes
  assert.equal(made, 2)
  assert.equal(a?.handle, b?.handle)
  assert.notEqual(a?.handle, c?.handle)
  assert.notEqual(a?.handle, d?.handle, 'another service answers')
})

test('a route knows the names of its templates, its predicates and its prefix', () => {
  const snapshot = compileWith([
    local([
      route('/orders/{id}/items/{item}', [], {
        headers: { 'X-Beta': 'yes', 'x-any': '*' },
        query: { V: '2' },
        stripPrefix: '/orders',
        encodedSlashes: 'keep',
      }),
      route('/'),
    ]),
    { ...proxied('up', 'http://127.0.0.1:1') },
  ])
  const [first, root, up] = snapshot.routes
  assert.deepEqual(first?.parameterNames, ['id', 'item'])
  assert.deepEqual(
    first?.predicates.map(({ text }) => text),
    ['header x-beta = yes', 'header x-any', 'query V = 2'],
  )
  assert.equal(first?.stripPrefix, '/orders')
  assert.equal(root?.stripPrefix, '')
  // What we answer ourselves cannot be read in two ways; an upstream might.
  assert.deepEqual([first?.encodedSeparators, root?.encodedSeparators, up?.encodedSeparators], [true, true, false])
  assert.equal(snapshot.revision, 7)
})

test('proxies are trusted by address and by network, in both families', () => {
  const settings = { ...documentOf([]).settings, trustedProxies: ['192.0.2.7', '10.0.0.0/8', '2001:db8::/32', '::1'] }
  const { isTrusted } = compileWith([], [], { document: { settings } })
  for (const [address, trusted] of [
    ['192.0.2.7', true],
    ['192.0.2.8', false],
    ['10.255.0.1', true],
    ['11.0.0.1', false],
    ['2001:db8:1::5', true],
    ['2001:db9::1', false],
    ['::1', true],
  ] as const)
    assert.equal(isTrusted?.(address), trusted, address)
  assert.equal(compileWith([]).isTrusted, null)
})

test('targets of one origin share a pool, and pools live on through a reload that names them again', () => {
  const upstreams = new UpstreamRegistry(wheel)
  compileWith([proxied('a', 'http://127.0.0.1:1/base', 'http://127.0.0.1:2'), proxied('b', 'http://127.0.0.1:1')], [], {
    upstreams,
  })
  assert.deepEqual(originsOf(upstreams), [1, 2])
  const [first] = upstreams.pools
  compileWith([proxied('c', 'http://127.0.0.1:3', 'http://127.0.0.1:1')], [], { upstreams })
  assert.deepEqual(originsOf(upstreams).sort(), [1, 3])
  assert.ok([...upstreams.pools].includes(first as never))
})

test('what does not compile changes nothing', () => {
  const upstreams = new UpstreamRegistry(wheel)
  compileWith([proxied('a', 'http://127.0.0.1:1')], [], { upstreams })
  const before = [...upstreams.pools]
  const failing = definePolicy({
    name: 'failing',
    phase: 'limit',
    summary: '',
    schema: z.unknown(),
    create: () => {
      throw new Error('one key belongs to two consumers')
    },
  })
  for (const [bad, message] of [
    [local([route('/x', ['unknown'])]), /no policy called unknown/],
    [local([route('/x', ['failing'])]), /one key belongs to two consumers/],
    [local([route('/x')], { handler: { type: 'unknown', config: null } }), /no handler called unknown/],
    [local([route('/x')], { handler: null }), /neither an upstream nor a handler/],
    [proxied('b', 'not a URL'), /Invalid URL/],
  ] as const) {
    assert.throws(() => compileWith([proxied('new', 'http://127.0.0.1:9'), bad], [failing], { upstreams }), message)
    assert.deepEqual([...upstreams.pools], before)
  }
  // The pool of the old configuration is still the one that a next one finds.
  const snapshot = compileWith([proxied('a', 'http://127.0.0.1:1')], [], { upstreams })
  assert.equal(snapshot.routes[0]?.service.upstream?.targets[0]?.pool, before[0])
})
