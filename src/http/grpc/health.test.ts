import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { messageFrame } from './frames.ts'
import { healthCheckBody, readHealthCheck } from './health.ts'

const answer = (message: readonly number[], more: object = {}) => ({
  status: 200,
  headers: ['content-type', 'application/grpc'],
  body: messageFrame(Buffer.from(message)),
  trailers: ['grpc-status', '0'],
  ...more,
})

test('a check names the service, or none', () => {
  assert.deepEqual(healthCheckBody(''), Buffer.from([0, 0, 0, 0, 0]))
  assert.deepEqual(healthCheckBody('a.B'), Buffer.from([0, 0, 0, 0, 5, 0x0a, 3, 0x61, 0x2e, 0x42]))
  const long = healthCheckBody('x'.repeat(300))
  assert.deepEqual(long.subarray(0, 8), Buffer.from([0, 0, 0, 1, 47, 0x0a, 0xac, 0x02]))
})

describe('an answer', () => {
  const cases: [string, ReturnType<typeof answer>, string | null][] = [
    ['serving', answer([0x08, 1]), 'SERVING'],
    ['not serving', answer([0x08, 2]), 'NOT_SERVING'],
    ['unknown service', answer([0x08, 3]), 'SERVICE_UNKNOWN'],
    ['the default value is not on the wire', answer([]), 'UNKNOWN'],
    ['a value of a later version', answer([0x08, 9]), 'UNKNOWN'],
    [
      'fields of a later version',
      answer([0x12, 2, 8, 1, 0x1d, 0, 0, 0, 0, 0x08, 1, 0x21, 1, 2, 3, 4, 5, 6, 7, 8]),
      'SERVING',
    ],
    ['the last value counts', answer([0x08, 1, 0x08, 2]), 'NOT_SERVING'],
    [
      'status in trailers-only',
      answer([], { headers: ['grpc-status', '5'], body: Buffer.alloc(0), trailers: null }),
      'SERVICE_UNKNOWN',
    ],
    ['another status', answer([0x08, 1], { trailers: ['grpc-status', '14'] }), null],
    ['no status', answer([0x08, 1], { trailers: null }), null],
    ['an HTTP error', answer([0x08, 1], { status: 503 }), null],
    ['no message', answer([], { body: Buffer.alloc(0) }), null],
    ['two messages', answer([], { body: Buffer.alloc(10) }), null],
    ['a compressed message', answer([], { body: Buffer.from([1, 0, 0, 0, 2, 8, 1]) }), null],
    ['a cut frame', answer([], { body: Buffer.from([0, 0, 0, 0, 2, 8]) }), null],
    ['a cut field', answer([0x08]), null],
    ['a cut string', answer([0x12, 5, 1]), null],
    ['an endless varint', answer([0x08, ...new Array(12).fill(0xff)]), null],
    ['a group', answer([0x0b]), null],
  ]
  for (const [name, given, expected] of cases) test(name, () => assert.equal(readHealthCheck(given), expected))
})
