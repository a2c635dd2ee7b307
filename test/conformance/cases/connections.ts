import assert from 'node:assert/strict'
import { headersOf, type RequestMessage } from '../../read-message.ts'
import { type Check, exchanges, get, head, passes, post, type RequestCase, type Source } from './case.ts'

const lacks =
  (...names: string[]): Check =>
  request => {
    for (const name of names) assert.deepEqual(headersOf(request, name), [], `${name} was forwarded`)
  }

const one = (seen: readonly RequestMessage[]): void => assert.equal(seen.length, 1)
const targets = (seen: readonly RequestMessage[]): string[] => seen.map(request => request.target)

/** Answered, and then the connection ends whatever else was sent on it. */
const closes = (id: string, source: Source, send: string, check: Check = () => {}): RequestCase =>
  exchanges(
    id,
    source,
    send,
    {
      status: 200,
      closes: true,
      origin: seen => {
        one(seen)
        check(seen[0] as RequestMessage, seen)
      },
    },
    { verdict: 'pass', closes: true, answers: 1, check },
  )

export const connectionCases: readonly RequestCase[] = [
  closes('close-asked', 'RFC 9112 §9.6 MUST', get('/x', 'Connection: close')),
  closes('close-asked-in-list', 'RFC 9112 §9.6 MUST', get('/x', 'Connection: x-a, Close')),
  closes('close-then-request', 'RFC 9112 §9.6 MUST', get('/x', 'Connection: close') + get('/never')),
  closes(
    'close-on-second-line',
    'RFC 9112 §9.6 MUST',
    get('/x', 'Connection: x-a', 'Connection: close') + get('/never'),
  ),
  closes('close-beats-keep-alive', 'RFC 9112 §9.3 MUST', get('/x', 'Connection: keep-alive, close') + get('/never')),
  closes(
    'close-after-body',
    'RFC 9112 §9.6 MUST',
    post(['Connection: close', 'Content-Length: 5'], 'hello') + get('/never'),
  ),
  closes('1.0-closes', 'RFC 9112 §9.3 MUST', head('GET /x HTTP/1.0') + get('/never')),
  closes('1.0-without-host', 'RFC 9112 §3.2 MUST', 'GET /x HTTP/1.0\r\n\r\n'),
  passes('1.0-keep-alive', 'RFC 9112 §9.3 engine', head('GET /x HTTP/1.0', 'Connection: keep-alive')),
  passes(
    '1.0-body',
    'RFC 9112 §6.3 MUST',
    `${head('POST /p HTTP/1.0', 'Connection: keep-alive', 'Content-Length: 5')}hello`,
    r => assert.equal(r.body.toString(), 'hello'),
  ),
  exchanges(
    'pipeline-three',
    'RFC 9112 §9.3.2 MUST',
    get('/one') + get('/two') + get('/three'),
    {
      status: [200, 200, 200],
      closes: false,
      origin: seen => assert.deepEqual(targets(seen).sort(), ['/one', '/three', '/two']),
    },
    { verdict: 'pass', answers: 3 },
  ),
  exchanges(
    'pipeline-after-body',
    'RFC 9112 §9.3.2 MUST',
    post(['Content-Length: 5'], 'hello') +
      post(['Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\n\r\n') +
      get('/three'),
    {
      status: [200, 200, 200],
      closes: false,
      origin: seen =>
        assert.deepEqual(
          seen.map(request => request.body.toString()),
          ['hello', 'hello', ''],
        ),
    },
    { verdict: 'pass', answers: 3 },
  ),
  exchanges(
    'pipeline-empty-line-between',
    'RFC 9112 §2.2 SHOULD',
    `${post(['Content-Length: 5'], 'hello')}\r\n${get('/two')}`,
    { status: [200, 200], closes: false, origin: seen => assert.equal(seen.length, 2) },
    { verdict: 'pass', answers: 2 },
  ),
  exchanges(
    'pipeline-then-junk',
    'RFC 9112 §2.2 SHOULD',
    `${get('/one')}JUNK\r\n\r\n${get('/never')}`,
    { status: [200, 400], closes: true, origin: seen => assert.deepEqual(targets(seen), ['/one']) },
    { verdict: 'pass', answers: 2, closes: true, check: (_, seen) => assert.deepEqual(targets(seen), ['/one']) },
  ),
  exchanges(
    'pipeline-body-too-long',
    'RFC 9112 §6.3 MUST',
    post(['Content-Length: 4'], 'hello') + get('/never'),
    {
      // The fifth byte starts the next request line: `oGET /never HTTP/1.1` is a valid one of an unknown method.
      status: [200, 200],
      closes: false,
      origin: seen =>
        assert.deepEqual(
          seen.map(request => request.method),
          ['POST', 'oGET'],
        ),
    },
    { verdict: 'pass', check: request => assert.equal(request.body.toString(), 'hell') },
  ),
  exchanges(
    'expect-unknown',
    'RFC 9110 §10.1.1 engine',
    head('GET /x HTTP/1.1', 'Expect: 200-ok', 'Connection: close'),
    { status: 417, closes: true, origin: 'nothing' },
    { verdict: 'either' },
  ),
  closes(
    'expect-in-1.0-is-ignored',
    'RFC 9110 §10.1.1 MUST',
    `${head('POST /x HTTP/1.0', 'Expect: 100-continue', 'Content-Length: 5')}hello`,
    r => assert.equal(r.body.toString(), 'hello'),
  ),
  passes('expect-without-body', 'RFC 9110 §10.1.1 MUST', get('/x', 'Expect: 100-continue')),
  passes('expect-case', 'RFC 9110 §10.1.1 MUST', `${post(['Expect: 100-Continue', 'Content-Length: 5'], '')}hello`, r =>
    assert.equal(r.body.toString(), 'hello'),
  ),
  passes(
    'expect-chunked',
    'RFC 9110 §10.1.1 MUST',
    `${post(['Expect: 100-continue', 'Transfer-Encoding: chunked'], '')}5\r\nhello\r\n0\r\n\r\n`,
    r => assert.equal(r.body.toString(), 'hello'),
  ),
  passes('upgrade-not-listed', 'RFC 9110 §7.6.1 SHOULD', get('/x', 'Upgrade: websocket'), lacks('upgrade')),
  passes(
    'upgrade-h2c',
    'RFC 9110 §7.8 engine',
    get('/x', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA'),
    lacks('upgrade', 'http2-settings'),
  ),
  passes(
    'upgrade-h2c-in-list',
    'RFC 9110 §7.8 engine',
    get('/x', 'Connection: Upgrade', 'Upgrade: websocket, h2c'),
    r => assert.ok(!headersOf(r, 'upgrade').join().includes('h2c')),
  ),
  closes(
    'upgrade-in-1.0',
    'RFC 9110 §7.8 MUST',
    head('GET /x HTTP/1.0', 'Connection: upgrade', 'Upgrade: websocket'),
    lacks('upgrade'),
  ),
]
