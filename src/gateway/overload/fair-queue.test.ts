import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FairQueue } from './fair-queue.ts'
import { Permits } from './permits.ts'
import { createSharedState, openSlot, releaseWorker } from './shared-state.ts'

const filled = (items: string): FairQueue<string> => {
  const queue = new FairQueue<string>()
  for (const item of items.split(' ')) queue.push(item[0] as string, item)
  return queue
}

const drained = (queue: FairQueue<string>): string => {
  const order: string[] = []
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) order.push(item)
  return order.join(' ')
}

test('first come, first served for one key', () => {
  assert.equal(drained(filled('a1 a2 a3')), 'a1 a2 a3')
})

test('turns go round over the keys', () => {
  assert.equal(drained(filled('a1 a2 a3 a4 b1 b2 c1')), 'a1 b1 c1 a2 b2 a3 a4')
})

test('a key that comes back waits for its turn', () => {
  const queue = filled('a1 a2 a3')
  assert.equal(queue.shift(), 'a1')
  queue.push('b', 'b1')
  queue.push('b', 'b2')
  assert.equal(drained(queue), 'a2 b1 a3 b2')
})

test('who leaves is not missed', () => {
  const queue = filled('a1 a2 b1 b2')
  assert.equal(queue.remove('b1'), true)
  assert.equal(queue.remove('b1'), false)
  assert.equal(queue.oldest(), 'a1')
  queue.remove('a1')
  assert.equal(queue.oldest(), 'a2')
  assert.equal(queue.size, 2)
  assert.equal(drained(queue), 'a2 b2')
  assert.equal(queue.first(), undefined)
})

test('permits are counted over workers, and those of a dead one come back', () => {
  const memory = createSharedState(64)
  const a = new Permits(openSlot(memory, 'target', 0))
  const b = new Permits(openSlot(memory, 'target', 1))
  assert.deepEqual([a.take(3), b.take(3), b.take(3), a.take(3)], [true, true, true, false])
  assert.equal(a.held, 3)
  releaseWorker(memory, 1)
  assert.equal(a.held, 1)
  assert.ok(a.take(3))
  a.give()
  a.give()
  assert.equal(b.held, 0)
})

test('names have slots of their own, also where there are too many of them', () => {
  const memory = createSharedState(16)
  const slots = Array.from({ length: 40 }, (_, index) => openSlot(memory, `upstream ${index}`, 0))
  for (const slot of slots) assert.ok(new Permits(slot).take(1))
  assert.equal(new Permits(openSlot(memory, 'upstream 3', 1)).held, 1)
})
