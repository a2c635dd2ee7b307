import assert from 'node:assert/strict'
import { headerOf } from '../../read-message.ts'
import { mayRefuse, passes, post, type RequestCase, refuses, type Source } from './case.ts'

const chunked = 'Transfer-Encoding: chunked'
const five = '5\r\nhello\r\n0\r\n\r\n'
const hasBody = (text: string) => (request: { body: Buffer }) => assert.equal(request.body.toString('latin1'), text)

/** Where both lengths stand the connection ends after the answer, whatever it is. */
const closing = (id: string, source: Source, send: string): RequestCase =>
  mayRefuse(id, source, send, { check: hasBody('hello'), closes: true })

const both: RequestCase[] = [
  closing('both-cl-te', 'RFC 9112 §6.1 MUST', post(['Content-Length: 5', chunked], five)),
  closing('both-te-cl', 'RFC 9112 §6.1 MUST', post([chunked, 'Content-Length: 5'], five)),
  closing('both-cl-0', 'RFC 9112 §6.1 MUST', post(['Content-Length: 0', chunked], five)),
  closing('both-cl-exact', 'RFC 9112 §6.1 MUST', post([`Content-Length: ${five.length}`, chunked], five)),
  refuses(
    'both-te-identity',
    'RFC 9112 §6.3 MUST',
    post(['Content-Length: 5', 'Transfer-Encoding: identity'], 'hello'),
  ),
  refuses('both-te-empty', 'RFC 9112 §6.1 engine', post(['Content-Length: 5', 'Transfer-Encoding:'], 'hello')),
  refuses('both-te-quoted', 'RFC 9112 §6.3 MUST', post(['Content-Length: 5', 'Transfer-Encoding: "chunked"'], 'hello')),
  closing(
    'both-hidden-by-connection',
    'RFC 9110 §7.6.1 MUST',
    post(['Connection: transfer-encoding', 'Content-Length: 5', chunked], five),
  ),
]

const lengths: RequestCase[] = [
  passes('length-plain', 'RFC 9112 §6.2 MUST', post(['Content-Length: 5'], 'hello'), r => {
    assert.equal(headerOf(r, 'content-length'), '5')
    assert.equal(r.body.toString(), 'hello')
  }),
  passes('length-zero', 'RFC 9112 §6.2 MUST', post(['Content-Length: 0'], ''), hasBody('')),
  passes('length-absent', 'RFC 9112 §6.3 MUST', post([], ''), hasBody('')),
  passes(
    'length-leading-zeros',
    'RFC 9110 §8.6 MUST',
    post(['Content-Length: 0005'], 'hello'),
    r => {
      assert.equal(headerOf(r, 'content-length'), '5', 'written anew')
    },
    { check: hasBody('hello') },
  ),
  passes(
    'length-listed-by-connection',
    'RFC 9110 §7.6.1 engine',
    post(['Connection: content-length', 'Content-Length: 5'], 'hello'),
    hasBody('hello'),
  ),
  refuses('length-repeated', 'RFC 9112 §6.3 MUST', post(['Content-Length: 5', 'Content-Length: 6'], 'hello')),
  mayRefuse('length-repeated-equal', 'RFC 9112 §6.3 MUST', post(['Content-Length: 5', 'Content-Length: 5'], 'hello'), {
    check: hasBody('hello'),
  }),
  mayRefuse('length-repeated-zero', 'RFC 9112 §6.3 MUST', post(['Content-Length: 0', 'Content-Length: 0'], ''), {
    check: hasBody(''),
  }),
  refuses('length-list', 'RFC 9112 §6.3 MUST', post(['Content-Length: 5, 6'], 'hello')),
  mayRefuse('length-list-equal', 'RFC 9112 §6.3 MUST', post(['Content-Length: 5, 5'], 'hello'), {
    check: hasBody('hello'),
  }),
  refuses('length-plus', 'RFC 9110 §8.6 MUST', post(['Content-Length: +5'], 'hello')),
  refuses('length-minus', 'RFC 9110 §8.6 MUST', post(['Content-Length: -5'], 'hello')),
  refuses('length-minus-zero', 'RFC 9110 §8.6 MUST', post(['Content-Length: -0'], '')),
  refuses('length-hex', 'RFC 9110 §8.6 MUST', post(['Content-Length: 0x5'], 'hello')),
  refuses('length-hex-digit', 'RFC 9110 §8.6 MUST', post(['Content-Length: a'], 'hello')),
  refuses('length-octal', 'RFC 9110 §8.6 MUST', post(['Content-Length: 0o5'], 'hello')),
  refuses('length-exponent', 'RFC 9110 §8.6 MUST', post(['Content-Length: 5e0'], 'hello')),
  refuses('length-fraction', 'RFC 9110 §8.6 MUST', post(['Content-Length: 5.0'], 'hello')),
  refuses('length-underscore', 'RFC 9110 §8.6 MUST', post(['Content-Length: 1_0'], 'hello')),
  refuses('length-space-inside', 'RFC 9110 §8.6 MUST', post(['Content-Length: 5 5'], 'hello')),
  refuses('length-semicolon', 'RFC 9110 §8.6 MUST', post(['Content-Length: 5;'], 'hello')),
  refuses('length-quoted', 'RFC 9110 §8.6 MUST', post(['Content-Length: "5"'], 'hello')),
  refuses('length-empty', 'RFC 9110 §8.6 MUST', post(['Content-Length:'], 'hello')),
  refuses('length-blank', 'RFC 9110 §8.6 MUST', post(['Content-Length:  \t'], 'hello')),
  refuses('length-word', 'RFC 9110 §8.6 MUST', post(['Content-Length: five'], 'hello')),
  refuses('length-latin1-digit', 'RFC 9110 §8.6 MUST', post(['Content-Length: \xb2'], 'hello')),
  refuses('length-arabic-digit', 'RFC 9110 §8.6 MUST', post(['Content-Length: \xd9\xa5'], 'hello')),
  refuses('length-2^53', 'RFC 9110 §8.6 engine', post(['Content-Length: 9007199254740993'], 'hello')),
  refuses('length-2^63', 'RFC 9110 §8.6 MUST', post(['Content-Length: 9223372036854775808'], 'hello')),
  refuses('length-2^64-and-five', 'RFC 9110 §8.6 MUST', post(['Content-Length: 18446744073709551621'], 'hello')),
  refuses('length-10^20', 'RFC 9110 §8.6 MUST', post(['Content-Length: 100000000000000000000'], 'hello')),
  refuses('length-300-digits', 'RFC 9110 §8.6 MUST', post([`Content-Length: ${'9'.repeat(300)}`], 'hello')),
  refuses('length-space-before-colon', 'RFC 9112 §5.1 MUST', post(['Content-Length : 5'], 'hello')),
]

export const lengthCases: readonly RequestCase[] = [...both, ...lengths]
