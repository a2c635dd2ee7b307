import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { headerOf, headersOf, oneService, type Portico, type ScriptedOrigin, startPortico } from '../harness.ts'
import { passes, post, type RequestCase, refuses, refusesBody, runTable, tableOrigin } from './case-table.ts'

let portico: Portico
let origin: ScriptedOrigin
before(async () => {
  origin = await tableOrigin()
  portico = await startPortico({ config: oneService(origin.url) })
})
after(async () => {
  await portico?.stop()
  await origin?.stop()
})

const chunked = 'Transfer-Encoding: chunked'
const five = '5\r\nhello\r\n0\r\n\r\n'
const hasBody = (text: string) => (request: { body: Buffer }) => assert.equal(request.body.toString('latin1'), text)

const both: RequestCase[] = [
  refuses('both-cl-te', 'RFC 9112 §6.3', post(['Content-Length: 5', chunked], five)),
  refuses('both-te-cl', 'RFC 9112 §6.3', post([chunked, 'Content-Length: 5'], five)),
  refuses('both-cl-0', 'RFC 9112 §6.3', post(['Content-Length: 0', chunked], five)),
  refuses('both-cl-exact', 'RFC 9112 §6.3', post([`Content-Length: ${five.length}`, chunked], five)),
  refuses('both-te-identity', 'RFC 9112 §6.3', post(['Content-Length: 5', 'Transfer-Encoding: identity'], 'hello')),
  refuses('both-te-empty', 'RFC 9112 §6.3', post(['Content-Length: 5', 'Transfer-Encoding:'], 'hello')),
  refuses('both-te-quoted', 'RFC 9112 §6.3', post(['Content-Length: 5', 'Transfer-Encoding: "chunked"'], 'hello')),
  refuses(
    'both-hidden-by-connection',
    'RFC 9110 §7.6.1',
    post(['Connection: transfer-encoding', 'Content-Length: 5', chunked], five),
  ),
]

const lengths: RequestCase[] = [
  passes('length-plain', 'RFC 9112 §6.2', post(['Content-Length: 5'], 'hello'), r => {
    assert.equal(headerOf(r, 'content-length'), '5')
    assert.equal(r.body.toString(), 'hello')
  }),
  passes('length-zero', 'RFC 9112 §6.2', post(['Content-Length: 0'], ''), hasBody('')),
  passes('length-absent', 'RFC 9112 §6.3', post([], ''), hasBody('')),
  passes('length-leading-zeros', 'RFC 9110 §8.6', post(['Content-Length: 0005'], 'hello'), r => {
    assert.equal(headerOf(r, 'content-length'), '5', 'written anew')
  }),
  passes(
    'length-listed-by-connection',
    'RFC 9110 §7.6.1',
    post(['Connection: content-length', 'Content-Length: 5'], 'hello'),
    hasBody('hello'),
  ),
  refuses('length-repeated', 'RFC 9112 §6.3', post(['Content-Length: 5', 'Content-Length: 6'], 'hello')),
  refuses('length-repeated-equal', 'engine', post(['Content-Length: 5', 'Content-Length: 5'], 'hello')),
  refuses('length-repeated-zero', 'engine', post(['Content-Length: 0', 'Content-Length: 0'], '')),
  refuses('length-list', 'RFC 9112 §6.3', post(['Content-Length: 5, 6'], 'hello')),
  refuses('length-list-equal', 'engine', post(['Content-Length: 5, 5'], 'hello')),
  refuses('length-plus', 'RFC 9110 §8.6', post(['Content-Length: +5'], 'hello')),
  refuses('length-minus', 'RFC 9110 §8.6', post(['Content-Length: -5'], 'hello')),
  refuses('length-minus-zero', 'RFC 9110 §8.6', post(['Content-Length: -0'], '')),
  refuses('length-hex', 'RFC 9110 §8.6', post(['Content-Length: 0x5'], 'hello')),
  refuses('length-hex-digit', 'RFC 9110 §8.6', post(['Content-Length: a'], 'hello')),
  refuses('length-octal', 'RFC 9110 §8.6', post(['Content-Length: 0o5'], 'hello')),
  refuses('length-exponent', 'RFC 9110 §8.6', post(['Content-Length: 5e0'], 'hello')),
  refuses('length-fraction', 'RFC 9110 §8.6', post(['Content-Length: 5.0'], 'hello')),
  refuses('length-underscore', 'RFC 9110 §8.6', post(['Content-Length: 1_0'], 'hello')),
  refuses('length-space-inside', 'RFC 9110 §8.6', post(['Content-Length: 5 5'], 'hello')),
  refuses('length-semicolon', 'RFC 9110 §8.6', post(['Content-Length: 5;'], 'hello')),
  refuses('length-quoted', 'RFC 9110 §8.6', post(['Content-Length: "5"'], 'hello')),
  refuses('length-empty', 'RFC 9110 §8.6', post(['Content-Length:'], 'hello')),
  refuses('length-blank', 'RFC 9110 §8.6', post(['Content-Length:  \t'], 'hello')),
  refuses('length-word', 'RFC 9110 §8.6', post(['Content-Length: five'], 'hello')),
  refuses('length-latin1-digit', 'RFC 9110 §8.6', post(['Content-Length: \xb2'], 'hello')),
  refuses('length-arabic-digit', 'RFC 9110 §8.6', post(['Content-Length: \xd9\xa5'], 'hello')),
  refuses('length-2^53', 'engine', post(['Content-Length: 9007199254740993'], 'hello')),
  refuses('length-2^63', 'RFC 9110 §8.6', post(['Content-Length: 9223372036854775808'], 'hello')),
  refuses('length-2^64-and-five', 'RFC 9110 §8.6', post(['Content-Length: 18446744073709551621'], 'hello')),
  refuses('length-10^20', 'RFC 9110 §8.6', post(['Content-Length: 100000000000000000000'], 'hello')),
  refuses('length-300-digits', 'RFC 9110 §8.6', post([`Content-Length: ${'9'.repeat(300)}`], 'hello')),
  refuses('length-space-before-colon', 'RFC 9112 §5.1', post(['Content-Length : 5'], 'hello')),
]

const codings: RequestCase[] = [
  passes('coding-chunked', 'RFC 9112 §7.1', post([chunked], five), hasBody('hello')),
  passes('coding-case', 'RFC 9112 §7', post(['transfer-encoding: CHUNKED'], five), r => {
    assert.equal(headerOf(r, 'transfer-encoding'), 'chunked', 'written anew')
  }),
  passes('coding-white-space', 'RFC 9110 §5.5', post(['Transfer-Encoding: \t chunked \t'], five), hasBody('hello')),
  passes('coding-empty-body', 'RFC 9112 §7.1', post([chunked], '0\r\n\r\n'), hasBody('')),
  refuses('coding-twice', 'RFC 9112 §6.1', post([chunked, chunked], five)),
  refuses('coding-list-twice', 'RFC 9112 §6.1', post(['Transfer-Encoding: chunked, chunked'], five)),
  refuses('coding-identity', 'RFC 9112 §7', post(['Transfer-Encoding: identity'], 'hello')),
  refuses('coding-gzip', 'RFC 9112 §6.3', post(['Transfer-Encoding: gzip'], 'hello')),
  refuses('coding-gzip-chunked', 'engine', post(['Transfer-Encoding: gzip, chunked'], five)),
  refuses('coding-gzip-and-chunked-lines', 'engine', post(['Transfer-Encoding: gzip', chunked], five)),
  refuses('coding-chunked-identity', 'RFC 9112 §6.3', post(['Transfer-Encoding: chunked, identity'], five)),
  refuses('coding-chunked-then-identity-line', 'RFC 9112 §6.3', post([chunked, 'Transfer-Encoding: identity'], five)),
  refuses('coding-identity-then-chunked-line', 'RFC 9112 §6.3', post(['Transfer-Encoding: identity', chunked], five)),
  refuses('coding-xchunked', 'RFC 9112 §6.3', post(['Transfer-Encoding: xchunked'], five)),
  refuses('coding-chunkedx', 'RFC 9112 §6.3', post(['Transfer-Encoding: chunkedx'], five)),
  refuses('coding-chunked-parameter', 'RFC 9112 §7', post(['Transfer-Encoding: chunked;q=1'], five)),
  refuses('coding-leading-comma', 'engine', post(['Transfer-Encoding: , chunked'], five)),
  refuses('coding-trailing-comma', 'engine', post(['Transfer-Encoding: chunked,'], five)),
  refuses('coding-quoted', 'RFC 9112 §7', post(['Transfer-Encoding: "chunked"'], five)),
  refuses('coding-single-quoted', 'RFC 9112 §7', post(["Transfer-Encoding: 'chunked'"], five)),
  refuses('coding-empty', 'RFC 9112 §6.1', post(['Transfer-Encoding:'], five)),
  refuses('coding-two-words', 'RFC 9112 §7', post(['Transfer-Encoding: chunked chunked'], five)),
  refuses('coding-vertical-tab', 'RFC 9110 §5.5', post(['Transfer-Encoding: \x0bchunked'], five)),
  refuses('coding-form-feed-after', 'RFC 9110 §5.5', post(['Transfer-Encoding: chunked\x0c'], five)),
  refuses('coding-nul', 'RFC 9110 §5.5', post(['Transfer-Encoding: chunked\x00'], five)),
  refuses('coding-latin1-space', 'RFC 9110 §5.5', post(['Transfer-Encoding: chunked\xa0'], five)),
  refuses('coding-kelvin-sign', 'RFC 9112 §7', post(['Transfer-Encoding: chun\xe2\x84\xaaed'], five)),
  refuses('coding-space-before-colon', 'RFC 9112 §5.1', post(['Transfer-Encoding : chunked'], five)),
  refuses('coding-in-1.0', 'RFC 9112 §6.1', `POST /p HTTP/1.0\r\nHost: a.test\r\n${chunked}\r\n\r\n${five}`),
  refuses('coding-in-get', 'RFC 9112 §6.3', 'GET /p HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: gzip\r\n\r\n'),
]

const body = (id: string, text: string, section = 'RFC 9112 §7.1') => refusesBody(id, section, post([chunked], text))

const chunks: RequestCase[] = [
  passes('chunk-several', 'RFC 9112 §7.1', post([chunked], '1\r\nh\r\n4\r\nello\r\n0\r\n\r\n'), hasBody('hello')),
  passes(
    'chunk-hex-letters',
    'RFC 9112 §7.1',
    post([chunked], `1a\r\n${'x'.repeat(26)}\r\n0\r\n\r\n`),
    hasBody('x'.repeat(26)),
  ),
  passes(
    'chunk-hex-upper',
    'RFC 9112 §7.1',
    post([chunked], `1A\r\n${'x'.repeat(26)}\r\n0\r\n\r\n`),
    hasBody('x'.repeat(26)),
  ),
  passes('chunk-leading-zeros', 'RFC 9112 §7.1', post([chunked], '005\r\nhello\r\n000\r\n\r\n'), hasBody('hello')),
  passes(
    'chunk-data-with-crlf',
    'RFC 9112 §7.1',
    post([chunked], '7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n'),
    hasBody('\r\n0\r\n\r\n'),
  ),
  passes(
    'chunk-trailer',
    'RFC 9112 §7.1.2',
    post([chunked, 'Trailer: X-Sum'], '5\r\nhello\r\n0\r\nX-Sum: 9\r\n\r\n'),
    r => {
      assert.equal(r.body.toString(), 'hello')
      assert.equal(headersOf({ headers: r.trailers }, 'x-sum').join(), '9')
    },
  ),
  body('chunk-size-empty', '\r\nhello\r\n0\r\n\r\n'),
  body('chunk-size-minus', '-5\r\nhello\r\n0\r\n\r\n'),
  body('chunk-size-plus', '+5\r\nhello\r\n0\r\n\r\n'),
  body('chunk-size-0x', '0x5\r\nhello\r\n0\r\n\r\n'),
  body('chunk-size-not-hex', 'g\r\nhello\r\n0\r\n\r\n'),
  body('chunk-size-dot', '5.0\r\nhello\r\n0\r\n\r\n'),
  body('chunk-size-underscore', '0_5\r\nhello\r\n0\r\n\r\n'),
  body('chunk-size-leading-space', ' 5\r\nhello\r\n0\r\n\r\n'),
  body('chunk-size-trailing-space', '5 \r\nhello\r\n0\r\n\r\n'),
  body('chunk-size-trailing-tab', '5\t\r\nhello\r\n0\r\n\r\n'),
  body('chunk-size-inner-space', '0 5\r\nhello\r\n0\r\n\r\n'),
  body('chunk-size-nul', '5\x00\r\nhello\r\n0\r\n\r\n'),
  body('chunk-size-quoted', '"5"\r\nhello\r\n0\r\n\r\n'),
  body('chunk-size-2^64', '10000000000000005\r\nhello\r\n0\r\n\r\n'),
  body('chunk-size-2^63', '8000000000000000\r\nhello\r\n0\r\n\r\n'),
  body('chunk-size-32-digits', `${'f'.repeat(32)}\r\nhello\r\n0\r\n\r\n`),
  body('chunk-size-endless-zeros', `${'0'.repeat(5000)}5\r\nhello\r\n0\r\n\r\n`),
  body('chunk-extension', '5;a=b\r\nhello\r\n0\r\n\r\n', 'engine'),
  body('chunk-extension-empty', '5;\r\nhello\r\n0\r\n\r\n', 'engine'),
  body('chunk-extension-bare-lf', '5;\nhello\r\n0\r\n\r\n', 'engine'),
  body('chunk-extension-on-last', '5\r\nhello\r\n0;x\r\n\r\n', 'engine'),
  body('chunk-extension-endless', `5;${'x'.repeat(20_000)}`, 'engine'),
  body('chunk-size-bare-lf', '5\nhello\r\n0\r\n\r\n'),
  body('chunk-size-bare-cr', '5\rhello\r\n0\r\n\r\n'),
  body('chunk-size-two-cr', '5\r\r\nhello\r\n0\r\n\r\n'),
  body('chunk-data-no-crlf', '5\r\nhello0\r\n\r\n'),
  body('chunk-data-bare-lf', '5\r\nhello\n0\r\n\r\n'),
  body('chunk-data-bare-cr', '5\r\nhello\r0\r\n\r\n'),
  body('chunk-data-too-long', '4\r\nhello\r\n0\r\n\r\n'),
  body('chunk-data-two-line-ends', '5\r\nhello\r\n\r\n0\r\n\r\n'),
  body('chunk-end-bare-lf', '5\r\nhello\r\n0\n\n'),
  body('chunk-end-crlf-lf', '5\r\nhello\r\n0\r\n\n'),
  body('chunk-end-junk', '5\r\nhello\r\n0\r\nx\r\n\r\n'),
  body('chunk-end-no-empty-line', '5\r\nhello\r\n0\r\n', 'RFC 9112 §7.1'),
  body('trailer-space-before-colon', '0\r\nX-A : 1\r\n\r\n', 'RFC 9112 §7.1.2'),
  body('trailer-fold', '0\r\nX-A: 1\r\n 2\r\n\r\n', 'RFC 9112 §7.1.2'),
  body('trailer-bare-lf', '0\r\nX-A: 1\nX-B: 2\r\n\r\n', 'RFC 9112 §7.1.2'),
  body('trailer-bare-cr', '0\r\nX-A: 1\r2\r\n\r\n', 'RFC 9112 §7.1.2'),
  body('trailer-nul', '0\r\nX-A: \x00\r\n\r\n', 'RFC 9112 §7.1.2'),
  body('trailer-content-length', '0\r\nContent-Length: 5\r\n\r\n', 'RFC 9110 §6.5.1'),
  body('trailer-transfer-encoding', '0\r\nTransfer-Encoding: chunked\r\n\r\n', 'RFC 9110 §6.5.1'),
  body('trailer-host', '0\r\nHost: b.test\r\n\r\n', 'RFC 9110 §6.5.1'),
]

const oversized = (id: string, text: string): RequestCase => {
  const entry = body(id, text, 'RFC 6585 §5')
  return { ...entry, expect: { ...entry.expect, status: 431 } }
}

const trailers: RequestCase[] = [
  oversized('trailer-too-large', `0\r\nX-A: ${'x'.repeat(100_000)}\r\n\r\n`),
  oversized('trailer-too-many', `0\r\n${Array.from({ length: 300 }, (_, i) => `X-${i}: 1\r\n`).join('')}\r\n`),
]

runTable(
  [...both, ...lengths, ...codings, ...chunks, ...trailers],
  () => portico.gatewayPort,
  () => origin,
)
