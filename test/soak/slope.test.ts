import assert from 'node:assert/strict'
import { test } from 'node:test'
import { levelOf, lowestOf, type Reading, slopePerMinute } from './slope.ts'

const readings = (value: (minute: number, index: number) => number): Reading[] =>
  Array.from({ length: 40 }, (_, index) => [index * 15, value(index / 4, index)])

test('the slope of a line is found among outliers', () => {
  const leak = readings((minute, index) => 100 + 7 * minute + (index % 5 === 0 ? 500 : 0))
  assert.ok(Math.abs(slopePerMinute(leak) - 7) < 1, String(slopePerMinute(leak)))
})

test('noise without growth has no slope', () => {
  const saw = readings((_, index) => 100 + ((index * 7) % 11))
  assert.ok(Math.abs(slopePerMinute(saw)) < 1, String(slopePerMinute(saw)))
  assert.equal(slopePerMinute(readings(() => 5)), 0)
})

test('the lowest of each window is kept with its time', () => {
  assert.deepEqual(
    lowestOf(
      [
        [0, 3],
        [1, 1],
        [2, 2],
        [3, 9],
        [4, 8],
        [5, 7],
        [6, 0],
      ],
      3,
    ),
    [
      [1, 1],
      [5, 7],
    ],
  )
})

test('levels are medians of a part of the time', () => {
  const steps = readings((_, index) => (index < 20 ? 1 : 3))
  assert.equal(levelOf(steps, 0, 0.25), 1)
  assert.equal(levelOf(steps, 0.75, 1), 3)
})
