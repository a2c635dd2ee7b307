import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatewayError } from '#base/errors'
import { ChunkedDecoder } from './chunked.ts'
import type { HeaderList } from './headers.ts'

/** Everything a reader can tell about a decoded body. */
type Outcome = {
  data: string
  trailers: HeaderList | null
  ends: number
  consumed: number
  error: string
  done: boolean
}

/** Feeds `wire` in pieces that end at `cuts`; `pauseAfter` says after how many pieces of data the reader takes a break. */
const decode = (wire: Buffer, cuts: readonly number[], pauseEvery = 0): Outcome => {
  const decoder = new ChunkedDecoder()
  const outcome: Outcome = { data: '', trailers: null, ends: 0, consumed: 0, error: '', done: false }
  let pieces = 0
  const sink = {
    onBodyData(chunk: Buffer) {
      outcome.data += chunk.toString('latin1')
      if (pauseEvery > 0 && ++pieces % pauseEvery === 0) decoder.paused = true
    },
    onBodyEnd(trailers: HeaderList | null) {
      outcome.trailers = trailers
      outcome.ends++
    },
  }
  try {
    let start = 0
    for (const end of [...cuts, wire.length]) {
      // A copy of its own, with strange bytes around: nothing outside of the piece may be looked at.
      const piece = Buffer.concat([Buffer.from('\r\n0'), wire.subarray(start, end), Buffer.from('\r\n\r\n')])
      let position = 3
      for (;;) {
        position = decoder.feed(piece, position, piece.length - 4, sink)
        if (!decoder.paused) break
        decoder.paused = false
      }
      outcome.consumed += position - 3
      start = end
      if (decoder.done) break
    }
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error))
    outcome.error = error.code
    // How much was consumed before a refusal depends on the split, and nobody uses it.
    outcome.consumed = 0
  }
  outcome.done = decoder.done
  return outcome
}

const everyByte = (wire: Buffer): number[] =>
  Array.from({ length: Math.max(wire.length - 1, 0) }, (_, index) => index + 1)

/** A small seeded generator (mulberry32), so that a failing round can be run again. */
const seeded = (seed: number) => (below: number) => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return ((mixed ^ (mixed >>> 14)) >>> 0) % below
}

const valid: [wire: string, data: string, trailers: HeaderList | null][] = [
  ['0\r\n\r\n', '', null],
  ['000000000000\r\n\r\n', '', null],
  ['5\r\nhello\r\n0\r\n\r\n', 'hello', null],
  ['a\r\n0123456789\r\nA\r\nabcdefghij\r\n0\r\n\r\n', '0123456789abcdefghij', null],
  ['4\r\n\r\n\r\n\r\n0\r\n\r\n', '\r\n\r\n', null],
  ['5\r\n0\r\n\r\n\r\n0\r\n\r\n', '0\r\n\r\n', null],
  ['1\r\nx\r\n0\r\nX-Sum: abc\r\n\r\n', 'x', ['x-sum', 'abc']],
  ['1\r\nx\r\n0\r\nX-A: 1\r\nx-a:2\r\nX-B:\r\n\r\n', 'x', ['x-a', '1', 'x-a', '2', 'x-b', '']],
  ['5;a=b\r\nhello\r\n0;c\r\n\r\n', 'hello', null],
  ['5 ; a = "b;\\" c" ;d\r\nhello\r\n0\r\n\r\n', 'hello', null],
  ['0\r\nKeep-Alive: timeout=5\r\n\r\n', '', null],
]

const broken = [
  '\r\n',
  'x\r\n',
  ' 5\r\nhello\r\n0\r\n\r\n',
  '5 \r\nhello\r\n0\r\n\r\n',
  '5;\r\nhello\r\n0\r\n\r\n',
  '5 \t\r\nhello\r\n0\r\n\r\n',
  '5;=b\r\nhello\r\n0\r\n\r\n',
  '5;a=\r\nhello\r\n0\r\n\r\n',
  '5;a="b\r\nhello\r\n0\r\n\r\n',
  '5;a b\r\nhello\r\n0\r\n\r\n',
  '5;a\nhello\r\n0\r\n\r\n',
  '5;a\rb\r\nhello\r\n0\r\n\r\n',
  '5;a\x00\r\nhello\r\n0\r\n\r\n',
  ';a=b\r\nhello\r\n0\r\n\r\n',
  `5;${'x'.repeat(1100)}\r\nhello\r\n0\r\n\r\n`,
  `${`1;${'x'.repeat(200)}\r\nx\r\n`.repeat(6)}0\r\n\r\n`,
  '-5\r\nhello\r\n0\r\n\r\n',
  '+5\r\nhello\r\n0\r\n\r\n',
  '0x5\r\nhello\r\n0\r\n\r\n',
  'g\r\n',
  '5\nhello\n0\n\n',
  '5\rhello',
  '5\r\nhello0\r\n\r\n',
  '5\r\nhello!\r\n0\r\n\r\n',
  '5\r\nhello\n0\r\n\r\n',
  '5\r\nhello\r0\r\n\r\n',
  '5\r\nhello\r\n\r\n',
  '1000000000000\r\n',
  '0000000000005\r\nhello\r\n0\r\n\r\n',
  '0\r\nX-A: 1\n\r\n\r\n',
  '0\r\n\nX-A: 1\r\n\r\n',
  '0\r\nX A: 1\r\n\r\n',
  '0\r\n X-A: 1\r\n\r\n',
  '0\r\nContent-Length: 1\r\n\r\n',
  '0\r\nTransfer-Encoding: chunked\r\n\r\n',
  '0\r\nHost: a\r\n\r\n',
]

test('a chunked body is decoded with its trailers, and what follows it is left alone', () => {
  for (const [text, data, trailers] of valid) {
    const wire = Buffer.from(text, 'latin1')
    const expected = { data, trailers, ends: 1, consumed: wire.length, error: '', done: true }
    assert.deepEqual(decode(wire, []), expected, JSON.stringify(text))
    assert.deepEqual(
      decode(Buffer.concat([wire, Buffer.from('GET / HTTP/1.1\r\n\r\n')]), []),
      expected,
      JSON.stringify(text),
    )
  }
})

test('bad sizes, extensions and terminators are refused', () => {
  for (const text of broken) {
    const { error, ends } = decode(Buffer.from(text, 'latin1'), [])
    assert.deepEqual([error, ends], ['bad-request', 0], JSON.stringify(text))
  }
})

test('a cut body has no end', () => {
  for (const [text] of valid)
    for (let length = 0; length < text.length; length++) {
      const { ends, error, done } = decode(Buffer.from(text.slice(0, length), 'latin1'), [])
      assert.deepEqual([ends, error, done], [0, '', false], JSON.stringify(text.slice(0, length)))
    }
})

test('one byte at a time, two pieces at any place, and pauses give the same as all at once', () => {
  for (const text of [...valid.map(([wire]) => wire), ...broken]) {
    const wire = Buffer.from(text, 'latin1')
    const whole = decode(wire, [])
    assert.deepEqual(decode(wire, everyByte(wire)), whole, JSON.stringify(text))
    for (const cut of everyByte(wire))
      assert.deepEqual(decode(wire, [cut]), whole, `${JSON.stringify(text)} cut at ${cut}`)
    for (const pauseEvery of [1, 2]) {
      assert.deepEqual(decode(wire, [], pauseEvery), whole, JSON.stringify(text))
      assert.deepEqual(decode(wire, everyByte(wire), pauseEvery), whole, JSON.stringify(text))
    }
  }
})

test('random bodies, some of them damaged, decode the same in any split', () => {
  for (let seed = 1; seed <= 1500; seed++) {
    const random = seeded(seed)
    let text = ''
    for (let chunks = random(5); chunks > 0; chunks--) {
      const data = Array.from({ length: 1 + random(40) }, () => 'ab\r\n0:;\u00ff'[random(8)]).join('')
      text += `${'0'.repeat(random(3))}${data.length.toString(16)}\r\n${data}\r\n`
    }
    text += '0\r\n'
    for (let fields = random(3); fields > 0; fields--) text += `X-${random(9)}: ${'v'.repeat(random(9))}\r\n`
    text += '\r\n'
    const wire = Buffer.from(text, 'latin1')
    if (random(3) === 0) wire[random(wire.length)] = '\r\n0a;: \u0000'.charCodeAt(random(8))
    const whole = decode(wire, [])
    const cuts = everyByte(wire).filter(() => random(6) === 0)
    assert.deepEqual(
      decode(wire, cuts, random(4)),
      whole,
      `seed ${seed}: ${JSON.stringify(wire.toString('latin1'))} at ${cuts}`,
    )
  }
})

test('trailers are bounded in bytes and in number, at the same place in any split', () => {
  const trailersOf = (bytes: number): Buffer => Buffer.from(`0\r\nX-A: ${'v'.repeat(bytes - 9)}\r\n\r\n`)
  assert.equal(decode(trailersOf(1000), []).error, '')
  assert.equal(decode(trailersOf(20_000), []).error, 'head-too-large')
  for (let bytes = 16_380; bytes <= 16_392; bytes++) {
    const wire = trailersOf(bytes)
    const { error } = decode(wire, [])
    for (let back = 1; back <= 12; back++)
      assert.equal(decode(wire, [wire.length - back]).error, error, `${bytes} bytes, cut ${back} before the end`)
  }
  const many = (count: number): Buffer => Buffer.from(`0\r\n${'X-A: 1\r\n'.repeat(count)}\r\n`)
  assert.equal(decode(many(64), []).trailers?.length, 128)
  assert.equal(decode(many(65), []).error, 'head-too-large')
})

test('trailers that never end are refused instead of kept', () => {
  const decoder = new ChunkedDecoder()
  const sink = { onBodyData: () => {}, onBodyEnd: () => assert.fail('there is no end') }
  decoder.feed(Buffer.from('0\r\n'), 0, 3, sink)
  const line = Buffer.from(`X-A: ${'v'.repeat(1000)}\r\n`)
  let fed = 0
  assert.throws(
    () => {
      for (; fed < 1_000_000; fed += line.length) decoder.feed(line, 0, line.length, sink)
    },
    { code: 'head-too-large' },
  )
  assert.ok(fed < 32_768, `${fed} bytes were kept`)
})
