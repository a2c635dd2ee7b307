import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { parseDocument } from '#config/load'
import { TimerWheel } from '#http/timer-wheel'
import { createCountersMemory, sharedCounters } from '#storage/shared-counters'
import { compile } from './compile.ts'
import { definePolicy } from './contract.ts'
import { explain } from './explain.ts'
import { LongCalls } from './long-calls.ts'
import { UpstreamRegistry } from './upstream-registry.ts'

const schema = z.strictObject({})
const policies = [
  definePolicy({ name: 'guard', phase: 'authenticate', summary: 'For tests.', schema, create: () => ({}) }),
  definePolicy({ name: 'limit', phase: 'limit', summary: 'For tests.', schema, create: () => ({}) }),
]

const snapshotOf = (services: string) => {
  const parsed = parseDocument(`version: 1\nservices:\n${services}`, {
    file: 'portico.yaml',
    catalogue: { policies, sections: [] },
    env: {},
    readFile: () => assert.fail('nothing is read'),
  })
  assert.ok(parsed.ok, JSON.stringify(parsed))
  return compile(parsed.document, {
    units: { policies, handlers: [] },
    counters: sharedCounters(createCountersMemory({ slots: 64 })),
    upstreams: new UpstreamRegistry(new TimerWheel()),
    longCalls: new LongCalls(new TimerWheel()),
    revision: 1,
  })
}

const snapshot = snapshotOf(`
  - name: orders
    upstream:
      targets: [{ url: "http://127.0.0.1:9001/base" }, { url: "http://127.0.0.1:9002" }]
    policies: { limit: {} }
    routes:
      - { path: /orders, name: list, methods: [GET] }
      - { path: "/orders/{id}", name: one, methods: [GET, DELETE], policies: { guard: {} } }
      - { path: "/orders/{id}", name: beta, methods: [GET], headers: { x-beta: "*" } }
      - { path: /api/v1, name: v1, hosts: ["*.example.com"], stripPrefix: /api/v1 }
      - { path: /search, name: search, query: { q: "*" } }
`)

const ask = (method: string, url: string, headers: string[] = []) => explain(snapshot, { method, url, headers })

test('tells the route with its values, the policies in their order, and the target', () => {
  const answer = ask('delete', '/orders/7?full=1')
  assert.deepEqual(answer.request, { method: 'DELETE', host: '', path: '/orders/7', query: 'full=1' })
  assert.deepEqual(
    [answer.route?.id, answer.route?.service, answer.route?.path, answer.route?.params],
    ['orders/one', 'orders', '/orders/{id}', { id: '7' }],
  )
  assert.deepEqual(
    answer.policies.map(({ name, phase, scope }) => [name, phase, scope]),
    [
      ['guard', 'authenticate', 'orders/one'],
      ['limit', 'limit', 'orders'],
    ],
  )
  assert.equal(answer.handler, 'forward')
  assert.deepEqual(answer.target?.targets, ['http://127.0.0.1:9001/base', 'http://127.0.0.1:9002'])
  assert.equal(answer.problem, null)
})

test('tells why routes of the same path were not taken', () => {
  const reasonsOf = (answer: ReturnType<typeof ask>) =>
    Object.fromEntries(answer.rejected.map(({ id, reason }) => [id, reason]))
  assert.deepEqual(reasonsOf(ask('GET', '/orders/7')), {
    'orders/list': 'less specific than orders/one',
    'orders/beta': 'header: needs header x-beta',
  })
  assert.deepEqual(reasonsOf(ask('DELETE', '/orders/7', ['x-beta', '1'])), {
    'orders/list': 'method: takes GET, not DELETE',
    'orders/beta': 'method: takes GET, not DELETE',
  })
  assert.deepEqual(reasonsOf(ask('GET', 'http://other.test/api/v1/x')), {
    'orders/v1': 'host: takes *.example.com, not other.test',
  })
  assert.deepEqual(reasonsOf(ask('GET', '/search?p=1')), { 'orders/search': 'query: needs query q' })
})

test('routes of other paths are not mentioned', () => {
  assert.deepEqual(ask('GET', '/nowhere').rejected, [])
})

test('headers decide as they would in the gateway, in any case of letters', () => {
  assert.equal(ask('GET', '/orders/7', ['X-Beta', 'yes']).route?.id, 'orders/beta')
  assert.equal(ask('HEAD', '/orders/7').route?.id, 'orders/one')
})

test('the host comes from the URL or from the header', () => {
  for (const answer of [
    ask('GET', 'http://API.example.com:8080/api/v1/users'),
    ask('GET', 'https://api.example.com/api/v1/users#part'),
    ask('GET', '/api/v1/users', ['Host', 'api.example.com.']),
  ]) {
    assert.equal(answer.route?.id, 'orders/v1')
    assert.equal(answer.request.host, 'api.example.com')
  }
})

test('the path is the one that the target would be asked for', () => {
  const paths = [1, 2].map(() => ask('GET', 'http://a.example.com/api/v1/users/../x').target?.path).sort()
  assert.deepEqual(paths, ['/base/x', '/x'])
  const roots = [1, 2].map(() => ask('GET', 'http://a.example.com/api/v1').target?.path).sort()
  assert.deepEqual(roots, ['/', '/base/'])
})

test('tells the answer that a request without a route gets', () => {
  assert.deepEqual(
    [
      ask('GET', '/nowhere'),
      ask('PUT', '/orders/7'),
      ask('GET', '/search'),
      ask('GET', '/orders/../../etc'),
      ask('GET', '/orders/a%2fb'),
    ].map(({ problem }) => [problem?.status, problem?.code]),
    [
      [404, 'no-route'],
      [405, 'method-not-allowed'],
      [404, 'no-route'],
      [400, 'bad-request'],
      [400, 'bad-request'],
    ],
  )
  assert.equal(ask('PUT', '/orders/7').problem?.detail, 'Allowed: DELETE, GET, HEAD')
})

test('what is neither a path nor a URL of HTTP is said to be wrong, not matched by half', () => {
  for (const url of ['orders', 'xorders', '', '?q=1', 'ftp://a.example.com/orders', 'a.example.com/orders']) {
    const { route, problem } = ask('GET', url)
    assert.deepEqual([route, problem?.code], [null, 'bad-request'], url)
  }
})

test('a URL without a path asks for the root', () => {
  for (const url of ['http://a.example.com', 'http://a.example.com?q=1', 'http://a.example.com/'])
    assert.equal(ask('GET', url).request.path, '/', url)
})

test('asking changes nothing for the next one', () => {
  const first = ask('GET', '/orders/7')
  const second = ask('GET', '/orders/7')
  assert.deepEqual({ ...second, target: null }, { ...first, target: null })
})
