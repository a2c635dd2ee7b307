import assert from 'node:assert/strict'
import { test } from 'node:test'
import { respawnDelay } from './respawn-delay.ts'

test('workers that keep dying are replaced ever more slowly, until one has lived for a while', () => {
  const delay = respawnDelay()
  assert.deepEqual([1, 1, 1].map(delay), [200, 400, 800])
  assert.deepEqual([...Array(8)].map(() => delay(10)).at(-1), 10_000)
  assert.deepEqual([delay(60_000), delay(1)], [200, 400])
})
