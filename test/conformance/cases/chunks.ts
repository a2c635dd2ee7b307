import assert from 'node:assert/strict'
import { headersOf } from '../../read-message.ts'
import { type Check, mayRefuseBody, passes, post, type RequestCase, refusesBody, type Source } from './case.ts'

const chunked = 'Transfer-Encoding: chunked'
const hasBody =
  (text: string): Check =>
  request =>
    assert.equal(request.body.toString('latin1'), text)

const good = (id: string, source: Source, text: string, check: Check = hasBody('hello')): RequestCase =>
  passes(id, source, post([chunked], text), check)

/** No reading of it is safe: two readers would find the end of the body at different places. */
const bad = (id: string, text: string, source: Source = 'RFC 9112 §7.1 MUST'): RequestCase =>
  refusesBody(id, source, post([chunked], text))

/** Not the grammar, but one clear body when it is framed anew. */
const lax = (id: string, text: string, body = 'hello', source: Source = 'RFC 9112 §7.1 MAY'): RequestCase =>
  mayRefuseBody(id, source, post([chunked], text), { check: hasBody(body) })

const x26 = 'x'.repeat(26)

const sizes: RequestCase[] = [
  good('chunk-several', 'RFC 9112 §7.1 MUST', '1\r\nh\r\n4\r\nello\r\n0\r\n\r\n'),
  good('chunk-hex-letters', 'RFC 9112 §7.1 MUST', `1a\r\n${x26}\r\n0\r\n\r\n`, hasBody(x26)),
  good('chunk-hex-upper', 'RFC 9112 §7.1 MUST', `1A\r\n${x26}\r\n0\r\n\r\n`, hasBody(x26)),
  good('chunk-leading-zeros', 'RFC 9112 §7.1 MUST', '005\r\nhello\r\n000\r\n\r\n'),
  good('chunk-data-with-crlf', 'RFC 9112 §7.1 MUST', '7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n', hasBody('\r\n0\r\n\r\n')),
  good('chunk-single-bytes', 'RFC 9112 §7.1 MUST', `${'1\r\nx\r\n'.repeat(200)}0\r\n\r\n`, hasBody('x'.repeat(200))),
  bad('chunk-size-empty', '\r\nhello\r\n0\r\n\r\n'),
  bad('chunk-size-minus', '-5\r\nhello\r\n0\r\n\r\n'),
  bad('chunk-size-minus-zero', '5\r\nhello\r\n-0\r\n\r\n'),
  bad('chunk-size-plus', '+5\r\nhello\r\n0\r\n\r\n'),
  bad('chunk-size-0x', '0x5\r\nhello\r\n0\r\n\r\n'),
  bad('chunk-size-x', 'x5\r\nhello\r\n0\r\n\r\n'),
  bad('chunk-size-h', '5h\r\nhello\r\n0\r\n\r\n'),
  bad('chunk-size-not-hex', 'g\r\nhello\r\n0\r\n\r\n'),
  bad('chunk-size-dot', '5.0\r\nhello\r\n0\r\n\r\n'),
  bad('chunk-size-comma', '5,5\r\nhello\r\n0\r\n\r\n'),
  bad('chunk-size-underscore', '0_5\r\nhello\r\n0\r\n\r\n'),
  bad('chunk-size-inner-space', '0 5\r\nhello\r\n0\r\n\r\n'),
  bad('chunk-size-nul', '5\x00\r\nhello\r\n0\r\n\r\n'),
  bad('chunk-size-nul-before', '\x005\r\nhello\r\n0\r\n\r\n'),
  bad('chunk-size-vertical-tab', '5\x0b\r\nhello\r\n0\r\n\r\n'),
  bad('chunk-size-latin1-digit', '\xb5\r\nhello\r\n0\r\n\r\n'),
  bad('chunk-size-quoted', '"5"\r\nhello\r\n0\r\n\r\n'),
  bad('chunk-size-2^64', '10000000000000005\r\nhello\r\n0\r\n\r\n'),
  bad('chunk-size-2^63', '8000000000000000\r\nhello\r\n0\r\n\r\n'),
  bad('chunk-size-32-digits', `${'f'.repeat(32)}\r\nhello\r\n0\r\n\r\n`),
  lax('chunk-size-endless-zeros', `${'0'.repeat(5000)}5\r\nhello\r\n0\r\n\r\n`),
  lax('chunk-size-leading-space', ' 5\r\nhello\r\n0\r\n\r\n'),
  lax('chunk-size-trailing-space', '5 \r\nhello\r\n0\r\n\r\n'),
  lax('chunk-size-trailing-tab', '5\t\r\nhello\r\n0\r\n\r\n'),
  lax('chunk-size-bare-lf', '5\nhello\r\n0\r\n\r\n'),
  bad('chunk-size-bare-cr', '5\rhello\r\n0\r\n\r\n'),
  lax('chunk-size-two-cr', '5\r\r\nhello\r\n0\r\n\r\n', 'hello', 'RFC 9112 §2.2 MUST'),
  bad('chunk-size-lf-cr', '5\n\rhello\r\n0\r\n\r\n'),
]

const extensions: RequestCase[] = [
  good('chunk-extension', 'RFC 9112 §7.1.1 MUST', '5;a=b\r\nhello\r\n0\r\n\r\n'),
  good('chunk-extension-name-only', 'RFC 9112 §7.1.1 MUST', '5;a\r\nhello\r\n0\r\n\r\n'),
  good('chunk-extension-several', 'RFC 9112 §7.1.1 MUST', '5;a=b;c;d=e\r\nhello\r\n0\r\n\r\n'),
  good('chunk-extension-quoted', 'RFC 9112 §7.1.1 MUST', '5;a="b; c\\" d"\r\nhello\r\n0\r\n\r\n'),
  good('chunk-extension-white-space', 'RFC 9112 §7.1.1 MUST', '5 ; a = b\r\nhello\r\n0\r\n\r\n'),
  good('chunk-extension-on-last', 'RFC 9112 §7.1.1 MUST', '5\r\nhello\r\n0;x\r\n\r\n'),
  lax('chunk-extension-empty', '5;\r\nhello\r\n0\r\n\r\n', 'hello', 'RFC 9112 §7.1.1 MAY'),
  lax('chunk-extension-no-name', '5;=b\r\nhello\r\n0\r\n\r\n', 'hello', 'RFC 9112 §7.1.1 MAY'),
  lax('chunk-extension-bare-lf', '5;\nhello\r\n0\r\n\r\n', 'hello', 'RFC 9112 §7.1.1 MAY'),
  bad('chunk-extension-lf-inside', '5;a\nb\r\nhello\r\n0\r\n\r\n', 'RFC 9112 §7.1.1 SHOULD'),
  bad('chunk-extension-bare-cr', '5;a\rb\r\nhello\r\n0\r\n\r\n', 'RFC 9112 §2.2 engine'),
  bad('chunk-extension-nul', '5;a\x00b\r\nhello\r\n0\r\n\r\n', 'RFC 9112 §7.1.1 engine'),
  bad('chunk-extension-open-quote', '5;a="b\r\nhello\r\n0\r\n\r\n', 'RFC 9112 §7.1.1 engine'),
  lax('chunk-extension-endless', `5;${'x'.repeat(20_000)}\r\nhello\r\n0\r\n\r\n`, 'hello', 'RFC 9112 §7.1.1 MAY'),
  lax(
    'chunk-extension-in-each',
    `${'1;abcdefgh=12345678\r\nx\r\n'.repeat(1000)}0\r\n\r\n`,
    'x'.repeat(1000),
    'RFC 9112 §7.1.1 MAY',
  ),
]

const ends: RequestCase[] = [
  bad('chunk-data-no-crlf', '5\r\nhello0\r\n\r\n'),
  lax('chunk-data-bare-lf', '5\r\nhello\n0\r\n\r\n'),
  bad('chunk-data-bare-cr', '5\r\nhello\r0\r\n\r\n'),
  bad('chunk-data-too-long', '4\r\nhello\r\n0\r\n\r\n'),
  lax('chunk-data-then-bare-lf', '6\r\nhello\r\n0\r\n\r\n', 'hello\r'),
  bad('chunk-data-two-line-ends', '5\r\nhello\r\n\r\n0\r\n\r\n'),
  lax('chunk-end-bare-lf', '5\r\nhello\r\n0\n\n'),
  lax('chunk-end-crlf-lf', '5\r\nhello\r\n0\r\n\n'),
  bad('chunk-end-junk', '5\r\nhello\r\n0\r\nx\r\n\r\n', 'RFC 9112 §7.1.2 SHOULD'),
  bad('chunk-end-no-empty-line', '5\r\nhello\r\n0\r\n', 'RFC 9112 §7.1.2 SHOULD'),
]

const trailer = (id: string, fields: string, check: Check = () => {}, source: Source = 'RFC 9112 §7.1.2 MAY') =>
  mayRefuseBody(id, source, post([chunked], `0\r\n${fields}\r\n\r\n`), { check })

const trailers: RequestCase[] = [
  passes(
    'chunk-trailer',
    'RFC 9112 §7.1.2 MUST',
    post([chunked, 'Trailer: X-Sum'], '5\r\nhello\r\n0\r\nX-Sum: 9\r\n\r\n'),
    r => {
      assert.equal(r.body.toString(), 'hello')
      assert.equal(headersOf({ headers: r.trailers }, 'x-sum').join(), '9')
    },
    // Trailers may be left out on the way (RFC 9110 §6.5.2).
    { check: hasBody('hello') },
  ),
  trailer('trailer-space-before-colon', 'X-A : 1'),
  trailer('trailer-no-colon', 'X-A'),
  trailer('trailer-fold', 'X-A: 1\r\n 2', () => {}, 'RFC 9112 §5.2 MUST'),
  trailer('trailer-bare-lf', 'X-A: 1\nX-B: 2'),
  trailer('trailer-bare-cr', 'X-A: 1\r2', () => {}, 'RFC 9110 §5.5 MUST'),
  trailer('trailer-nul', 'X-A: \x00', () => {}, 'RFC 9110 §5.5 MUST'),
  trailer('trailer-content-length', 'Content-Length: 5', () => {}, 'RFC 9110 §6.5.1 MUST'),
  trailer('trailer-transfer-encoding', 'Transfer-Encoding: chunked', () => {}, 'RFC 9110 §6.5.1 MUST'),
  trailer(
    'trailer-host',
    'Host: b.test',
    r => assert.notEqual(headersOf(r, 'host').join(), 'b.test'),
    'RFC 9110 §6.5.1 MUST',
  ),
]

const oversized = (id: string, fields: string): RequestCase => {
  const entry = trailer(id, fields, () => {}, 'RFC 9110 §5.4 MUST')
  return { ...entry, expect: { ...entry.expect, status: 431 } }
}

const largeTrailers: RequestCase[] = [
  oversized('trailer-too-large', `X-A: ${'x'.repeat(100_000)}`),
  oversized('trailer-too-many', Array.from({ length: 300 }, (_, i) => `X-${i}: 1`).join('\r\n')),
]

export const chunkCases: readonly RequestCase[] = [...sizes, ...extensions, ...ends, ...trailers, ...largeTrailers]
