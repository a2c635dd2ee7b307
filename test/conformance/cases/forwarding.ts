import assert from 'node:assert/strict'
import { headerOf, headersOf, type RequestMessage } from '../../read-message.ts'
import { exchanges, get, head, passes, post, type RequestCase } from './case.ts'

const lacks =
  (...names: string[]) =>
  (request: RequestMessage) => {
    for (const name of names) assert.deepEqual(headersOf(request, name), [], `${name} was forwarded`)
  }
const has =
  (name: string, ...values: string[]) =>
  (request: RequestMessage) =>
    assert.deepEqual(headersOf(request, name), values, name)

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const traceparent = /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$/
const _parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

const hopByHop: RequestCase[] = [
  passes('hop-listed', 'RFC 9110 §7.6.1 MUST', get('/x', 'Connection: x-a, X-B', 'X-A: 1', 'x-b: 2', 'X-C: 3'), r => {
    lacks('x-a', 'x-b')(r)
    has('x-c', '3')(r)
  }),
  passes(
    'hop-listed-on-two-lines',
    'RFC 9110 §7.6.1 MUST',
    get('/x', 'Connection: x-a', 'X-A: 1', 'Connection: x-b', 'X-B: 2'),
    lacks('x-a', 'x-b'),
  ),
  passes('hop-listed-odd-commas', 'RFC 9110 §5.6.1 MUST', get('/x', 'Connection: ,, x-a ,\t,', 'X-A: 1'), lacks('x-a')),
  passes(
    'hop-known',
    'RFC 9110 §7.6.1 SHOULD',
    get('/x', 'Keep-Alive: timeout=5', 'Proxy-Connection: keep-alive', 'TE: gzip', 'Upgrade: x'),
    lacks('keep-alive', 'proxy-connection', 'te', 'upgrade'),
  ),
  passes('hop-keep-alive', 'RFC 9112 §9.3 MUST', get('/x', 'Connection: keep-alive'), r => {
    assert.ok(!headersOf(r, 'connection').join().includes('close'))
  }),
  passes('hop-lists-host', 'RFC 9110 §7.6.1 engine', get('/x', 'Connection: host'), r =>
    assert.ok(headerOf(r, 'host')),
  ),
  passes(
    'hop-cannot-remove-forwarded-for',
    'RFC 9110 §7.6.1 engine',
    get('/x', 'Connection: x-forwarded-for, x-request-id, traceparent'),
    r => {
      has('x-forwarded-for', '127.0.0.1')(r)
      assert.match(headerOf(r, 'x-request-id') ?? '', uuid)
      assert.match(headerOf(r, 'traceparent') ?? '', traceparent)
    },
  ),
]

const duties: RequestCase[] = [
  passes('via-added', 'RFC 9110 §7.6.3 MUST', get('/x'), r => assert.match(headersOf(r, 'via').join(), /\b1\.1 \S/)),
  passes('via-of-1.0', 'RFC 9110 §7.6.3 MUST', head('GET /x HTTP/1.0', 'Connection: keep-alive'), r =>
    assert.match(headersOf(r, 'via').join(), /\b1\.0 \S/),
  ),
  passes(
    'max-forwards-counts-down',
    'RFC 9110 §7.6.2 MUST',
    head('OPTIONS /x HTTP/1.1', 'Max-Forwards: 5'),
    has('max-forwards', '4'),
  ),
  passes('max-forwards-of-get', 'RFC 9110 §7.6.2 MAY', get('/x', 'Max-Forwards: 5'), r =>
    assert.match(headersOf(r, 'max-forwards').join(), /^[45]$/),
  ),
  passes('field-order-kept', 'RFC 9110 §5.3 MUST', get('/x', 'X-A: 1', 'X-B: 2', 'X-A: 3', 'X-A: 2'), r =>
    assert.equal(headersOf(r, 'x-a').join().replaceAll(' ', ''), '1,3,2'),
  ),
  passes('percent-encoded-line-ends', 'RFC 9110 §5.5 MUST', get('/x', 'X-A: 1%0d%0aX-B: 2'), r => {
    has('x-a', '1%0d%0aX-B: 2')(r)
    lacks('x-b')(r)
  }),
  passes(
    'cookie-untouched',
    'RFC 6265 §5.4 MUST',
    get('/x', 'Cookie: a=1; b="2"; c=%3B'),
    has('cookie', 'a=1; b="2"; c=%3B'),
  ),
  passes(
    'authorization-untouched',
    'RFC 9110 §11.6.2 MUST',
    get('/x', 'Authorization: Basic YTpi'),
    has('authorization', 'Basic YTpi'),
  ),
  passes(
    'accept-encoding-untouched',
    'RFC 9110 §5.1 MUST',
    get('/x', 'X-Unknown: q=1;r="s"'),
    has('x-unknown', 'q=1;r="s"'),
  ),
  passes(
    'query-untouched',
    'RFC 9110 §7.7 MUST',
    get('/x?a=%2F&b=+&c=%zz&d[]=1&e={}|'),
    r => assert.equal(r.target, '/x?a=%2F&b=+&c=%zz&d[]=1&e={}|'),
    { verdict: 'either' },
  ),
  passes('query-plain-untouched', 'RFC 9110 §7.7 MUST', get('/x?a=%2F&b=+&c=d;e&f=/g?h'), r =>
    assert.equal(r.target, '/x?a=%2F&b=+&c=d;e&f=/g?h'),
  ),
  passes('trace-without-body', 'RFC 9110 §9.3.8 engine', head('TRACE /x HTTP/1.1')),
]

/** The last one that may pass it on is the one that answers. */
const maxForwards: RequestCase[] = (['OPTIONS', 'TRACE'] as const).map(method =>
  exchanges(
    `max-forwards-zero-${method.toLowerCase()}`,
    'RFC 9110 §7.6.2 MUST',
    head(`${method} /x HTTP/1.1`, 'Max-Forwards: 0'),
    { status: method === 'OPTIONS' ? 204 : 405, closes: false, origin: 'nothing' },
    { verdict: 'answer' },
  ),
)

const bodies: RequestCase[] = [
  passes(
    'body-in-get',
    'RFC 9110 §9.3.1 MAY',
    `${get('/x', 'Content-Length: 5')}hello`,
    r => assert.equal(r.body.toString(), 'hello'),
    { verdict: 'either' },
  ),
  passes(
    'body-in-delete',
    'RFC 9110 §9.3.5 MAY',
    `${head('DELETE /x HTTP/1.1', 'Content-Length: 5')}hello`,
    r => assert.equal(r.body.toString(), 'hello'),
    { verdict: 'either' },
  ),
  passes(
    'body-chunked-in-get',
    'RFC 9110 §9.3.1 MAY',
    `${get('/x', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
    r => assert.equal(r.body.toString(), 'hello'),
    { verdict: 'either' },
  ),
  passes('body-unknown-method', 'RFC 9112 §6 SHOULD', `${head('BREW /x HTTP/1.1', 'Content-Length: 5')}hello`, r =>
    assert.equal(r.body.toString(), 'hello'),
  ),
  passes(
    'body-that-looks-like-a-request',
    'RFC 9112 §6.3 MUST',
    post([`Content-Length: ${get('/y').length}`], get('/y')),
    r => assert.equal(r.body.toString(), get('/y')),
  ),
  passes('options-asterisk', 'RFC 9110 §9.3.7 engine', head('OPTIONS * HTTP/1.1'), r => assert.equal(r.target, '*')),
  passes(
    'content-headers-untouched',
    'RFC 9110 §5.1 MUST',
    post(['Content-Length: 2', 'Content-Encoding: gzip', 'Content-Type: a/b; c="d"'], 'zz'),
    r => {
      has('content-encoding', 'gzip')(r)
      has('content-type', 'a/b; c="d"')(r)
    },
  ),
]

export const forwardingCases: readonly RequestCase[] = [...hopByHop, ...duties, ...maxForwards, ...bodies]
