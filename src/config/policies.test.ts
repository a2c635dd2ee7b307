import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDocument } from './load.ts'
import { testCatalogue as catalogue } from './test-catalogue.ts'

type Places = { settings?: string; service?: string; route?: string; other?: string }

const parse = ({ settings = '{}', service = '{}', route = '{}', other = '{}' }: Places) =>
  parseDocument(
    `version: 1
settings: { policies: ${settings} }
services:
  - name: orders
    upstream: { targets: [{ url: "http://a" }] }
    policies: ${service}
    routes: [{ path: /a, policies: ${route} }, { path: /b, policies: ${other} }]
ai: { policies: { key-auth: false } }
`,
    { file: 'portico.yaml', catalogue, readFile: () => '' },
  )

/** Policies of the first route as `name@scope` and config. */
const policiesOf = (places: Places) => {
  const result = parse(places)
  assert.ok(result.ok, JSON.stringify(result))
  return result.document.services[0]!.routes[0]!.policies.map(({ name, scope, config }) => [`${name}@${scope}`, config])
}

const errorsOf = (places: Places) => {
  const result = parse(places)
  assert.ok(!result.ok)
  return result.errors.map(({ line, path, message }) => `${line} ${path}: ${message}`)
}

const defaults = { limit: 5, window: 1000, by: 'consumer', algorithm: 'gcra' }

test('a policy of the settings holds for every route, with one shared scope', () => {
  const result = parse({ settings: '{ rate-limit: { limit: 5, window: 1s } }' })
  assert.ok(result.ok)
  const uses = result.document.services.flatMap(({ routes }) => routes.map(({ policies }) => policies[0]))
  assert.deepEqual(uses, Array(4).fill({ name: 'rate-limit', scope: 'settings', config: defaults }))
})

test('the more specific place wins, key by key, and becomes the scope', () => {
  const settings = '{ rate-limit: { limit: 5, window: 1s, by: ip } }'
  const service = '{ rate-limit: { limit: 10 } }'
  const route = '{ rate-limit: { by: route } }'
  const ip = { ...defaults, by: 'ip' }
  assert.deepEqual(policiesOf({ settings }), [['rate-limit@settings', ip]])
  assert.deepEqual(policiesOf({ settings, service }), [['rate-limit@orders', { ...ip, limit: 10 }]])
  assert.deepEqual(policiesOf({ settings, service, route }), [
    ['rate-limit@orders/a', { ...defaults, limit: 10, by: 'route' }],
  ])
  assert.deepEqual(policiesOf({ settings, other: route }), [['rate-limit@settings', ip]])
})

test('defaults never hide what a place above says', () => {
  const settings = '{ key-auth: { header: x-key, optional: true } }'
  assert.deepEqual(policiesOf({ settings, route: '{ key-auth: { optional: false } }' }), [
    ['key-auth@orders/a', { header: 'x-key', optional: false }],
  ])
})

test('nothing and an empty map switch a policy on with its defaults', () => {
  const on = [['key-auth@orders', { header: 'x-api-key', optional: false }]]
  assert.deepEqual(policiesOf({ service: '{ key-auth: {} }' }), on)
  assert.deepEqual(policiesOf({ service: '{ key-auth: }' }), on)
})

test('false switches off what is inherited; below it the policy begins anew', () => {
  const settings = '{ key-auth: { header: x-key } }'
  assert.deepEqual(policiesOf({ settings, route: '{ key-auth: false }' }), [])
  assert.deepEqual(policiesOf({ settings, service: '{ key-auth: false }' }), [])
  assert.deepEqual(policiesOf({ settings, service: '{ key-auth: false }', route: '{ key-auth: {} }' }), [
    ['key-auth@orders/a', { header: 'x-api-key', optional: false }],
  ])
})

test('policies come in the order of the catalogue, not of the file', () => {
  const service = '{ rate-limit: { limit: 5, window: 1s }, key-auth: {} }'
  assert.deepEqual(
    policiesOf({ service }).map(([name]) => name),
    ['key-auth@orders', 'rate-limit@orders'],
  )
})

test('a place may say a part and leave the rest to the places below', () => {
  const settings = '{ rate-limit: { window: 1s } }'
  const off = '{ rate-limit: false }'
  const service = '{ rate-limit: { limit: 5 } }'
  const result = parse({ settings, service })
  // The section inherits the part alone, and that is not enough.
  assert.deepEqual(result.ok ? [] : result.errors.map(({ path }) => path), ['settings.policies.rate-limit.limit'])
  assert.deepEqual(errorsOf({ settings: off, service }), [
    '6 services[0].policies.rate-limit.window: "window" is missing',
  ])
})

test('a mistake is found even where no route uses what was written', () => {
  assert.deepEqual(
    errorsOf({
      settings: '{ key-auth: { heder: x } }',
      service: '{ key-auth: false }',
    }),
    ['2 settings.policies.key-auth.heder: unknown key "heder"'],
  )
})
