import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { sampleCall } from '#storage/calls-contract'
import { callView } from './call-view.ts'
import { adminDocument } from './openapi.ts'
import { operations } from './operations.ts'

const golden = new URL('../../openapi/admin.json', import.meta.url)
const written = `${JSON.stringify(adminDocument, null, 2)}\n`

type Node = { [name: string]: unknown }

/** Every object of the document, with its path. */
const walk = function* (node: unknown, path = '#'): Generator<[string, Node]> {
  if (typeof node !== 'object' || node === null) return
  yield [path, node as Node]
  for (const [name, child] of Object.entries(node)) yield* walk(child, `${path}/${name}`)
}

const resolve = (reference: string): unknown =>
  reference
    .slice(2)
    .split('/')
    .reduce<unknown>((node, name) => (node as Node)[name], adminDocument)

describe('description of the admin API', () => {
  it('is what openapi/admin.json holds (UPDATE_GOLDEN=1 writes it)', () => {
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, written)
    assert.deepEqual(JSON.parse(readFileSync(golden, 'utf8')), adminDocument)
  })

  it('lists exactly the operations that there are, and which of them are open', () => {
    const described = Object.entries(adminDocument.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => {
        const open = (operation as { security?: unknown[] }).security?.length === 0
        return `${method.toUpperCase()} ${path}${open ? ' open' : ''}`
      }),
    )
    const served = operations.flatMap(({ path, methods, open }) =>
      Object.keys(methods).map(method => `${method} ${path}${open ? ' open' : ''}`),
    )
    assert.deepEqual(described.sort(), served.sort())
  })

  it('has no reference to something that is not there', () => {
    for (const [path, node] of walk(adminDocument)) {
      if (typeof node['$ref'] === 'string') assert.ok(resolve(node['$ref']), `${path}: ${node['$ref']}`)
    }
  })

  it('gives each operation an id of its own, a summary, a tag and its 401', () => {
    const ids = new Set<string>()
    for (const item of Object.values(adminDocument.paths)) {
      for (const operation of Object.values(item) as Node[]) {
        const { operationId, summary, tags, responses, security } = operation
        assert.ok(!ids.has(operationId as string))
        ids.add(operationId as string)
        assert.match(summary as string, /^[A-Z].*[^.]$/)
        assert.ok(adminDocument.tags.some(tag => tag.name === (tags as string[])[0]))
        assert.equal('401' in (responses as Node), security === undefined)
      }
    }
  })

  it('describes a call with the members that calls have, in the same order', () => {
    assert.deepEqual(Object.keys(adminDocument.components.schemas.Call.properties), Object.keys(callView(sampleCall())))
  })
})
