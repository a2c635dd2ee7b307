import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatewayError } from '#base/errors'
import { ChunkedDecoder } from '#http/chunked'
import type { HeaderList } from '#http/headers'
import { parseRequestHead, parseResponseHead, type RequestHead } from '#http/parse-head'
import { splitTarget } from '#http/request-target'
import { mutate, randomChunked, randomHead, randomResponseHead } from './grammar.ts'
import { nodeVerdict } from './node-verdict.ts'
import { firstSeed, rounds, seededRandom } from './random.ts'

type Ours = { head: RequestHead; host: string } | { refused: string }

/** What the engine makes of the first head in `text`; the same steps as on a connection. */
const ourVerdict = (text: string): Ours => {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return { refused: 'incomplete' }
  try {
    const head = parseRequestHead(text.slice(0, end + 2), 128)
    return { head, host: splitTarget(head).host }
  } catch (error) {
    assert.ok(error instanceof GatewayError, `not a GatewayError: ${error}`)
    assert.equal(error.source, 'client')
    return { refused: error.code }
  }
}

const values = (fields: string[], name: string): string[] =>
  fields.filter((_, i) => i % 2 === 1 && fields[i - 1]?.toLowerCase() === name)

test('what the parser of Node refuses is refused, and what both take means the same', async () => {
  let accepted = 0
  let refused = 0
  for (let round = 0; round < rounds(6000); round++) {
    const random = seededRandom(firstSeed + round)
    const text = mutate(random, randomHead(random))
    const what = `FUZZ_SEED=${random.seed} FUZZ_ROUNDS=1: ${JSON.stringify(text)}`
    const ours = ourVerdict(text)
    if ('refused' in ours) {
      refused++
      continue
    }
    accepted++
    const node = await nodeVerdict(text)
    if (!node.accepted) {
      // Node knows a fixed list of methods; any token is one (RFC 9110 §9.1).
      if (node.code === 'HPE_INVALID_METHOD' && /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+ /.test(text)) continue
      assert.fail(`Node refuses with ${node.code} what was accepted: ${what}`)
    }
    assert.equal(ours.head.method, node.method, what)
    assert.equal(ours.head.target, node.target, what)
    const length = values(node.fields, 'content-length')
    assert.deepEqual(length.map(Number), ours.head.contentLength < 0 ? [] : [ours.head.contentLength], what)
    assert.equal(values(node.fields, 'transfer-encoding').length === 1, ours.head.chunked, what)
    if (ours.head.headers.includes('x-a'))
      assert.deepEqual(values(ours.head.headers, 'x-a'), values(node.fields, 'x-a'), what)
  }
  assert.ok(accepted > refused / 10, `the grammar is worth its name: ${accepted} accepted, ${refused} refused`)
})

test('heads of random bytes give a GatewayError or a head, never another error', () => {
  for (let round = 0; round < rounds(3000); round++) {
    const random = seededRandom(firstSeed + round)
    const text = Array.from({ length: random.int(80) }, () => String.fromCharCode(random.int(256))).join('')
    ourVerdict(`${text}\r\n\r\n`)
    ourVerdict(`GET / HTTP/1.1\r\n${text}\r\n\r\n`)
  }
})

test('response heads give a GatewayError or a head that is not ambiguous', () => {
  for (let round = 0; round < rounds(6000); round++) {
    const random = seededRandom(firstSeed + round)
    const text = mutate(random, randomResponseHead(random))
    const end = text.indexOf('\r\n\r\n')
    if (end < 0) continue
    try {
      const head = parseResponseHead(text.slice(0, end + 2), 128)
      const what = `FUZZ_SEED=${random.seed} FUZZ_ROUNDS=1: ${JSON.stringify(text)}`
      assert.ok(!(head.chunked && head.contentLength >= 0), what)
      assert.ok(head.status >= 100 && head.status <= 599, what)
      assert.ok(!head.headers.some(value => /[\r\n\0]/.test(value)), what)
    } catch (error) {
      if (error instanceof GatewayError) continue
      throw error
    }
  }
})

type Decoded = { body: string; trailers: HeaderList | null; consumed: number; error: string | null }

/** Decodes `wire` fed in pieces that end at `cuts`. */
const decode = (wire: string, cuts: readonly number[]): Decoded => {
  const bytes = Buffer.from(wire, 'latin1')
  const decoder = new ChunkedDecoder()
  const result: Decoded = { body: '', trailers: null, consumed: 0, error: null }
  const sink = {
    onBodyData: (chunk: Buffer) => {
      result.body += chunk.toString('latin1')
    },
    onBodyEnd: (trailers: HeaderList | null) => {
      result.trailers = trailers
    },
  }
  try {
    for (const cut of [...cuts, bytes.length]) {
      if (decoder.done || cut <= result.consumed) continue
      const piece = Buffer.from(bytes.subarray(result.consumed, cut))
      const taken = decoder.feed(piece, 0, piece.length, sink)
      // The same memory serves the next read: what was kept must have been copied.
      piece.fill(0x21)
      assert.ok(decoder.done || taken === piece.length, 'bytes were left behind')
      result.consumed += taken
    }
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    result.error = error.code
  }
  if (!decoder.done && result.error === null) result.error = 'incomplete'
  return result
}

const randomCuts = (length: number, random: ReturnType<typeof seededRandom>): number[] =>
  Array.from({ length: random.int(8) }, () => random.int(length + 1)).sort((a, b) => a - b)

test('a chunked body decodes to the same bytes in every split, and its end is found exactly', () => {
  for (let round = 0; round < rounds(1500); round++) {
    const random = seededRandom(firstSeed + round)
    const { wire, body, trailers } = randomChunked(random)
    const text = `${wire}GET /next HTTP/1.1\r\n`
    const everyByte = Array.from({ length: text.length }, (_, i) => i + 1)
    for (const cuts of [[], everyByte, randomCuts(text.length, random)]) {
      const decoded = decode(text, cuts)
      const what = `FUZZ_SEED=${random.seed} FUZZ_ROUNDS=1: ${JSON.stringify(wire)} cut at ${cuts}`
      assert.equal(decoded.error, null, what)
      assert.equal(decoded.body, body, what)
      assert.deepEqual(decoded.trailers ?? [], trailers, what)
      assert.equal(decoded.consumed, wire.length, what)
    }
  }
})

test('a damaged chunked body is judged alike in every split', () => {
  let damaged = 0
  for (let round = 0; round < rounds(1500); round++) {
    const random = seededRandom(firstSeed + round)
    const wire = mutate(random, randomChunked(random).wire)
    const whole = decode(wire, [])
    if (whole.error !== null) damaged++
    const everyByte = Array.from({ length: wire.length }, (_, i) => i + 1)
    for (const cuts of [everyByte, randomCuts(wire.length, random)]) {
      const decoded = decode(wire, cuts)
      const what = `FUZZ_SEED=${random.seed} FUZZ_ROUNDS=1: ${JSON.stringify(wire)} cut at ${cuts}`
      assert.equal(decoded.error, whole.error, what)
      if (whole.error === null) assert.deepEqual(decoded, whole, what)
    }
  }
  assert.ok(damaged > 0, 'no mutation did any damage')
})
