import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Base64Decoder, encodeBase64 } from './base64.ts'
import { FrameTracker, messageFrame, readFrames, trailerFrame } from './frames.ts'

const decoded = (pieces: readonly string[]): string => {
  const decoder = new Base64Decoder()
  const out = pieces.map(piece => decoder.data(Buffer.from(piece)) ?? Buffer.alloc(0))
  decoder.end()
  return Buffer.concat(out).toString('latin1')
}

test('base64 is decoded whatever the split, with padding anywhere between groups', () => {
  const text = ['a', 'bc', 'def', 'ghij', '', 'k'].map(part => Buffer.from(part).toString('base64')).join('')
  for (let first = 0; first <= text.length; first++)
    for (let second = first; second <= text.length; second++)
      assert.equal(decoded([text.slice(0, first), text.slice(first, second), text.slice(second)]), 'abcdefghijk')
})

test('every byte value survives base64 both ways, in pieces', () => {
  const bytes = Buffer.from(Array.from({ length: 1024 }, (_, index) => (index * 7) & 255))
  for (const size of [1, 2, 3, 5, 64, 1000]) {
    const encoded: string[] = []
    for (let at = 0; at < bytes.length; at += size)
      encoded.push(encodeBase64(bytes.subarray(at, at + size)).toString('latin1'))
    assert.equal(decoded([encoded.join('')]), bytes.toString('latin1'))
  }
})

test('what is not base64 is refused', () => {
  for (const text of ['a', 'ab', 'abc', 'ab=c', 'a===', '====', 'ab c', 'ab\r\n', 'ab%3', 'YW=\n', 'YQ==Y', '=abc'])
    assert.throws(() => decoded([text]), { code: 'invalid-body' }, text)
})

test('a chunk is left as it was, for its bytes belong to somebody else', () => {
  const decoder = new Base64Decoder()
  const chunk = Buffer.from('YWJjZ')
  decoder.data(chunk)
  chunk.fill(0)
  assert.equal(decoder.data(Buffer.from('GVm'))?.toString(), 'def')
})

test('frames: flags, length, payload; trailers as a block of lines (gRPC-Web, Message framing)', () => {
  const body = Buffer.concat([
    messageFrame(Buffer.from('one')),
    messageFrame(Buffer.alloc(0)),
    trailerFrame(['grpc-status', '0', 'x-a', 'b']),
  ])
  const frames = readFrames(body)
  assert.deepEqual(
    frames?.map(({ flags, payload }) => [flags, payload.toString('latin1')]),
    [
      [0, 'one'],
      [0, ''],
      [0x80, 'grpc-status: 0\r\nx-a: b\r\n'],
    ],
  )
  for (let cut = 1; cut < body.length; cut++) {
    if (cut === 8 || cut === 13) continue
    assert.equal(readFrames(body.subarray(0, cut)), null)
  }
})

test('a body is whole between two messages only, however its bytes arrive', () => {
  const body = Buffer.concat([
    messageFrame(Buffer.alloc(300)),
    messageFrame(Buffer.alloc(0)),
    messageFrame(Buffer.alloc(2)),
  ])
  const ends = new Set([0, 305, 310, 317])
  const byByte = new FrameTracker()
  for (let at = 0; at < body.length; at++) {
    assert.equal(byByte.whole, ends.has(at), `at ${at}`)
    byByte.data(body.subarray(at, at + 1))
    const inTwo = new FrameTracker()
    inTwo.data(body.subarray(0, at))
    assert.equal(inTwo.whole, ends.has(at), `at ${at}`)
    inTwo.data(body.subarray(at))
    assert.equal(inTwo.whole, true)
  }
})
