import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConnectionError, errorCodes } from './error-codes.ts'
import { FrameReader } from './frame-reader.ts'

const frame = (type: number, flags: number, streamId: number, payload: string): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(streamId, 5)
  return Buffer.concat([head, Buffer.from(payload)])
}

const read = (pieces: readonly Buffer[]): string[] => {
  const reader = new FrameReader()
  const seen: string[] = []
  for (const piece of pieces)
    reader.feed(piece, 0, piece.length, {
      onFrame: (type, flags, streamId, bytes, start, end) =>
        seen.push(`${type} ${flags} ${streamId} ${bytes.toString('latin1', start, end)}`),
    })
  assert.equal(reader.partial, false)
  return seen
}

test('any split of the bytes gives the same frames', () => {
  const stream = Buffer.concat([
    frame(0, 1, 1, 'hello'),
    frame(4, 0, 0, ''),
    frame(6, 1, 0, '12345678'),
    frame(0, 0, 2_147_483_647, 'x'.repeat(40)),
    frame(4, 1, 0, ''),
  ])
  const whole = read([stream])
  assert.equal(whole.length, 5)
  assert.equal(whole[3], `0 0 2147483647 ${'x'.repeat(40)}`)
  for (let first = 0; first <= stream.length; first++)
    for (const second of [first, first + 1, first + 7, first + 30, stream.length]) {
      const pieces = [
        stream.subarray(0, first),
        stream.subarray(first, second),
        stream.subarray(Math.max(first, second)),
      ]
      assert.deepEqual(read(pieces), whole)
    }
  assert.deepEqual(read(Array.from(stream, byte => Buffer.from([byte]))), whole)
})

test('the reserved bit of a stream number is ignored (RFC 9113 §4.1)', () => {
  const bytes = frame(0, 0, 5, 'a')
  bytes[5]! |= 0x80
  assert.deepEqual(read([bytes]), ['0 0 5 a'])
})

test('a frame above the limit is refused before its payload is there (RFC 9113 §4.2)', () => {
  const bytes = frame(0, 0, 1, '').subarray(0, 9)
  bytes.writeUIntBE(16_385, 0, 3)
  for (const pieces of [[bytes], [bytes.subarray(0, 4), bytes.subarray(4)]])
    assert.throws(
      () => read(pieces),
      error => error instanceof ConnectionError && error.code === errorCodes.frameSizeError,
    )
})
