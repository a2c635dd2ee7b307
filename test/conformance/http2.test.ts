import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { errorCodes as codes } from '#http/http2/error-codes'
import {
  headerOf,
  oneService,
  type Portico,
  type RequestMessage,
  rawClient,
  type ScriptedOrigin,
  startPortico,
} from '../harness.ts'
import {
  block,
  data,
  frame,
  headers,
  number32,
  postRequest,
  preface,
  RawHttp2,
  rawHttp2,
  request,
  resetStream,
  settings,
  windowUpdate,
} from '../raw-http2.ts'
import { tableOrigin } from './case-table.ts'

let portico: Portico
let origin: ScriptedOrigin
before(async () => {
  origin = await tableOrigin()
  const limits = { head: '8kb', headers: 50, target: '1kb' }
  portico = await startPortico({ config: oneService(origin.url, {}, {}, { limits }) })
})
after(async () => {
  await portico?.stop()
  await origin?.stop()
})

type Case = {
  id: string
  section: string
  send: readonly Buffer[]
  /** A status; `reset` a code of RST_STREAM on stream 1; `goaway` that of the connection. */
  expect: { status?: number; reset?: number; goaway?: number | readonly number[] }
  /** Checks the one request that reached the origin; null when none may. */
  origin?: ((request: RequestMessage) => void) | null
}

const post = (fields: [string, string][], ...bodies: Buffer[]): Buffer[] => [
  headers(1, postRequest(...fields), false),
  ...bodies,
]

const passes = (
  id: string,
  section: string,
  send: readonly Buffer[],
  check: (request: RequestMessage) => void = () => {},
): Case => ({
  id,
  section,
  send,
  expect: { status: 200 },
  origin: check,
})

/** Malformed: answered with 400 and reset (§8.1.1). */
const malformed = (id: string, section: string, fields: [string, string][]): Case => ({
  id,
  section,
  send: [headers(1, fields, true)],
  expect: { status: 400, reset: codes.protocolError },
  origin: null,
})

const refused = (id: string, section: string, send: readonly Buffer[], status: number): Case => ({
  id,
  section,
  send,
  expect: { status },
  origin: null,
})

const resets = (id: string, section: string, send: readonly Buffer[], reset: number): Case => ({
  id,
  section,
  send,
  expect: { reset },
})

const breaks = (id: string, section: string, send: readonly Buffer[], goaway: number | readonly number[]): Case => ({
  id,
  section,
  send,
  expect: { goaway },
})

const replaced = (name: string, value: string): [string, string][] =>
  request().map(([field, text]) => [field, field === name ? value : text])
const withoutField = (name: string): [string, string][] => request().filter(([field]) => field !== name)

const fields: Case[] = [
  passes('plain', 'RFC 9113 §8.3.1', [headers(1, request('/x?a=1'), true)], r => {
    assert.equal(r.startLine, 'GET /x?a=1 HTTP/1.1')
    assert.equal(headerOf(r, 'x-forwarded-host'), 'a.test')
    assert.equal(headerOf(r, 'via'), '2 portico')
  }),
  passes(
    'cookie-crumbs',
    'RFC 9113 §8.2.3',
    [headers(1, request('/x', ['cookie', 'a=1'], ['x-b', '1'], ['cookie', 'c=2']), true)],
    r => assert.equal(headerOf(r, 'cookie'), 'a=1; c=2'),
  ),
  passes('te-trailers', 'RFC 9113 §8.2.2', [headers(1, request('/x', ['te', 'trailers']), true)]),
  passes('host-agrees', 'RFC 9113 §8.3.1', [headers(1, request('/x', ['host', 'A.test']), true)]),
  passes('host-alone', 'RFC 9113 §8.3.1', [headers(1, [...withoutField(':authority'), ['host', 'b.test']], true)], r =>
    assert.equal(headerOf(r, 'x-forwarded-host'), 'b.test'),
  ),
  passes('options-asterisk', 'RFC 9113 §8.3.1', [headers(1, [[':method', 'OPTIONS'], ...request('/').slice(1)], true)]),
  passes('empty-value', 'RFC 9110 §5.5', [headers(1, request('/x', ['x-a', '']), true)], r =>
    assert.equal(headerOf(r, 'x-a'), ''),
  ),
  malformed('name-upper-case', 'RFC 9113 §8.2.1', request('/x', ['X-A', '1'])),
  malformed('name-empty', 'RFC 9113 §8.2.1', request('/x', ['', '1'])),
  malformed('name-space', 'RFC 9113 §8.2.1', request('/x', ['x a', '1'])),
  malformed('name-colon', 'RFC 9113 §8.2.1', request('/x', ['x:a', '1'])),
  malformed('name-crlf', 'RFC 9113 §8.2.1', request('/x', ['x-a: 1\r\nhost', '1'])),
  malformed('name-latin1', 'RFC 9113 §8.2.1', request('/x', ['x\xe4', '1'])),
  malformed('value-cr', 'RFC 9113 §8.2.1', request('/x', ['x-a', '1\r2'])),
  malformed('value-lf', 'RFC 9113 §8.2.1', request('/x', ['x-a', '1\n2'])),
  malformed('value-crlf-header', 'RFC 9113 §10.3', request('/x', ['x-a', '1\r\ntransfer-encoding: chunked'])),
  malformed(
    'value-crlf-request',
    'RFC 9113 §10.3',
    request('/x', ['x-a', '1\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a']),
  ),
  malformed('value-nul', 'RFC 9113 §8.2.1', request('/x', ['x-a', '1\0'])),
  malformed('value-leading-space', 'RFC 9113 §8.2.1', request('/x', ['x-a', ' 1'])),
  malformed('value-trailing-tab', 'RFC 9113 §8.2.1', request('/x', ['x-a', '1\t'])),
  malformed('connection', 'RFC 9113 §8.2.2', request('/x', ['connection', 'close'])),
  malformed('keep-alive', 'RFC 9113 §8.2.2', request('/x', ['keep-alive', 'timeout=1'])),
  malformed('proxy-connection', 'RFC 9113 §8.2.2', request('/x', ['proxy-connection', 'close'])),
  malformed('transfer-encoding', 'RFC 9113 §8.2.2', request('/x', ['transfer-encoding', 'chunked'])),
  malformed('upgrade', 'RFC 9113 §8.2.2', request('/x', ['upgrade', 'h2c'])),
  malformed('te-other', 'RFC 9113 §8.2.2', request('/x', ['te', 'gzip'])),
  malformed('te-list', 'RFC 9113 §8.2.2', request('/x', ['te', 'trailers, gzip'])),
]

const pseudo: Case[] = [
  malformed('method-missing', 'RFC 9113 §8.3.1', withoutField(':method')),
  malformed('scheme-missing', 'RFC 9113 §8.3.1', withoutField(':scheme')),
  malformed('path-missing', 'RFC 9113 §8.3.1', withoutField(':path')),
  malformed('authority-missing', 'RFC 9113 §8.3.1', withoutField(':authority')),
  malformed('method-empty', 'RFC 9113 §8.3.1', replaced(':method', '')),
  malformed('method-space', 'RFC 9110 §9.1', replaced(':method', 'GET /a HTTP/1.1')),
  malformed('method-crlf', 'RFC 9113 §10.3', replaced(':method', 'GET / HTTP/1.1\r\nhost: b\r\nx:')),
  malformed('path-empty', 'RFC 9113 §8.3.1', replaced(':path', '')),
  malformed('path-relative', 'RFC 9113 §8.3.1', replaced(':path', 'x')),
  malformed('path-absolute-form', 'RFC 9113 §8.3.1', replaced(':path', 'http://b.test/x')),
  malformed('path-space', 'RFC 9113 §8.3.1', replaced(':path', '/x HTTP/1.1')),
  malformed('path-crlf', 'RFC 9113 §10.3', replaced(':path', '/x HTTP/1.1\r\nhost: b\r\nx: ')),
  malformed('path-fragment', 'RFC 9113 §8.3.1', replaced(':path', '/x#y')),
  malformed('path-latin1', 'RFC 3986 §2', replaced(':path', '/\xe4')),
  malformed('path-asterisk-get', 'RFC 9113 §8.3.1', replaced(':path', '*')),
  malformed('scheme-other', 'engine', replaced(':scheme', 'ftp')),
  malformed('scheme-url', 'RFC 9113 §10.3', replaced(':scheme', 'http://b.test/x?')),
  malformed('authority-userinfo', 'RFC 9113 §8.3.1', replaced(':authority', 'user@a.test')),
  malformed('authority-path', 'RFC 9113 §8.3.1', replaced(':authority', 'a.test/x')),
  malformed('authority-crlf', 'RFC 9113 §10.3', replaced(':authority', 'a.test\r\nx: y')),
  malformed('authority-empty', 'RFC 9113 §8.3.1', replaced(':authority', '')),
  malformed('host-differs', 'RFC 9113 §8.3.1', request('/x', ['host', 'b.test'])),
  malformed('host-repeated', 'RFC 9110 §7.2', request('/x', ['host', 'a.test'], ['host', 'a.test'])),
  malformed('authority-repeated', 'RFC 9113 §8.3', [...request(), [':authority', 'a.test']]),
  malformed('path-repeated', 'RFC 9113 §8.3', [[':path', '/y'], ...request()]),
  malformed('pseudo-late', 'RFC 9113 §8.3', [...withoutField(':path'), ['x-a', '1'], [':path', '/x']]),
  malformed('pseudo-unknown', 'RFC 9113 §8.3', [[':foo', '1'], ...request()]),
  malformed('pseudo-of-response', 'RFC 9113 §8.3', [[':status', '200'], ...request()]),
  malformed('connect-with-path', 'RFC 9113 §8.5', replaced(':method', 'CONNECT')),
  malformed('protocol-without-connect', 'RFC 8441 §4', [[':protocol', 'websocket'], ...request()]),
  refused(
    'connect',
    'RFC 9113 §8.5',
    [
      headers(
        1,
        [
          [':method', 'CONNECT'],
          [':authority', 'a.test:443'],
        ],
        true,
      ),
    ],
    501,
  ),
  refused(
    'connect-other-protocol',
    'RFC 8441 §4',
    [headers(1, [...replaced(':method', 'CONNECT'), [':protocol', 'connect-udp']], false)],
    501,
  ),
  refused('expectation', 'RFC 9110 §10.1.1', [headers(1, request('/x', ['expect', 'tea']), true)], 417),
  refused('path-climbs', 'RFC 3986 §5.2.4', [headers(1, request('/../x'), true)], 400),
  refused('target-long', 'RFC 9110 §15.5.15', [headers(1, request(`/${'x'.repeat(1100)}`), true)], 414),
  refused('fields-large', 'RFC 9113 §10.5.1', [headers(1, request('/x', ['x-a', 'y'.repeat(9000)]), true)], 431),
  refused(
    'fields-many',
    'RFC 9113 §10.5.1',
    [headers(1, request('/x', ...Array.from({ length: 60 }, (): [string, string] => ['x-a', '1'])), true)],
    431,
  ),
]

const bodies: Case[] = [
  passes('body-unknown-length', 'RFC 9113 §8.1', post([], data(1, 'hel'), data(1, 'lo', true)), r => {
    assert.equal(r.body.toString(), 'hello')
    assert.equal(headerOf(r, 'transfer-encoding'), 'chunked')
  }),
  passes('body-length', 'RFC 9113 §8.1.1', post([['content-length', '5']], data(1, 'hello', true)), r => {
    assert.equal(r.body.toString(), 'hello')
    assert.equal(headerOf(r, 'content-length'), '5')
    assert.equal(headerOf(r, 'transfer-encoding'), undefined)
  }),
  passes('body-padded', 'RFC 9113 §6.1', post([['content-length', '5']], frame(0, 9, 1, `\x03hello\0\0\0`)), r =>
    assert.equal(r.body.toString(), 'hello'),
  ),
  passes('body-empty-data', 'RFC 9113 §6.1', post([['content-length', '0']], data(1, '', true)), r =>
    assert.equal(r.body.length, 0),
  ),
  passes('body-then-trailers', 'RFC 9113 §8.1', post([], data(1, 'hello'), headers(1, [['x-sum', '9']], true)), r =>
    assert.equal(r.body.toString(), 'hello'),
  ),
  resets(
    'length-too-short',
    'RFC 9113 §8.1.1',
    post([['content-length', '6']], data(1, 'hello', true)),
    codes.protocolError,
  ),
  resets(
    'length-too-long',
    'RFC 9113 §8.1.1',
    post([['content-length', '4']], data(1, 'hello', true)),
    codes.protocolError,
  ),
  resets(
    'length-then-trailers',
    'RFC 9113 §8.1.1',
    post([['content-length', '6']], data(1, 'hello'), headers(1, [['x', '1']], true)),
    codes.protocolError,
  ),
  {
    ...malformed('length-without-body', 'RFC 9113 §8.1.1', postRequest(['content-length', '5'])),
  },
  malformed('length-repeated', 'RFC 9110 §8.6', postRequest(['content-length', '0'], ['content-length', '0'])),
  malformed('length-list', 'RFC 9110 §8.6', postRequest(['content-length', '0, 0'])),
  malformed('length-signed', 'RFC 9110 §8.6', postRequest(['content-length', '+0'])),
  malformed('length-huge', 'RFC 9110 §8.6', postRequest(['content-length', '18446744073709551616'])),
  resets(
    'trailers-pseudo',
    'RFC 9113 §8.1',
    post([], data(1, 'a'), headers(1, [[':path', '/y']], true)),
    codes.protocolError,
  ),
  resets(
    'trailers-framing',
    'RFC 9110 §6.5.1',
    post([], data(1, 'a'), headers(1, [['content-length', '1']], true)),
    codes.protocolError,
  ),
  resets(
    'trailers-connection',
    'RFC 9113 §8.2.2',
    post([], data(1, 'a'), headers(1, [['transfer-encoding', 'chunked']], true)),
    codes.protocolError,
  ),
  resets(
    'trailers-not-last',
    'RFC 9113 §8.1',
    post([], data(1, 'a'), headers(1, [['x', '1']], false)),
    codes.protocolError,
  ),
]

const framing: Case[] = [
  breaks('headers-even-stream', 'RFC 9113 §5.1.1', [headers(2, request(), true)], codes.protocolError),
  breaks(
    'headers-smaller-stream',
    'RFC 9113 §5.1.1',
    [headers(5, request(), true), headers(3, request(), true)],
    [codes.protocolError, codes.streamClosed],
  ),
  breaks('headers-stream-0', 'RFC 9113 §6.2', [headers(0, request(), true)], codes.protocolError),
  breaks('data-stream-0', 'RFC 9113 §6.1', [data(0, 'x')], codes.protocolError),
  breaks('data-idle', 'RFC 9113 §5.1', [data(1, 'x')], codes.protocolError),
  breaks('data-padding', 'RFC 9113 §6.1', post([], frame(0, 8, 1, '\x05abc')), codes.protocolError),
  breaks('reset-idle', 'RFC 9113 §6.4', [resetStream(1, 8)], codes.protocolError),
  breaks('reset-size', 'RFC 9113 §6.4', post([], frame(3, 0, 1, 'abc')), codes.frameSizeError),
  breaks('window-idle', 'RFC 9113 §5.1', [windowUpdate(1, 1)], codes.protocolError),
  breaks('window-zero', 'RFC 9113 §6.9', [windowUpdate(0, 0)], codes.protocolError),
  breaks('window-overflow', 'RFC 9113 §6.9.1', [windowUpdate(0, 2_147_483_647)], codes.flowControlError),
  resets('window-stream-overflow', 'RFC 9113 §6.9.1', post([], windowUpdate(1, 2_147_483_647)), codes.flowControlError),
  resets('window-stream-zero', 'RFC 9113 §6.9', post([], windowUpdate(1, 0)), codes.protocolError),
  breaks('settings-size', 'RFC 9113 §6.5', [frame(4, 0, 0, 'abc')], codes.frameSizeError),
  breaks('settings-stream', 'RFC 9113 §6.5', [frame(4, 0, 1)], codes.protocolError),
  breaks('settings-ack-payload', 'RFC 9113 §6.5', [frame(4, 1, 0, Buffer.alloc(6))], codes.frameSizeError),
  breaks('settings-push', 'RFC 9113 §6.5.2', [settings([2, 2])], codes.protocolError),
  breaks('settings-window', 'RFC 9113 §6.5.2', [settings([4, 0x8000_0000])], codes.flowControlError),
  breaks('settings-frame-size', 'RFC 9113 §6.5.2', [settings([5, 100])], codes.protocolError),
  breaks('ping-size', 'RFC 9113 §6.7', [frame(6, 0, 0, 'abc')], codes.frameSizeError),
  breaks('ping-stream', 'RFC 9113 §6.7', [frame(6, 0, 1, Buffer.alloc(8))], codes.protocolError),
  breaks('push-promise', 'RFC 9113 §8.4', [frame(5, 4, 1, number32(2))], codes.protocolError),
  breaks('continuation-alone', 'RFC 9113 §6.10', [frame(9, 4, 1, block(request()))], codes.protocolError),
  breaks(
    'block-interrupted',
    'RFC 9113 §6.10',
    [frame(1, 1, 1, block(request())), frame(6, 0, 0, Buffer.alloc(8))],
    codes.protocolError,
  ),
  breaks(
    'block-other-stream',
    'RFC 9113 §6.10',
    [frame(1, 1, 1, block(request())), frame(9, 4, 3)],
    codes.protocolError,
  ),
  breaks('block-garbage', 'RFC 9113 §4.3', [frame(1, 5, 1, '\xff\xff\xff\xff\xff\xff')], codes.compressionError),
  breaks(
    'frame-large',
    'RFC 9113 §4.2',
    [Buffer.concat([number32(0x0040_0100), Buffer.alloc(5)])],
    codes.frameSizeError,
  ),
  passes('block-split', 'RFC 9113 §6.10', [
    frame(1, 1, 1, block(request().slice(0, 2))),
    frame(9, 0, 1),
    frame(9, 4, 1, block(request().slice(2))),
  ]),
  passes('frame-unknown', 'RFC 9113 §5.5', [frame(0xbe, 0xff, 0, 'hello'), headers(1, request(), true)]),
  passes('settings-unknown', 'RFC 9113 §6.5.2', [settings([0x99, 7]), headers(1, request(), true)]),
  passes('priority-ignored', 'RFC 9113 §5.3', [
    frame(2, 0, 1, Buffer.from([0, 0, 0, 3, 9])),
    headers(1, request(), true),
  ]),
]

/** What costs more to serve than to send ends the connection (RFC 9113 §10.5). */
const floods: Case[] = [
  breaks(
    'flood-reset',
    'RFC 9113 §10.5',
    Array.from({ length: 600 }, (_, i) => [headers(2 * i + 1, postRequest(), false), resetStream(2 * i + 1, 8)]).flat(),
    codes.enhanceYourCalm,
  ),
  breaks(
    'flood-broken-streams',
    'RFC 9113 §10.5',
    Array.from({ length: 600 }, (_, i) => [
      headers(2 * i + 1, postRequest(), false),
      windowUpdate(2 * i + 1, 0),
    ]).flat(),
    codes.enhanceYourCalm,
  ),
  breaks(
    'flood-continuation',
    'RFC 9113 §10.5.1',
    [frame(1, 1, 1, block(request())), ...Array.from({ length: 100 }, () => frame(9, 0, 1, 'x'))],
    codes.enhanceYourCalm,
  ),
  breaks(
    'flood-continuation-empty',
    'RFC 9113 §10.5',
    [frame(1, 1, 1, block(request())), ...Array.from({ length: 100 }, () => frame(9, 0, 1))],
    codes.enhanceYourCalm,
  ),
  breaks(
    'flood-block-bytes',
    'RFC 9113 §10.5.1',
    [frame(1, 1, 1, block(request())), ...Array.from({ length: 4 }, () => frame(9, 0, 1, Buffer.alloc(16_384)))],
    codes.enhanceYourCalm,
  ),
  breaks(
    'flood-settings',
    'RFC 9113 §10.5',
    Array.from({ length: 1000 }, () => settings()),
    codes.enhanceYourCalm,
  ),
  breaks(
    'flood-ping',
    'RFC 9113 §10.5',
    Array.from({ length: 20_000 }, () => frame(6, 0, 0, Buffer.alloc(8))),
    codes.enhanceYourCalm,
  ),
  breaks(
    'flood-empty-data',
    'RFC 9113 §10.5',
    [...post([]), ...Array.from({ length: 5000 }, () => data(1, ''))],
    codes.enhanceYourCalm,
  ),
  breaks(
    'flood-window',
    'RFC 9113 §10.5',
    Array.from({ length: 60_000 }, () => windowUpdate(0, 1)),
    codes.enhanceYourCalm,
  ),
  breaks(
    'flood-priority',
    'RFC 9113 §10.5',
    Array.from({ length: 60_000 }, () => frame(2, 0, 1, Buffer.from([0, 0, 0, 3, 9]))),
    codes.enhanceYourCalm,
  ),
  // One entry of the table, and one byte for each time it is meant: 4 kB become 16 MB unless somebody counts.
  refused(
    'header-bomb',
    'RFC 7541 §7',
    [
      frame(
        1,
        5,
        1,
        Buffer.concat([
          block(request()),
          Buffer.from('400161', 'hex'),
          Buffer.from([0x7f, 0x81, 0x1e]),
          Buffer.alloc(3968, 0x79),
          Buffer.alloc(4000, 0xbe),
        ]),
      ),
    ],
    431,
  ),
]

const ids = new Set<string>()
for (const { id, section, send, expect, origin: check } of [...fields, ...pseudo, ...bodies, ...framing, ...floods]) {
  assert.ok(!ids.has(id), `the id ${id} is used twice`)
  ids.add(id)
  test(`h2-${id} (${section})`, async t => {
    origin.forget()
    const client = await rawHttp2(portico.gatewayPort)
    t.after(() => client.destroy())
    client.send(...send)
    if (expect.goaway !== undefined) {
      const code = await client.readGoaway()
      const allowed: readonly number[] = typeof expect.goaway === 'number' ? [expect.goaway] : expect.goaway
      assert.ok(allowed.includes(code), `GOAWAY with ${code}: ${client.goawayFrames[0]?.reason}`)
    } else {
      const answer =
        expect.reset === undefined
          ? await client.read(1)
          : await client.waitFor(() => (client.answer(1).reset === null ? null : client.answer(1)), 'RST_STREAM')
      if (expect.status !== undefined) assert.equal(answer.status, expect.status, answer.body.toString())
      if (expect.reset !== undefined) assert.equal(answer.reset, expect.reset)
      // The connection, and its header table, are as good as before.
      client.send(headers(101, request('/again'), true))
      assert.equal((await client.read(101)).body.toString(), '/again')
    }
    const seen = origin.requests.filter(({ target }) => target !== '/again')
    if (check === null)
      assert.deepEqual(
        seen.map(({ startLine }) => startLine),
        [],
      )
    else if (check !== undefined) {
      assert.equal(seen.length, 1)
      check(seen[0] as RequestMessage)
    }
  })
}

test('h2-preface-split (RFC 9113 §3.4): a preface in pieces is the same preface', async t => {
  for (let at = 1; at < preface.length; at++) {
    const client = new RawHttp2(await rawClient(portico.gatewayPort))
    t.after(() => client.destroy())
    await client.raw.sendSlowly(Buffer.concat([preface, settings(), headers(1, request('/split'), true)]), [at, 1000])
    assert.equal((await client.read(1)).body.toString(), '/split')
    client.destroy()
  }
})

test('h2-byte-by-byte (RFC 9113 §4.1): frames in any split', async t => {
  const client = new RawHttp2(await rawClient(portico.gatewayPort))
  t.after(() => client.destroy())
  const bytes = [preface, settings(), ...post([['content-length', '5']], data(1, 'hel'), data(1, 'lo', true))]
  await client.raw.sendSlowly(Buffer.concat(bytes), [1])
  assert.equal((await client.read(1)).status, 200)
})

test('h2-preface-wrong (RFC 9113 §3.4): a broken second half ends the connection', async () => {
  const raw = await rawClient(portico.gatewayPort)
  raw.send('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n')
  await raw.waitClose()
})

test('h2-preface-later (RFC 9113 §3.4): after a request of HTTP/1.1 it is a wrong request', async () => {
  const raw = await rawClient(portico.gatewayPort)
  raw.send('GET /1 HTTP/1.1\r\nhost: a.test\r\n\r\n')
  assert.equal((await raw.readFinalResponse()).status, 200)
  raw.send(preface)
  assert.equal((await raw.readFinalResponse()).status, 505)
  await raw.waitClose()
})

test('h2-first-frame (RFC 9113 §3.4): SETTINGS comes first', async t => {
  const client = await rawHttp2(portico.gatewayPort, frame(6, 0, 0, Buffer.alloc(8)))
  t.after(() => client.destroy())
  assert.equal(await client.readGoaway(), codes.protocolError)
})

test('h2-concurrency (RFC 9113 §5.1.2): streams above the limit are refused and may be sent again', async t => {
  const client = await rawHttp2(portico.gatewayPort)
  t.after(() => client.destroy())
  for (let i = 0; i < 129; i++) client.send(headers(2 * i + 1, postRequest(), false))
  assert.equal((await client.read(257)).reset, codes.refusedStream)
  await client.settle()
  assert.equal([...client.answers.values()].filter(({ reset }) => reset !== null).length, 1)
})

test('h2-window (RFC 9113 §6.9): no byte more than the window, and the rest when it grows', async t => {
  const client = await rawHttp2(portico.gatewayPort, settings([4, 3]))
  t.after(() => client.destroy())
  client.send(headers(1, request('/0123456789'), true))
  await client.waitFor(() => (client.answer(1).body.length >= 3 ? true : null), 'three bytes')
  await client.settle()
  assert.equal(client.answer(1).body.toString(), '/01')
  client.send(windowUpdate(1, 2))
  await client.settle()
  assert.equal(client.answer(1).body.toString(), '/0123')
  client.send(settings([4, 100]))
  assert.equal((await client.read(1)).body.toString(), '/0123456789')
})

test('h2-window-exceeded (RFC 9113 §6.9.1): more DATA than allowed breaks the stream or the connection', async t => {
  const client = await rawHttp2(portico.gatewayPort)
  t.after(() => client.destroy())
  origin.script = () => new Promise(() => {})
  client.send(headers(1, postRequest(), false))
  // Nobody reads at the origin, so the windows are not opened again for long.
  for (let i = 0; i < 1200; i++) client.send(data(1, Buffer.alloc(16_384)))
  await client.waitFor(() => ((client.answer(1).reset ?? client.goaway) !== null ? true : null), 'a flow-control error')
  assert.equal(client.answer(1).reset ?? client.goaway, codes.flowControlError)
})
