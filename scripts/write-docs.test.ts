import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'yaml'
import { errorCodes } from '#base/errors'
import { policies } from '#policies/index'
import { policyExamples } from './policy-examples.ts'
import { pages } from './write-docs.ts'

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

const sections = (page: string): string[] => [...page.matchAll(/^## (.+)$/gm)].map(match => match[1] as string)

for (const [path, page] of Object.entries(pages))
  test(`${path} says what the sources say (run scripts/write-docs.ts)`, () => assert.equal(read(path), page()))

test('every error code has a section, and every section a code', () => {
  assert.deepEqual(sections(read('docs/errors.md')).sort(), Object.keys(errorCodes).sort())
})

test('every error code is explained in words of its own', () => {
  const parts = read('docs/errors.md')
    .split(/^## .+$/m)
    .slice(1)
  for (const part of parts) assert.ok(part.trim().split('\n\n').length >= 3, part)
  assert.equal(new Set(parts).size, parts.length)
})

test('every policy has a section', () => {
  assert.deepEqual(
    sections(read('docs/policies.md')),
    policies.map(policy => policy.name),
  )
})

test('every policy has an example that is a valid configuration', () => {
  assert.deepEqual(Object.keys(policyExamples).sort(), policies.map(policy => policy.name).sort())
  for (const policy of policies) {
    const example = parse(policyExamples[policy.name] ?? '')
    assert.deepEqual(Object.keys(example), [policy.name])
    const { error } = policy.schema.safeParse(example[policy.name])
    assert.equal(error, undefined, `${policy.name}: ${error?.message}`)
  }
})
