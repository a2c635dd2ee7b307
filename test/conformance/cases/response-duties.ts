import assert from 'node:assert/strict'
import { headerOf, headersOf, type ResponseMessage } from '../../read-message.ts'
import { bare, closed, type Fine, fine, invalid, length2, type ResponseCase, reused, with2 } from './response-case.ts'

const has =
  (name: string, ...values: string[]) =>
  (response: ResponseMessage): void =>
    assert.deepEqual(headersOf(response, name), values, name)
const checked = (check: (response: ResponseMessage) => void): Fine => ({ ...reused(200, 'ok'), check })
const ok2 = (...fields: string[]): string => with2(...fields, length2)

/** What whoever passes a response on must do with it. */
export const responseDuties: ResponseCase[] = [
  fine(
    'date-added',
    'RFC 9110 §6.6.1 MUST',
    ok2(),
    checked(response => assert.ok(Math.abs(Date.parse(headerOf(response, 'date') ?? '') - Date.now()) < 60_000)),
  ),
  // nginx and others put their own; the time at which the answer was made is told by whoever made it.
  fine(
    'date-kept',
    'RFC 9110 §6.6.1 engine',
    ok2('Date: Tue, 15 Nov 1994 08:12:31 GMT'),
    checked(has('date', 'Tue, 15 Nov 1994 08:12:31 GMT')),
  ),
  fine(
    'hop-listed',
    'RFC 9110 §7.6.1 MUST',
    ok2('Connection: x-hop', 'X-Hop: 1', 'X-End: 2'),
    checked(response => {
      has('x-hop')(response)
      has('x-end', '2')(response)
    }),
  ),
  fine(
    'hop-known',
    'RFC 9110 §7.6.1 SHOULD',
    ok2('Keep-Alive: timeout=7', 'Proxy-Connection: keep-alive'),
    checked(response => {
      assert.ok(!headersOf(response, 'keep-alive').includes('timeout=7'))
      has('proxy-connection')(response)
    }),
  ),
  fine('close-is-for-one-connection', 'RFC 9110 §7.6.1 MUST', ok2('Connection: close, x-hop', 'X-Hop: 1'), {
    ...closed(200, 'ok'),
    check: has('x-hop'),
  }),
  fine(
    'set-cookie-kept-apart',
    'RFC 9110 §5.3 MUST',
    ok2('Set-Cookie: a=1; Path=/', 'Set-Cookie: b=2, c'),
    checked(has('set-cookie', 'a=1; Path=/', 'b=2, c')),
  ),
  fine(
    'field-order-kept',
    'RFC 9110 §5.3 MUST',
    ok2('X-A: 1', 'X-B: 2', 'X-A: 3'),
    checked(response => assert.equal(headersOf(response, 'x-a').join().replaceAll(' ', ''), '1,3')),
  ),
  fine('unknown-field', 'RFC 9110 §5.1 MUST', ok2('X-Unknown: a;b="c"'), checked(has('x-unknown', 'a;b="c"'))),
  fine('etag-untouched', 'RFC 9110 §8.8.3 MUST', ok2('ETag: W/"a,b"'), checked(has('etag', 'W/"a,b"'))),
  fine('empty-value', 'RFC 9110 §5.5 engine', ok2('X-A:'), checked(has('x-a', ''))),
  fine('length-0-of-204', 'RFC 9110 §8.6 MUST', bare('HTTP/1.1 204 No Content', 'Content-Length: 0'), reused(204)),
  fine(
    'chunked-304',
    'RFC 9112 §6.1 MUST',
    bare('HTTP/1.1 304 Not Modified', 'Transfer-Encoding: chunked'),
    reused(304),
  ),
  fine(
    'redirect-untouched',
    'RFC 9110 §10.2.2 MUST',
    `HTTP/1.1 302 Found\r\nLocation: /else?where\r\nContent-Length: 0\r\n\r\n`,
    {
      ...reused(302),
      check: has('location', '/else?where'),
    },
  ),
  fine(
    '401-untouched',
    'RFC 9110 §11.7.1 MUST',
    `HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="a"\r\nContent-Length: 0\r\n\r\n`,
    {
      ...reused(401),
      check: has('www-authenticate', 'Basic realm="a"'),
    },
  ),
  fine(
    'interim-103',
    'RFC 9110 §15.2 MUST',
    `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok2()}`,
    reused(200, 'ok'),
  ),
  fine('interim-unknown', 'RFC 9110 §15.2 MUST', `HTTP/1.1 199 Odd\r\n\r\n${ok2()}`, reused(200, 'ok')),
  fine(
    'interim-many',
    'RFC 9110 §15.2 MUST',
    `${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(5)}${ok2()}`,
    reused(200, 'ok'),
  ),
  fine('interim-100-unasked', 'RFC 9110 §15.2 MUST', `HTTP/1.1 100 Continue\r\n\r\n${ok2()}`, reused(200, 'ok')),
  invalid('interim-then-end', 'RFC 9110 §15.2 MUST', 'HTTP/1.1 103 Early Hints\r\n\r\n', 'end'),
  invalid(
    'switching-unasked',
    'RFC 9110 §7.8 MUST',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
  ),
]
