import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ByteSocket } from './byte-socket.ts'
import { Pace, SocketPace } from './pace.ts'

/** Asks every second, with as many bytes as each second adds. */
const verdicts = (perSecond: readonly number[], rate = 100, grace = 5000, slack = 0): boolean[] => {
  const pace = new Pace()
  let bytes = 0
  return perSecond.map((add, second) => {
    bytes = add < 0 ? -1 : Math.max(bytes, 0) + add
    return pace.tooSlow(bytes, { rate, grace, slack }, second * 1000)
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
  assert.equal(pace.tooSlow(10_000, { rate: 100, grace: 5000 }, 0), false)
  assert.equal(pace.tooSlow(0, { rate: 100, grace: 5000 }, 5000), false)
  assert.equal(pace.tooSlow(0, { rate: 100, grace: 5000 }, 9000), false)
  assert.equal(pace.tooSlow(0, { rate: 100, grace: 5000 }, 10_000), true)
})

test('without a rate nothing is too slow', () => {
  assert.equal(verdicts(seconds(60, 0), 0).includes(true), false)
})

test('what a buffer on the way may hold is not missed', () => {
  // Nothing for nine seconds, then a lump: slower than asked only for the buffer.
  assert.equal(verdicts([...seconds(9, 0), 1000, ...seconds(9, 0), 1000], 100, 5000, 1000).includes(true), false)
  assert.equal(verdicts(seconds(11, 0), 100, 5000, 1000).includes(true), false)
  assert.equal(verdicts(seconds(12, 0), 100, 5000, 1000).at(-1), true)
})

test('a socket takes while the kernel takes, and nothing is asked of it while nothing waits', () => {
  const handle = { bytesWritten: 0, writeQueueSize: 0 }
  const socket = { _handle: handle, writableLength: 0, bytesWritten: 0 } as unknown as ByteSocket
  const pace = new SocketPace(socket)
  assert.equal(pace.takes(), false)
  Object.assign(handle, { bytesWritten: 1000, writeQueueSize: 600 })
  pace.note()
  assert.equal(pace.takes(), false)
  handle.writeQueueSize = 500
  assert.equal(pace.takes(), true)
  assert.equal(pace.takes(), false)
  const rules = { request: 0, response: 10_000_000, grace: 1000 }
  const judged = [0, 1000, 2000].map(now => pace.judge(rules, -1, now))
  assert.deepEqual(judged, [null, 'response', 'response'])
  handle.writeQueueSize = 0
  assert.equal(pace.judge(rules, -1, 3000), null)
})
