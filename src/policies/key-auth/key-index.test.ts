import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testConsumer } from '#policies/test-call'
import { findConsumer, keyIndex } from './key-index.ts'

test('however many keys are seen, each belongs to its own consumer and only some are remembered', () => {
  const consumers = Array.from({ length: 5000 }, (_, i) => testConsumer(`consumer-${i}`, `key-${i}`))
  const index = keyIndex(consumers)
  for (let round = 0; round < 2; round++)
    for (const [i, consumer] of consumers.entries()) {
      if (findConsumer(index, `key-${i}`) !== consumer) assert.fail(`key-${i} has the wrong consumer`)
      if (index.remembered.size > 4096) assert.fail(`${index.remembered.size} keys are remembered`)
    }
})

test('wrong keys are not remembered', () => {
  const index = keyIndex([testConsumer('alice', 'k1')])
  for (let i = 0; i < 100; i++) assert.equal(findConsumer(index, `guess-${i}`), null)
  assert.equal(index.remembered.size, 0)
})

test('the longest key has 512 characters', () => {
  const longest = 'k'.repeat(512)
  const alice = testConsumer('alice', longest, `${longest}k`)
  const index = keyIndex([alice])
  assert.equal(findConsumer(index, longest), alice)
  assert.equal(findConsumer(index, `${longest}k`), null)
})

test('routes with the same consumers share one index', () => {
  const consumers = [testConsumer('alice', 'k1')]
  assert.equal(keyIndex(consumers), keyIndex(consumers))
  assert.notEqual(keyIndex(consumers), keyIndex([...consumers]))
})
