import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HeaderList } from '../headers.ts'
import { ConnectionError, errorCodes } from './error-codes.ts'
import { HpackDecoder } from './hpack-decoder.ts'
import { blockBound, HpackEncoder } from './hpack-encoder.ts'
import { decodeHuffman, huffmanBits, huffmanCodes } from './huffman.ts'

const decode = (decoder: HpackDecoder, hex: string): HeaderList => {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex')
  const fields: HeaderList = []
  decoder.decode(bytes, 0, bytes.length, { onField: (name, value) => fields.push(name.text, value) })
  return fields
}

const firstRequest = [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com']
const secondRequest = [...firstRequest, 'cache-control', 'no-cache']
const thirdRequest = [
  ...[':method', 'GET', ':scheme', 'https', ':path', '/index.html', ':authority', 'www.example.com'],
  ...['custom-key', 'custom-value'],
]
const firstResponse = [
  ...[':status', '302', 'cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
  ...['location', 'https://www.example.com'],
]
const secondResponse = [':status', '307', ...firstResponse.slice(2)]
const thirdResponse = [
  ...[':status', '200', 'cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:22 GMT'],
  ...['location', 'https://www.example.com', 'content-encoding', 'gzip'],
  ...['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
]
/** The examples of responses have a table of 256 bytes. */
const tableOf256 = '3fe101'

const examples: { section: string; blocks: readonly [string, HeaderList][] }[] = [
  {
    section: 'C.2.1',
    blocks: [['400a637573746f6d2d6b65790d637573746f6d2d686561646572', ['custom-key', 'custom-header']]],
  },
  { section: 'C.2.2', blocks: [['040c2f73616d706c652f70617468', [':path', '/sample/path']]] },
  { section: 'C.2.3', blocks: [['100870617373776f726406736563726574', ['password', 'secret']]] },
  { section: 'C.2.4', blocks: [['82', [':method', 'GET']]] },
  {
    section: 'C.3',
    blocks: [
      ['828684410f7777772e6578616d706c652e636f6d', firstRequest],
      ['828684be58086e6f2d6361636865', secondRequest],
      ['828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565', thirdRequest],
    ],
  },
  {
    section: 'C.4',
    blocks: [
      ['828684418cf1e3c2e5f23a6ba0ab90f4ff', firstRequest],
      ['828684be5886a8eb10649cbf', secondRequest],
      ['828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf', thirdRequest],
    ],
  },
  {
    section: 'C.5',
    blocks: [
      [
        `${tableOf256}4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54` +
          '6e1768747470733a2f2f7777772e6578616d706c652e636f6d',
        firstResponse,
      ],
      ['4803333037c1c0bf', secondResponse],
      [
        '88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48' +
          '514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31',
        thirdResponse,
      ],
    ],
  },
  {
    section: 'C.6',
    blocks: [
      [
        `${tableOf256}488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b` +
          '97c8e9ae82ae43d3',
        firstResponse,
      ],
      ['4883640effc1c0bf', secondResponse],
      [
        '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af' +
          '27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
        thirdResponse,
      ],
    ],
  },
]

for (const { section, blocks } of examples)
  test(`the example of RFC 7541 ${section}`, () => {
    const decoder = new HpackDecoder()
    for (const [hex, fields] of blocks) assert.deepEqual(decode(decoder, hex), fields)
  })

const wrong: [string, string][] = [
  ['index 0 (§6.1)', '80'],
  ['an index behind the empty table (§2.3.3)', 'be'],
  ['an index behind the empty table as a name (§2.3.3)', '7e0161'],
  ['a number without its end (§5.1)', 'ff'],
  ['a number that never ends (§5.1)', 'ffffffffffff7f'],
  ['a number of 2^35 (§5.1)', 'ff8080808001'],
  ['a string longer than the block (§5.2)', '40056162'],
  ['a name without a value', '400161'],
  ['a size update behind a field (§4.2)', '8220'],
  ['a size update above the setting (§4.2)', '3fe21f'],
  ['Huffman padding of 8 bits (§5.2)', '40016182ffff'],
  ['Huffman padding of zeros (§5.2)', '4001618100'],
  ['Huffman with EOS inside (§5.2)', '40016184fffffffc'],
]

for (const [what, hex] of wrong)
  test(`refused: ${what}`, () => {
    assert.throws(
      () => decode(new HpackDecoder(), hex),
      error => error instanceof ConnectionError && error.code === errorCodes.compressionError,
    )
  })

test('a size update of zero empties the table', () => {
  const decoder = new HpackDecoder()
  decode(decoder, '400161 0162')
  assert.deepEqual(decode(decoder, 'be'), ['a', 'b'])
  assert.throws(() => decode(decoder, '20be'), ConnectionError)
})

test('an entry larger than the table empties it and is no error (§4.4)', () => {
  const decoder = new HpackDecoder()
  decode(decoder, '400161 0162')
  const long = '61'.repeat(5000)
  assert.equal(decode(decoder, `400161 7f8926 ${long}`)[1]?.length, 5000)
  assert.throws(() => decode(decoder, 'be'), ConnectionError)
})

test('values that no field may hold are told apart, also out of the table', () => {
  const decoder = new HpackDecoder()
  const seen: boolean[] = []
  for (const hex of ['400161 03610a62', 'be', '400161 022061', '400161 026162'])
    for (const bytes of [Buffer.from(hex.replaceAll(' ', ''), 'hex')])
      decoder.decode(bytes, 0, bytes.length, { onField: (_name, _value, valid) => seen.push(valid) })
  assert.deepEqual(seen, [false, false, false, true])
})

test('every symbol of the Huffman code decodes to itself', () => {
  for (let symbol = 0; symbol < 256; symbol++) {
    const length = huffmanBits[symbol] as number
    const rest = BigInt(64 - length)
    const filled = (BigInt(huffmanCodes[symbol] as number) << rest) | ((1n << rest) - 1n)
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64BE(filled)
    assert.equal(decodeHuffman(bytes, 0, Math.ceil(length / 8)), String.fromCharCode(symbol))
  }
})

test('what repeats is sent as one byte, what changes each time leaves the table alone', () => {
  const encoder = new HpackEncoder()
  const decoder = new HpackDecoder()
  let size = 0
  for (let call = 0; call < 20; call++) {
    const fields = ['server', 'origin', 'x-request-id', `id-${call}`, 'authorization', 'Bearer secret']
    const out = Buffer.alloc(blockBound(fields))
    encoder.begin(out, 0)
    encoder.fields(fields)
    size = encoder.end()
    assert.deepEqual(decode(decoder, out.toString('hex', 0, size)), fields)
    if (call > 0) assert.equal(out[0], 0x80 | (call < 6 ? 62 + Math.min(call, 4) : 66))
    assert.equal(out.includes('Bearer secret'), true, 'secrets never enter the table')
  }
})

test('a smaller table of the peer is announced and kept to (§4.2)', () => {
  const encoder = new HpackEncoder()
  const decoder = new HpackDecoder()
  const send = (fields: HeaderList): HeaderList => {
    const out = Buffer.alloc(blockBound(fields))
    encoder.begin(out, 0)
    encoder.fields(fields)
    return decode(decoder, out.toString('hex', 0, encoder.end()))
  }
  const fields = ['a', 'x'.repeat(100), 'b', 'y'.repeat(100)]
  send(fields)
  for (const limit of [64, 0, 4096, 150]) {
    encoder.limit(limit)
    assert.deepEqual(send(fields), fields)
    assert.deepEqual(send(fields), fields)
  }
})
