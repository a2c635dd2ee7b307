import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { HeaderList } from '#http/headers'
import { ConnectionError } from '#http/http2/error-codes'
import { HpackDecoder } from '#http/http2/hpack-decoder'
import { blockBound, HpackEncoder } from '#http/http2/hpack-encoder'
import { decodeHuffman, huffmanBits, huffmanCodes } from '#http/http2/huffman'
import {
  answerEach,
  eventually,
  ok,
  oneService,
  type Portico,
  type ScriptedOrigin,
  scriptedOrigin,
  startPortico,
} from '../harness.ts'
import { rawClient } from '../raw-connection.ts'
import {
  data,
  frame,
  headers,
  postRequest,
  RawHttp2,
  rawHttp2,
  request,
  resetStream,
  settings,
  windowUpdate,
} from '../raw-http2.ts'
import { http2Origin } from '../raw-http2-origin.ts'
import { firstSeed, type Random, rounds, seededRandom } from './random.ts'

let portico: Portico
let origin: ScriptedOrigin
before(async () => {
  origin = await scriptedOrigin(answerEach(message => ok(`${message.method} ${message.target} ${message.body.length}`)))
  const timeouts = { requestHead: '1s', idle: '1s', drain: '1s' }
  portico = await startPortico({ config: oneService(origin.url, {}, {}, { timeouts }) })
})
after(async () => {
  await portico?.stop()
  await origin?.stop()
})

const randomBytes = (random: Random, below: number): Buffer =>
  Buffer.from(Array.from({ length: random.int(below) }, () => random.int(256)))

/** Changes, drops, doubles or inserts some bytes. */
const mutateBytes = (random: Random, bytes: Buffer): Buffer => {
  let result = Buffer.from(bytes)
  for (let count = 1 + random.int(3); count > 0; count--) {
    const at = random.int(result.length + 1)
    const kind = random.int(4)
    if (kind === 0 && at < result.length) result[at] = random.int(256)
    else if (kind === 1) result = Buffer.concat([result.subarray(0, at), result.subarray(at + 1 + random.int(4))])
    else if (kind === 2) result = Buffer.concat([result.subarray(0, at), randomBytes(random, 6), result.subarray(at)])
    else result = Buffer.concat([result.subarray(0, at), result.subarray(random.int(at + 1))])
  }
  return result
}

const names = [
  'server',
  'x-a',
  'x-request-id',
  'date',
  'set-cookie',
  'authorization',
  'cache-control',
  'etag',
  'x-long-name-that-is-new',
]
const randomFields = (random: Random): HeaderList =>
  Array.from({ length: random.int(12) }, () => [
    random.chance(0.1) ? `x-${random.int(1000)}` : random.pick(names),
    random.chance(0.5) ? 'the same' : randomBytes(random, random.chance(0.05) ? 3000 : 40).toString('latin1'),
  ]).flat()

const decode = (decoder: HpackDecoder, bytes: Buffer): HeaderList => {
  const fields: HeaderList = []
  decoder.decode(bytes, 0, bytes.length, { onField: ({ text }, value) => fields.push(text, value) })
  return fields
}

test('what is encoded is decoded again, however the table grows and shrinks', () => {
  for (let seed = firstSeed; seed < firstSeed + rounds(30); seed++) {
    const random = seededRandom(seed)
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder()
    for (let block = 0; block < 200; block++) {
      if (random.chance(0.02)) encoder.limit(random.pick([0, 32, 100, 1000, 4096, 100_000]))
      const fields = randomFields(random)
      const out = Buffer.alloc(blockBound(fields))
      encoder.begin(out, 0)
      encoder.fields(fields)
      assert.deepEqual(decode(decoder, out.subarray(0, encoder.end())), fields, `seed ${seed}, block ${block}`)
    }
  }
})

test('random and mutated blocks are decoded or refused, nothing else', () => {
  let refused = 0
  for (let seed = firstSeed; seed < firstSeed + rounds(3000); seed++) {
    const random = seededRandom(seed)
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder()
    try {
      for (let block = 0; block < 4; block++) {
        const fields = randomFields(random)
        const out = Buffer.alloc(blockBound(fields))
        encoder.begin(out, 0)
        encoder.fields(fields)
        const bytes = out.subarray(0, encoder.end())
        decode(decoder, random.chance(0.3) ? randomBytes(random, 200) : mutateBytes(random, bytes))
      }
    } catch (error) {
      assert.ok(error instanceof ConnectionError, `seed ${seed}: ${error}`)
      refused++
    }
  }
  assert.ok(refused > 0)
})

const encodeHuffman = (text: string): Buffer => {
  let digits = ''
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i)
    digits += (huffmanCodes[symbol] as number).toString(2).padStart(huffmanBits[symbol] as number, '0')
  }
  const padded = digits.padEnd(Math.ceil(digits.length / 8) * 8, '1')
  return Buffer.from(padded.match(/.{8}/g)?.map(byte => Number.parseInt(byte, 2)) ?? [])
}

test('Huffman: every text comes back, random bytes give a text or nothing', () => {
  for (let seed = firstSeed; seed < firstSeed + rounds(2000); seed++) {
    const random = seededRandom(seed)
    const text = randomBytes(random, 60).toString('latin1')
    const bytes = encodeHuffman(text)
    assert.equal(decodeHuffman(bytes, 0, bytes.length), text, `seed ${seed}`)
    const noise = randomBytes(random, 60)
    const decoded = decodeHuffman(noise, 0, noise.length)
    if (decoded !== null) assert.deepEqual(encodeHuffman(decoded), noise, `seed ${seed}: two codes for one text`)
  }
})

const randomFrames = (random: Random): Buffer[] => {
  const frames: Buffer[] = []
  let next = 1
  for (let count = 2 + random.int(8); count > 0; count--) {
    const id = random.chance(0.6) ? next : Math.max(1, next - 2)
    const kind = random.int(8)
    if (kind < 3) {
      const end = random.chance(0.5)
      frames.push(headers(next, random.chance(0.5) ? request(`/${next}`) : postRequest(), end))
      if (!end) frames.push(data(next, randomBytes(random, 500)), data(next, 'end', random.chance(0.8)))
      next += 2
    } else if (kind === 3) frames.push(data(id, randomBytes(random, 100), random.chance(0.3)))
    else if (kind === 4) frames.push(windowUpdate(random.chance(0.5) ? 0 : id, random.int(100_000)))
    else if (kind === 5) frames.push(resetStream(id, random.int(15)))
    else if (kind === 6) frames.push(settings([random.int(9), random.int(70_000)]))
    else frames.push(frame(random.int(12), random.int(256), id, randomBytes(random, 40)))
  }
  return frames
}

const probe = async (): Promise<void> => {
  const client = await rawHttp2(portico.gatewayPort)
  client.send(headers(1, request('/probe'), true))
  assert.equal((await client.read(1)).body.toString(), 'GET /probe 0')
  client.destroy()
}

test('a gateway that gets random and mutated frames serves on, and lets go of every call', async () => {
  const total = rounds(300)
  for (let seed = firstSeed; seed < firstSeed + total; seed++) {
    const random = seededRandom(seed)
    const client = new RawHttp2(await rawClient(portico.gatewayPort))
    const frames = Buffer.concat(randomFrames(random))
    const bytes = random.chance(0.6) ? mutateBytes(random, frames) : frames
    client.send(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings(), bytes)
    if (random.chance(0.5)) client.raw.end()
    else if (random.chance(0.3)) client.raw.reset()
    if (seed % 20 === 0) await probe()
    else await new Promise(setImmediate)
    client.destroy()
  }
  await probe()
  await eventually(
    async () => ((await portico.status()).workers[0]?.load.activeCalls === 0 ? true : null),
    'no call to be left',
  )
  assert.doesNotMatch(portico.output(), /should not|TypeError|RangeError/)
})

test('an origin that answers with random and mutated frames is an error of that call alone', async t => {
  let seed = firstSeed
  const strange = await http2Origin(stream => {
    const random = seededRandom(seed)
    const answer = Buffer.concat([
      headers(
        stream.id,
        [
          [':status', '200'],
          ['x-a', '1'],
        ],
        false,
      ),
      data(stream.id, randomBytes(random, 300)),
      data(stream.id, 'end', true),
    ])
    const wild = stream.fields[':path'] !== '/probe'
    stream.connection.send(wild ? mutateBytes(random, answer) : headers(stream.id, [[':status', '204']], true))
  })
  t.after(() => strange.stop())
  const timeouts = { response: '300ms' }
  const gateway = await startPortico({ config: oneService(strange.url, {}, { protocol: 'h2', timeouts }) })
  t.after(() => gateway.stop())
  for (const end = seed + rounds(100); seed < end; seed++) {
    const client = await rawHttp2(gateway.gatewayPort)
    client.send(headers(1, request('/wild'), true))
    const { status, reset } = await client.read(1)
    assert.ok([200, 204, 502, 504].includes(status) || reset !== null, `seed ${seed}: ${status}`)
    client.destroy()
  }
  const client = await rawHttp2(gateway.gatewayPort)
  t.after(() => client.destroy())
  client.send(headers(1, request('/probe'), true))
  assert.equal((await client.read(1)).status, 204)
  assert.doesNotMatch(gateway.output(), /should not|TypeError|RangeError/)
})
