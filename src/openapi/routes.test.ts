import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contractRoutes, parseContract } from './routes.ts'

const document = (rest: object) => ({ openapi: '3.1.0', ...rest })

test('every path gives a route with its methods', () => {
  const paths = { '/pets': { summary: 'x', get: {}, post: {}, parameters: [] }, '/none': { summary: 'x' }, 'x-a': {} }
  assert.deepEqual(contractRoutes(document({ paths })), [{ path: '/pets', methods: ['GET', 'POST'] }])
})

test('the path of the first server comes before', () => {
  const paths = { '/pets': { get: {} } }
  const prefixed = (...servers: object[]) => contractRoutes(document({ servers, paths }))[0]?.path
  assert.equal(prefixed({ url: 'https://api.example.com/v1/' }, { url: '/v2' }), '/v1/pets')
  assert.equal(prefixed({ url: '/v2' }), '/v2/pets')
  assert.equal(prefixed({ url: '/' }), '/pets')
  assert.equal(prefixed({ url: 'https://{region}.example.com' }), '/pets')
  const variables = { scheme: { default: 'https' }, base: { default: 'v3' } }
  assert.equal(prefixed({ url: '{scheme}://a.example/{base}', variables }), '/v3/pets')
  assert.equal(prefixed({ url: 7 }), '/pets')
})

test('a path item may be a reference', () => {
  const components = { pathItems: { Pets: { get: {} } } }
  const paths = { '/a': { $ref: '#/components/pathItems/Pets' }, '/b': { $ref: './b.yaml' } }
  assert.deepEqual(contractRoutes(document({ paths, components })), [
    { path: '/a', methods: ['GET'] },
    { path: '/b', methods: [] },
  ])
})

test('what is no OpenAPI 3 document is refused with the reason', () => {
  assert.throws(() => contractRoutes([]), /is not an OpenAPI document/)
  assert.throws(() => contractRoutes({ info: {} }), /"openapi" is missing/)
  assert.throws(() => contractRoutes({ swagger: '2.0' }), /Swagger 2\.0/)
  assert.throws(() => contractRoutes({ openapi: 3.1 }), /is not OpenAPI 3\.x/)
  assert.throws(() => contractRoutes(document({ paths: [] })), /"paths"/)
})

test('contracts are read from YAML and JSON', () => {
  const expected = { openapi: '3.1.0', paths: {} }
  assert.deepEqual(parseContract('\uFEFFopenapi: 3.1.0\npaths: {}\n'), expected)
  assert.deepEqual(parseContract('{"openapi": "3.1.0", "paths": {}}'), expected)
  assert.deepEqual(parseContract('{openapi: 3.1.0, paths: {}}'), expected)
  for (const text of ['{"openapi": ', 'a: [', '['.repeat(100_000)]) {
    assert.throws(() => parseContract(text), /neither valid YAML nor valid JSON/)
  }
})
