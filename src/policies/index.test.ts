import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { phases } from '#gateway/contract'
import { policies } from './index.ts'

const folders = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter(entry => entry.isDirectory())
  .map(entry => entry.name)
  .sort()

test('every folder of a policy is in the list, under its own name', () => {
  assert.deepEqual(policies.map(policy => policy.name).sort(), folders)
})

test('the list is in the order in which the policies act', () => {
  const order = policies.map(policy => phases.indexOf(policy.phase))
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
  )
})
