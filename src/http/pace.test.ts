import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pace } from './pace.ts'

/** Asks every second, with as many bytes as each second adds. */
const verdicts = (perSecond: readonly number[], rate = 100, grace = 5000): boolean[] => {
  const pace = new Pace()
  let bytes = 0
  return perSecond.map((add, second) => {
    bytes = add < 0 ? -1 : Math.max(bytes, 0) + add
    return pace.tooSlow(bytes, rate, grace, second * 1000)
  })
}

const seconds = (count: number, bytes: number): number[] => Array.from({ length: count }, () => bytes)

test('slower than the rate for the whole grace is too slow', () => {
  assert.deepEqual(verdicts(seconds(7, 99)), [false, false, false, false, false, true, true])
  assert.equal(verdicts(seconds(7, 0)).includes(true), true)
})

test('as fast as the rate is not', () => {
  assert.equal(verdicts(seconds(60, 100)).includes(true), false)
})

test('what comes in bursts is averaged', () => {
  assert.equal(verdicts([0, 0, 0, 0, 500, 0, 0, 0, 0, 500, 0, 0, 0, 0, 500, 0]).includes(true), false)
})

test('a pause that is not the fault of the peer begins afresh', () => {
  assert.equal(verdicts([0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 0, 0, 0]).includes(true), false)
})

test('another message begins afresh', () => {
  const pace = new Pace()
  assert.equal(pace.tooSlow(10_000, 100, 5000, 0), false)
  assert.equal(pace.tooSlow(0, 100, 5000, 5000), false)
  assert.equal(pace.tooSlow(0, 100, 5000, 9000), false)
  assert.equal(pace.tooSlow(0, 100, 5000, 10_000), true)
})

test('without a rate nothing is too slow', () => {
  assert.equal(verdicts(seconds(60, 0), 0).includes(true), false)
})
