import assert from 'node:assert/strict'
import { test } from 'node:test'
import { routeIds } from './route-ids.ts'

type Given = Partial<Parameters<typeof routeIds>[1][number]>

const route = (given: Given) => ({
  name: undefined,
  path: '/a',
  methods: [],
  hosts: [],
  headers: {},
  query: {},
  ...given,
})

const ids = (...routes: Given[]) => routeIds('orders', routes.map(route))

test('an id is the name of a route, else its path', () => {
  assert.deepEqual(ids({ name: 'list' }, { path: '/a/{id}' }, { path: '/' }), [
    'orders/list',
    'orders/a/{id}',
    'orders/',
  ])
})

test('routes of one path are told apart by what they differ in', () => {
  assert.deepEqual(ids({ methods: ['POST', 'GET'] }, { methods: ['PUT'] }, {}), [
    'orders/a GET,POST',
    'orders/a PUT',
    'orders/a',
  ])
  assert.deepEqual(ids({ hosts: ['b.example'] }, { hosts: ['a.example'] }), [
    'orders/a b.example',
    'orders/a a.example',
  ])
})

test('values of conditions do not show in an id', () => {
  const [first, second] = ids({ headers: { 'x-internal': 'secret' } }, { headers: { 'x-internal': 'other' } })
  assert.match(first!, /^orders\/a [0-9a-f]{8}$/)
  assert.notEqual(first, second)
})

test('a name goes before a path that reads the same', () => {
  assert.deepEqual(ids({ path: '/list' }, { name: 'list' }), ['orders/list #2', 'orders/list'])
})

test('ids do not depend on the order of routes', () => {
  const routes: Given[] = [
    { path: '/b' },
    { methods: ['GET'] },
    { methods: ['POST'], hosts: ['a.example'] },
    { methods: ['POST'], hosts: ['b.example'] },
    { methods: ['POST'], query: { v: '1' } },
    { name: 'x' },
  ]
  assert.deepEqual(ids(...routes.toReversed()).toReversed(), ids(...routes))
  assert.equal(new Set(ids(...routes)).size, routes.length)
})
