import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatewayError } from '#base/errors'
import type { HeaderList } from '../headers.ts'
import { acceptOf, checkAcceptance, checkHandshake, reservedBits } from './handshake.ts'

const key = 'dGhlIHNhbXBsZSBub25jZQ=='
const request: HeaderList = ['sec-websocket-version', '13', 'sec-websocket-key', key]

const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    if (error instanceof GatewayError) return error.code
    throw error
  }
  return 'passes'
}

test('the example of RFC 6455 §1.3', () => {
  assert.equal(acceptOf(key), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
  assert.equal(checkHandshake(request), key)
})

for (const [what, headers, code] of [
  ['no version', ['sec-websocket-key', key], 'websocket-version'],
  ['version 8', ['sec-websocket-version', '8', 'sec-websocket-key', key], 'websocket-version'],
  ['two versions', ['sec-websocket-version', '13', ...request], 'websocket-version'],
  ['no key', ['sec-websocket-version', '13'], 'bad-request'],
  ['two keys', [...request, 'sec-websocket-key', key], 'bad-request'],
  ['a short key', ['sec-websocket-version', '13', 'sec-websocket-key', 'dGhl'], 'bad-request'],
  ['a key of 17 bytes', ['sec-websocket-version', '13', 'sec-websocket-key', `${key.slice(0, 22)}A=`], 'bad-request'],
  [
    'a key with bits left over',
    ['sec-websocket-version', '13', 'sec-websocket-key', `${key.slice(0, 21)}R==`],
    'bad-request',
  ],
] as [string, HeaderList, string][])
  test(`a handshake with ${what} is ${code} (RFC 6455 §4.2.1)`, () => {
    assert.equal(
      codeOf(() => checkHandshake(headers)),
      code,
    )
  })

const accept: HeaderList = ['sec-websocket-accept', acceptOf(key)]

for (const [what, offered, answer, code] of [
  ['the right key', [], accept, 'passes'],
  ['no accept field', [], [], 'upstream-invalid'],
  ['the accept field of another key', [], ['sec-websocket-accept', acceptOf(`${key}x`)], 'upstream-invalid'],
  [
    'an extension that was offered among others',
    ['sec-websocket-extensions', 'x-a, permessage-deflate; client_max_window_bits'],
    [...accept, 'sec-websocket-extensions', 'permessage-deflate; server_no_context_takeover'],
    'passes',
  ],
  ['an extension nobody offered', [], [...accept, 'sec-websocket-extensions', 'x-a'], 'upstream-invalid'],
  [
    'a subprotocol that was offered',
    ['sec-websocket-protocol', 'a, b'],
    [...accept, 'sec-websocket-protocol', 'b'],
    'passes',
  ],
  [
    'a subprotocol nobody offered',
    ['sec-websocket-protocol', 'a, b'],
    [...accept, 'sec-websocket-protocol', 'c'],
    'upstream-invalid',
  ],
] as [string, HeaderList, HeaderList, string][])
  test(`an answer with ${what}: ${code} (RFC 6455 §4.1)`, () => {
    assert.equal(
      codeOf(() => checkAcceptance(offered, answer, key)),
      code,
    )
  })

test('reserved bits belong to the extensions that were agreed on', () => {
  assert.equal(reservedBits([]), 0)
  assert.equal(reservedBits(['sec-websocket-extensions', 'permessage-deflate; client_max_window_bits=10']), 0x40)
  assert.equal(reservedBits(['sec-websocket-extensions', 'permessage-deflate, x-other']), 0x70)
})
