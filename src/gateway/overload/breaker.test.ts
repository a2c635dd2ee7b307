import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Breaker, refused } from './breaker.ts'
import { createSharedState, openSlot } from './shared-state.ts'

const config = { failureRate: 50, minimumCalls: 10, window: 10_000, openFor: 5_000, halfOpenCalls: 2 }

const workers = (changes: string[] = []) => {
  const memory = createSharedState(64)
  const make = (index: number) => new Breaker(openSlot(memory, 'orders', index), config, state => changes.push(state))
  return [make(0), make(1)] as const
}

const call = (breaker: Breaker, success: boolean | null, now: number): boolean => {
  const epoch = breaker.begin(now)
  if (epoch === refused) return false
  breaker.end(epoch, success, now)
  return true
}

test('it opens at the rate, over the calls of all workers, and not before the minimum', () => {
  const changes: string[] = []
  const [a, b] = workers(changes)
  for (let i = 0; i < 9; i++) call(i % 2 === 0 ? a : b, false, 1000)
  assert.equal(a.state, 'closed')
  call(b, false, 1000)
  assert.equal(a.state, 'open')
  assert.equal(b.state, 'open')
  assert.deepEqual(changes, ['open'])
  assert.equal(a.refusedFor(2000), 4000)
  assert.equal(call(a, true, 5999), false)
})

test('below the rate it stays closed', () => {
  const [a] = workers()
  for (let i = 0; i < 100; i++) call(a, i % 5 < 3, 1000 + i)
  assert.equal(a.state, 'closed')
})

test('failures of long ago do not count', () => {
  const [a] = workers()
  for (let i = 0; i < 9; i++) call(a, false, 1000)
  call(a, false, 12_000)
  assert.equal(a.state, 'closed')
  for (let i = 0; i < 9; i++) call(a, false, 12_500)
  assert.equal(a.state, 'open')
})

const opened = (changes: string[] = []) => {
  const pair = workers(changes)
  for (let i = 0; i < 10; i++) call(pair[0], false, 0)
  return pair
}

test('half-open it lets as many calls through as it needs, and closes when they succeed', () => {
  const changes: string[] = []
  const [a, b] = opened(changes)
  const first = a.begin(5000)
  const second = b.begin(5000)
  assert.equal(a.begin(5001), refused)
  assert.ok(a.refusedFor(5001) > 0)
  a.end(first, true, 5002)
  assert.equal(a.state, 'half-open')
  b.end(second, true, 5003)
  assert.equal(a.state, 'closed')
  assert.deepEqual(changes, ['open', 'half-open', 'closed'])
  // The failures from before do not count any more.
  call(a, false, 5004)
  assert.equal(a.state, 'closed')
  assert.equal(a.opened, 1)
})

test('half-open it opens again at the first failure, for the whole time', () => {
  const [a, b] = opened()
  const first = a.begin(5000)
  const second = b.begin(5000)
  a.end(first, false, 5100)
  assert.equal(a.state, 'open')
  b.end(second, true, 5200)
  assert.equal(a.refusedFor(6100), 4000)
})

test('a trial that says nothing is given to another call', () => {
  const [a] = opened()
  const first = a.begin(5000)
  a.begin(5000)
  assert.equal(a.begin(5000), refused)
  a.end(first, null, 5000)
  assert.notEqual(a.begin(5000), refused)
})

test('calls from before the change of state do not count', () => {
  const [a, b] = workers()
  const old = b.begin(0)
  for (let i = 0; i < 10; i++) call(a, false, 0)
  const trial = a.begin(5000)
  b.end(old, false, 5000)
  assert.equal(a.state, 'half-open')
  a.end(trial, true, 5000)
  assert.equal(call(a, true, 5000), true)
  assert.equal(a.state, 'closed')
})

test('trials of a worker that died are given out again', () => {
  const [a] = opened()
  a.begin(5000)
  a.begin(5000)
  assert.equal(call(a, true, 20_000), false)
  assert.equal(call(a, true, 70_000), true)
})

test('a clock beyond 32 bits does no harm', () => {
  const [a] = workers()
  const late = 2 ** 31 - 2
  for (let i = 0; i < 10; i++) call(a, false, late)
  assert.equal(a.state, 'open')
  assert.equal(a.refusedFor(late + 4000), 1000)
  assert.notEqual(a.begin(late + 5000), refused)
})
