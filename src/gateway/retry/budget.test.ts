import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoff, retryAfter } from './backoff.ts'
import { RetryBudget } from './budget.ts'

const takeAll = (budget: RetryBudget, now: number): number => {
  let taken = 0
  while (taken < 10_000 && budget.take(now)) taken++
  return taken
}

test('an idle upstream gets the minimum over the window, and the same again when it has passed', () => {
  const budget = new RetryBudget(20, 10, 1)
  assert.equal(takeAll(budget, 5000), 100)
  assert.equal(takeAll(budget, 14_900), 0)
  assert.equal(takeAll(budget, 15_000), 100)
  assert.deepEqual([budget.allowed, budget.denied], [200, 3])
})

test('calls add their share, and only recent ones', () => {
  const budget = new RetryBudget(20, 0, 1)
  for (let i = 0; i < 1000; i++) budget.note(1000 + i)
  assert.equal(takeAll(budget, 2000), 200)
  assert.equal(takeAll(budget, 3000), 0)
  for (let i = 0; i < 50; i++) budget.note(3000)
  assert.equal(takeAll(budget, 3000), 10)
  assert.equal(takeAll(budget, 60_000), 0)
})

test('the minimum is divided over workers, shares are not', () => {
  const budgets = [new RetryBudget(10, 4, 4), new RetryBudget(10, 4, 4)]
  for (const budget of budgets) for (let i = 0; i < 100; i++) budget.note(1000)
  for (const budget of budgets) assert.equal(takeAll(budget, 1000), 10 + 10)
})

test('nothing is allowed where neither share nor minimum is', () => {
  const budget = new RetryBudget(0, 0, 1)
  budget.note(0)
  assert.equal(budget.take(0), false)
})

test('a clock that stands still or jumps far does no harm', () => {
  const budget = new RetryBudget(50, 0, 1)
  for (let i = 0; i < 10; i++) budget.note(7000)
  assert.equal(takeAll(budget, 7000), 5)
  for (let i = 0; i < 10; i++) budget.note(1_000_000_000)
  assert.equal(takeAll(budget, 1_000_000_000), 5)
})

test('waits double from base to max, and are a random part of that', () => {
  const longest = [0, 1, 2, 3, 4, 5, 6, 7].map(retry => backoff(retry, 25, 1000, () => 1))
  assert.deepEqual(longest, [25, 50, 100, 200, 400, 800, 1000, 1000])
  assert.equal(
    backoff(3, 25, 1000, () => 0),
    0,
  )
  for (let i = 0; i < 1000; i++) {
    const wait = backoff(2, 25, 1000)
    assert.ok(wait >= 0 && wait < 100)
  }
})

test('Retry-After is read as seconds or as a date', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  assert.equal(retryAfter('3', now), 3000)
  assert.equal(retryAfter('Thu, 01 Jan 2026 00:00:05 GMT', now), 5000)
  assert.equal(retryAfter('Wed, 31 Dec 2025 00:00:00 GMT', now), 0)
  assert.equal(retryAfter(undefined, now), 0)
  assert.equal(retryAfter('soon', now), 0)
})
