import assert from 'node:assert/strict'
import { headerOf } from '../../read-message.ts'
import { mayRefuse, passes, post, type RequestCase, refuses, type Source } from './case.ts'

const chunked = 'Transfer-Encoding: chunked'
const five = '5\r\nhello\r\n0\r\n\r\n'
const hasBody = (text: string) => (request: { body: Buffer }) => assert.equal(request.body.toString('latin1'), text)

/** Where both lengths stand the connection ends after the answer, whatever it is. */
const closing = (id: string, source: Source, send: string): RequestCase =>
  mayRefuse(id, source, send, { check: hasBody('hello'), closes: true })

const codings: RequestCase[] = [
  passes('coding-chunked', 'RFC 9112 §7.1 MUST', post([chunked], five), hasBody('hello')),
  passes(
    'coding-case',
    'RFC 9112 §7 MUST',
    post(['transfer-encoding: CHUNKED'], five),
    r => {
      assert.equal(headerOf(r, 'transfer-encoding'), 'chunked', 'written anew')
    },
    { check: hasBody('hello') },
  ),
  passes(
    'coding-white-space',
    'RFC 9110 §5.5 MUST',
    post(['Transfer-Encoding: \t chunked \t'], five),
    hasBody('hello'),
  ),
  passes('coding-empty-body', 'RFC 9112 §7.1 MUST', post([chunked], '0\r\n\r\n'), hasBody('')),
  refuses('coding-twice', 'RFC 9112 §6.1 SHOULD', post([chunked, chunked], five)),
  refuses('coding-list-twice', 'RFC 9112 §6.1 SHOULD', post(['Transfer-Encoding: chunked, chunked'], five)),
  refuses('coding-identity', 'RFC 9112 §6.3 MUST', post(['Transfer-Encoding: identity'], 'hello')),
  refuses('coding-gzip', 'RFC 9112 §6.3 MUST', post(['Transfer-Encoding: gzip'], 'hello')),
  refuses('coding-gzip-chunked', 'RFC 9112 §6.1 SHOULD', post(['Transfer-Encoding: gzip, chunked'], five)),
  refuses('coding-gzip-and-chunked-lines', 'RFC 9112 §6.1 SHOULD', post(['Transfer-Encoding: gzip', chunked], five)),
  refuses('coding-chunked-identity', 'RFC 9112 §6.3 MUST', post(['Transfer-Encoding: chunked, identity'], five)),
  refuses(
    'coding-chunked-then-identity-line',
    'RFC 9112 §6.3 MUST',
    post([chunked, 'Transfer-Encoding: identity'], five),
  ),
  refuses(
    'coding-identity-then-chunked-line',
    'RFC 9112 §6.1 SHOULD',
    post(['Transfer-Encoding: identity', chunked], five),
  ),
  refuses('coding-xchunked', 'RFC 9112 §6.3 MUST', post(['Transfer-Encoding: xchunked'], five)),
  refuses('coding-chunkedx', 'RFC 9112 §6.3 MUST', post(['Transfer-Encoding: chunkedx'], five)),
  refuses('coding-chunked-parameter', 'RFC 9112 §7.1 SHOULD', post(['Transfer-Encoding: chunked;q=1'], five)),
  mayRefuse('coding-leading-comma', 'RFC 9110 §5.6.1.2 MAY', post(['Transfer-Encoding: , chunked'], five), {
    check: hasBody('hello'),
  }),
  mayRefuse('coding-trailing-comma', 'RFC 9110 §5.6.1.2 MAY', post(['Transfer-Encoding: chunked,'], five), {
    check: hasBody('hello'),
  }),
  refuses('coding-quoted', 'RFC 9112 §7 MUST', post(['Transfer-Encoding: "chunked"'], five)),
  refuses('coding-single-quoted', 'RFC 9112 §7 MUST', post(["Transfer-Encoding: 'chunked'"], five)),
  refuses('coding-empty', 'RFC 9112 §6.1 engine', post(['Transfer-Encoding:'], five)),
  refuses('coding-two-words', 'RFC 9112 §7 MUST', post(['Transfer-Encoding: chunked chunked'], five)),
  refuses('coding-vertical-tab', 'RFC 9110 §5.5 MUST', post(['Transfer-Encoding: \x0bchunked'], five)),
  refuses('coding-form-feed-after', 'RFC 9110 §5.5 MUST', post(['Transfer-Encoding: chunked\x0c'], five)),
  refuses('coding-nul', 'RFC 9110 §5.5 MUST', post(['Transfer-Encoding: chunked\x00'], five)),
  refuses('coding-latin1-space', 'RFC 9110 §5.5 MUST', post(['Transfer-Encoding: chunked\xa0'], five)),
  refuses('coding-kelvin-sign', 'RFC 9112 §7 MUST', post(['Transfer-Encoding: chun\xe2\x84\xaaed'], five)),
  refuses('coding-space-before-colon', 'RFC 9112 §5.1 MUST', post(['Transfer-Encoding : chunked'], five)),
  closing('coding-in-1.0', 'RFC 9112 §6.1 MUST', `POST /p HTTP/1.0\r\nHost: a.test\r\n${chunked}\r\n\r\n${five}`),
  refuses('coding-in-get', 'RFC 9112 §6.3 MUST', 'GET /p HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: gzip\r\n\r\n'),
]

export const codingCases: readonly RequestCase[] = [...codings]
