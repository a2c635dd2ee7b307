import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { configJsonSchema } from './json-schema.ts'
import { testCatalogue } from './test-catalogue.ts'

type Json = { [key: string]: unknown }

const schema = configJsonSchema(testCatalogue)

const objects = (value: unknown, path: string, found: [string, Json][] = []): [string, Json][] => {
  if (typeof value !== 'object' || value === null) return found
  if ('properties' in value && typeof value.properties === 'object') found.push([path, value as Json])
  for (const [key, part] of Object.entries(value)) objects(part, `${path}/${key}`, found)
  return found
}

test('no object takes unknown keys', () => {
  const all = objects(schema, '#')
  assert.ok(all.length > 12)
  for (const [path, object] of all) assert.equal(object['additionalProperties'], false, path)
})

test('every key of ours says what it is for', () => {
  for (const [path, object] of objects(schema, '#')) {
    if (path.includes('/$defs/') || path.includes('/ai/') || path === '#/properties/ai') continue
    for (const [key, property] of Object.entries(object['properties'] as Record<string, Json>)) {
      assert.ok(property['description'], `${path}/properties/${key} has no description`)
    }
  }
})

// A second implementation reads the schema, so that it is judged as editors judge it.
const check = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0])
const accepts = (document: Json) => check.safeParse({ version: 1, ...document }).success
const service = { name: 'a', upstream: { targets: [{ url: 'http://a' }] }, routes: [{ path: '/' }] }

test('valid files are valid by the schema', () => {
  assert.ok(accepts({}))
  assert.ok(accepts({ settings: { timeouts: { idle: '1m' }, limits: { head: '64kb' }, calls: { keep: 5 } } }))
  assert.ok(accepts({ services: [service], consumers: [{ name: 'b', keys: [{ secret: 'x' }] }], ai: { path: '/ai' } }))
})

test('every place takes policies: a part of one, nothing, or false', () => {
  for (const policy of [{ limit: 5 }, {}, null, false]) {
    const policies = { 'rate-limit': policy }
    assert.ok(
      accepts({ settings: { policies }, services: [{ ...service, policies, routes: [{ path: '/', policies }] }] }),
    )
    assert.ok(accepts({ ai: { policies } }))
  }
})

test('wrong files are not valid by the schema', () => {
  assert.equal(check.safeParse({}).success, false)
  assert.ok(!accepts({ service: [] }))
  assert.ok(!accepts({ services: [{ ...service, rotues: [] }] }))
  assert.ok(!accepts({ services: [{ ...service, upstream: { targets: [] } }] }))
  assert.ok(!accepts({ settings: { policies: { unknown: {} } } }))
  assert.ok(!accepts({ settings: { policies: { 'rate-limit': { limt: 5 } } } }))
  assert.ok(!accepts({ settings: { policies: { 'rate-limit': true } } }))
  assert.ok(!accepts({ settings: { timeouts: { idle: 60 } } }))
})
