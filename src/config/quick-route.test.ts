import assert from 'node:assert/strict'
import { test } from 'node:test'
import { quickRoute } from './quick-route.ts'
import { routeSchema } from './schema.ts'

const values = {
  path: ['/', '/a', '/a/{id}', '/a-b/c.d', '/a/', '//', '/{x}/{x}', '/%41', '/é', 'a', '/a?b', 7, undefined],
  methods: [undefined, [], ['GET'], ['GET', 'POST'], ['get'], ['GET', 'GET'], ['BREW'], ['CONNECT'], 'GET', null],
  more: [{}, { policies: { x: 1 } }, { policies: null }, { name: 'a' }, { hosts: [] }, { colour: 'red' }],
}

test('a route that is decoded quickly is what the schema makes of it', () => {
  let quick = 0
  for (const path of values.path)
    for (const methods of values.methods)
      for (const more of values.more) {
        const written = { ...(path !== undefined && { path }), ...(methods !== undefined && { methods }), ...more }
        const route = quickRoute(written)
        if (route === undefined) continue
        quick++
        assert.deepEqual(route, routeSchema.parse(written), JSON.stringify(written))
      }
  assert.equal(quick, 4 * 4 * 3)
  for (const other of [null, undefined, 'path', ['/a'], 7]) assert.equal(quickRoute(other), undefined)
})
