import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { seededRandom } from './seeded-random.ts'
import { type SseEvent, SseSplitter } from './sse-events.ts'

type Seen = { raw: string; data: string | null }

const copy = ({ raw, data, dataAt }: SseEvent): Seen => {
  if (dataAt >= 0) assert.deepEqual(raw.subarray(dataAt, dataAt + (data?.length ?? 0)), data)
  return { raw: raw.toString('latin1'), data: data?.toString('utf8') ?? null }
}

const split = (pieces: Buffer[], maxEvent?: number): Seen[] => {
  const splitter = new SseSplitter(maxEvent)
  const seen = pieces.flatMap(piece => splitter.push(piece).map(copy))
  const last = splitter.end()
  return last ? [...seen, copy(last)] : seen
}

const dataOf = (text: string): (string | null)[] => split([Buffer.from(text)]).map(event => event.data)

describe('data of events', () => {
  const cases: [text: string, data: (string | null)[]][] = [
    ['data: a\n\n', ['a']],
    ['data: a\r\n\r\n', ['a']],
    ['data: a\r\rdata: b\r\r', ['a', 'b']],
    ['data:a\n\ndata:  b\n\n', ['a', ' b']],
    ['data: a\ndata: b\n\n', ['a\nb']],
    ['data: a\r\ndata: b\r\n\r\n', ['a\nb']],
    ['data\n\n', ['']],
    ['data:\n\n', ['']],
    ['data: \n\n', ['']],
    ['datum: a\n\n', [null]],
    [': comment\n\n', [null]],
    [': comment\ndata: a\n\n', ['a']],
    ['event: x\nid: 1\ndata: a\nretry: 5\n\n', ['a']],
    ['\ufeffdata: a\n\n', ['a']],
    ['data: \ufeffa\n\n', ['\ufeffa']],
    ['data: ü 模 🙂\n\n', ['ü 模 🙂']],
    ['\n\ndata: a\n\n', [null, null, 'a']],
    ['data: a\n\ndata: cut', ['a', 'cut']],
    ['data: a\r\n\r\ndata: b\r\n\r\n', ['a', 'b']],
    ['data: a\r\r\ndata: b\n\n', ['a', 'b']],
    ['data: a\n\r\ndata: b\n\r', ['a', 'b']],
    ['', []],
  ]
  for (const [text, data] of cases) test(JSON.stringify(text), () => assert.deepEqual(dataOf(text), data))
})

test('an event comes out as soon as its blank line is there', () => {
  const splitter = new SseSplitter()
  assert.equal(splitter.push(Buffer.from('data: a\n')).length, 0)
  assert.equal(splitter.push(Buffer.from('\n')).length, 1)
  assert.equal(splitter.push(Buffer.from('data: a\r\n\r\n')).length, 1)
  assert.equal(splitter.push(Buffer.from('data: a\r\r')).length, 1)
})

test('any split of the bytes gives the same events, and together they are the stream', () => {
  const random = seededRandom(2)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T
  const lines = ['data: {"a":1}', 'data:🙂ü', 'data', ': note', 'event: x', 'id', '', '', ' data: no', 'data: \ufeff']
  for (let round = 0; round < 300; round++) {
    const ends = pick([['\n'], ['\r\n'], ['\r'], ['\n', '\r\n', '\r']])
    let text = random() < 0.2 ? '\ufeff' : ''
    for (let i = Math.floor(random() * 12); i >= 0; i--) text += pick(lines) + pick(ends)
    const bytes = Buffer.from(text)
    const whole = split([bytes])
    assert.equal(whole.map(event => event.raw).join(''), bytes.toString('latin1'))
    assert.deepEqual(split(Array.from(bytes, byte => Buffer.from([byte]))), whole, JSON.stringify(text))
    for (let at = 0; at <= bytes.length; at++)
      assert.deepEqual(split([bytes.subarray(0, at), bytes.subarray(at)]), whole, `${JSON.stringify(text)} at ${at}`)
    const pieces: Buffer[] = []
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + Math.floor(random() * 9)
      pieces.push(bytes.subarray(at, end))
      at = end
    }
    assert.deepEqual(split(pieces), whole, JSON.stringify(text))
  }
})

test('events above the limit are not held: their bytes come out unread, and so does everything after', () => {
  const text = `data: small\n\ndata: ${'x'.repeat(100)}\n\ndata: after\n\n`
  for (const size of [1, 7, 1000]) {
    const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
      Buffer.from(text).subarray(i * size, (i + 1) * size),
    )
    const seen = split(pieces, 50)
    assert.equal(seen.map(event => event.raw).join(''), text)
    if (size < 50)
      assert.deepEqual([seen[0]?.data, ...new Set(seen.slice(1).map(event => event.data))], ['small', null])
  }
})

test('a large event that comes byte by byte costs linear work', () => {
  const bytes = Buffer.from(`data: ${'x'.repeat(300_000)}\n\n`)
  const seen = split(Array.from(bytes, byte => Buffer.from([byte])))
  assert.equal(seen.length, 1)
  assert.equal(seen[0]?.data?.length, 300_000)
})
