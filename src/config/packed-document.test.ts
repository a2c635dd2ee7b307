import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runSteps } from '#base/steps'
import { parseDocument } from './load.ts'
import { packDocument, unpackSteps } from './packed-document.ts'
import { testCatalogue as catalogue } from './test-catalogue.ts'

const load = (value: unknown) => {
  const result = parseDocument(JSON.stringify(value), {
    file: 'portico.yaml',
    catalogue,
    readFile: () => assert.fail('nothing is read'),
  })
  assert.ok(result.ok, JSON.stringify(result))
  return result.document
}

const service = (name: string, routes: number, more: object = {}) => ({
  name,
  upstream: { targets: [{ url: 'http://127.0.0.1:9' }] },
  routes: Array.from({ length: routes }, (_, index) => ({
    path: `/${name}/${index}`,
    ...(index % 5 === 0 && { policies: { 'rate-limit': { limit: index + 1, window: '1s' } } }),
  })),
  ...more,
})

test('a packed document is the same when it is read again, over many slices', () => {
  const document = load({
    version: 1,
    settings: { policies: { 'rate-limit': { limit: 3, window: '1s' } } },
    services: [
      ...Array.from({ length: 300 }, (_, index) => service(`s${index}`, 1)),
      service('big', 700),
      service('last', 2, { policies: { 'key-auth': {} } }),
    ],
    consumers: Array.from({ length: 2500 }, (_, index) => ({ name: `c${index}`, keys: [{ secret: `key-${index}` }] })),
  })
  const packed = packDocument(document)
  assert.ok(packed.ends.length > 5)
  const again = runSteps(unpackSteps(packed))
  assert.deepEqual(again, document)
  // Infinity, which JSON does not know, is the default of a timeout.
  assert.equal(again.services[0]?.upstream?.timeouts.total, Number.POSITIVE_INFINITY)
})

test('policies that were one object are one again, so that routes go on sharing them', () => {
  const document = load({
    version: 1,
    settings: { policies: { 'rate-limit': { limit: 3, window: '1s' } } },
    services: [service('a', 600)],
  })
  const again = runSteps(unpackSteps(packDocument(document)))
  const shared = (of: typeof document) =>
    new Set(of.services.flatMap(({ routes }) => routes.map(({ policies }) => policies))).size
  assert.equal(shared(again), shared(document))
  const uses = again.services.flatMap(({ routes }) => routes.flatMap(({ policies }) => policies))
  const before = document.services.flatMap(({ routes }) => routes.flatMap(({ policies }) => policies))
  assert.equal(new Set(uses).size, new Set(before).size)
})

test('an empty document can be packed', () => {
  const document = load({ version: 1 })
  assert.deepEqual(runSteps(unpackSteps(packDocument(document))), document)
})
