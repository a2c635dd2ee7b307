import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exceeds, MemoryWatch } from './memory-watch.ts'

const reading = { resident: 500, available: 1000, heap: 10, heapLimit: 100 }

test('a size is compared with what is resident', () => {
  assert.equal(exceeds({ bytes: 501 }, reading), false)
  assert.equal(exceeds({ bytes: 500 }, reading), true)
})

test('a percentage is that of the machine, and of the heap of the thread', () => {
  assert.equal(exceeds({ percent: 51 }, reading), false)
  assert.equal(exceeds({ percent: 50 }, reading), true)
  assert.equal(exceeds({ percent: 51 }, { ...reading, heap: 60 }), true)
})

test('it looks at once, and again until it is told to stop', () => {
  const watch = new MemoryWatch()
  watch.set({ bytes: 1 })
  assert.equal(watch.exceeded, true)
  watch.set({ bytes: Number.MAX_SAFE_INTEGER })
  assert.equal(watch.exceeded, false)
  watch.set({ bytes: 1 })
  watch.set(null)
  assert.equal(watch.exceeded, false)
  watch.close()
})
