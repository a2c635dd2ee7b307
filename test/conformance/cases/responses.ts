import assert from 'node:assert/strict'
import { headerOf, type ResponseMessage } from '../../read-message.ts'
import type { Source } from './case.ts'
import { responseBodies } from './response-bodies.ts'
import {
  bare,
  chunked,
  closed,
  fine,
  invalid,
  length2,
  line,
  mayRefuse,
  type ResponseCase,
  reused,
  whole,
  with2,
} from './response-case.ts'
import { responseDuties } from './response-duties.ts'

const statusLine = (name: string, text: string, source: Source = 'RFC 9112 §4 SHOULD'): ResponseCase =>
  invalid(`status-${name}`, source, line(text))
const laxStatusLine = (name: string, text: string, source: Source = 'RFC 9112 §4 MAY'): ResponseCase =>
  mayRefuse(`status-${name}`, source, line(text))

const statusLines: ResponseCase[] = [
  laxStatusLine('two-spaces', 'HTTP/1.1  200 OK'),
  statusLine('no-status', 'HTTP/1.1 '),
  statusLine('no-version', '200 OK'),
  statusLine('two-digits', 'HTTP/1.1 20 OK'),
  statusLine('four-digits', 'HTTP/1.1 2000 OK'),
  statusLine('letters', 'HTTP/1.1 2xx OK'),
  statusLine('negative', 'HTTP/1.1 -20 OK'),
  statusLine('zero', 'HTTP/1.1 000 OK', 'RFC 9110 §15 SHOULD'),
  statusLine('below-100', 'HTTP/1.1 099 OK', 'RFC 9110 §15 SHOULD'),
  statusLine('above-599', 'HTTP/1.1 600 OK', 'RFC 9110 §15 SHOULD'),
  laxStatusLine('tab', 'HTTP/1.1\t200\tOK'),
  statusLine('lower-case', 'http/1.1 200 OK'),
  statusLine('icy', 'ICY 200 OK'),
  statusLine('version-2', 'HTTP/2.0 200 OK'),
  statusLine('version-short', 'HTTP/1 200 OK'),
  statusLine('version-long', 'HTTP/1.10 200 OK'),
  laxStatusLine('space-before', ' HTTP/1.1 200 OK'),
  statusLine('reason-nul', 'HTTP/1.1 200 O\x00K'),
  statusLine('reason-control', 'HTTP/1.1 200 O\x07K'),
  laxStatusLine('reason-bare-cr', 'HTTP/1.1 200 O\rK', 'RFC 9112 §2.2 MUST'),
  laxStatusLine('bare-lf', 'HTTP/1.1 200 OK\nX-A: 1', 'RFC 9112 §2.2 MAY'),
  statusLine('junk', 'hello'),
]

const hasHeader = (name: string, value: string) => ({
  ...reused(),
  check: (response: ResponseMessage) => assert.equal(headerOf(response, name), value),
})
const asHead = { method: 'HEAD' }

const good: ResponseCase[] = [
  fine('status-plain', 'RFC 9112 §4 MUST', line('HTTP/1.1 200 OK'), reused(200, 'ok')),
  fine('status-no-reason', 'RFC 9112 §4 MUST', line('HTTP/1.1 200 '), reused(200, 'ok')),
  fine('status-no-reason-no-space', 'RFC 9112 §4 MAY', line('HTTP/1.1 200'), reused(200, 'ok')),
  fine('status-unknown', 'RFC 9110 §15 MUST', line('HTTP/1.1 299 Odd'), reused(299, 'ok')),
  fine('status-599', 'RFC 9110 §15 MUST', line('HTTP/1.1 599 Odd'), reused(599, 'ok')),
  fine('close-asked', 'RFC 9112 §9.6 MUST', with2(length2, 'Connection: close'), closed(200, 'ok')),
  fine('1.0-closes', 'RFC 9112 §9.3 MUST', line('HTTP/1.0 200 OK'), closed(200, 'ok')),
  fine('1.0-keep-alive', 'RFC 9112 §9.3 engine', line('HTTP/1.0 200 OK\r\nConnection: keep-alive'), reused(200, 'ok')),
  fine('chunked', 'RFC 9112 §7.1 MUST', chunked + whole, reused(200, 'ok')),
  fine('chunked-empty', 'RFC 9112 §7.1 MUST', `${chunked}0\r\n\r\n`, reused(200, '')),
  fine('length-zero', 'RFC 9112 §6.2 MUST', bare('HTTP/1.1 200 OK', 'Content-Length: 0'), reused(200, '')),
  fine('until-close', 'RFC 9112 §6.3 MUST', 'HTTP/1.1 200 OK\r\n\r\nhello', closed(200, 'hello'), {
    afterwards: 'end',
  }),
  fine('until-close-empty', 'RFC 9112 §6.3 MUST', bare('HTTP/1.1 200 OK'), closed(200, ''), { afterwards: 'end' }),
  fine('whole-then-end', 'RFC 9112 §9.5 MUST', line('HTTP/1.1 200 OK'), closed(200, 'ok'), { afterwards: 'end' }),
  fine('204', 'RFC 9112 §6.3 MUST', bare('HTTP/1.1 204 No Content'), reused(204)),
  fine('304', 'RFC 9112 §6.3 MUST', bare('HTTP/1.1 304 Not Modified', 'Content-Length: 99'), reused(304)),
  fine(
    'head-length',
    'RFC 9112 §6.3 MUST',
    bare('HTTP/1.1 200 OK', 'Content-Length: 99'),
    hasHeader('content-length', '99'),
    asHead,
  ),
  fine('head-chunked', 'RFC 9112 §6.3 MUST', chunked, reused(), asHead),
  fine('obs-text-value', 'RFC 9110 §5.5 MUST', with2(length2, 'X-A: caf\xe9'), hasHeader('x-a', 'caf\xe9')),
]

const ambiguous: ResponseCase[] = [
  mayRefuse(
    'both-cl-te',
    'RFC 9112 §6.3 MUST',
    `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n${whole}`,
  ),
  mayRefuse(
    'both-te-cl',
    'RFC 9112 §6.3 MUST',
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n${whole}`,
  ),
  invalid('length-differing', 'RFC 9112 §6.3 MUST', with2(length2, 'Content-Length: 3')),
  mayRefuse('length-repeated', 'RFC 9112 §6.3 MUST', with2(length2, length2)),
  mayRefuse('length-list', 'RFC 9112 §6.3 MUST', with2('Content-Length: 2, 2')),
  invalid('length-list-differing', 'RFC 9112 §6.3 MUST', with2('Content-Length: 2, 3')),
  invalid('length-minus', 'RFC 9110 §8.6 MUST', with2('Content-Length: -2')),
  invalid('length-plus', 'RFC 9110 §8.6 MUST', with2('Content-Length: +2')),
  invalid('length-hex', 'RFC 9110 §8.6 MUST', with2('Content-Length: 0x2')),
  invalid('length-empty', 'RFC 9110 §8.6 MUST', with2('Content-Length:')),
  invalid('length-word', 'RFC 9110 §8.6 MUST', with2('Content-Length: two')),
  invalid('length-2^64', 'RFC 9110 §8.6 MUST', with2('Content-Length: 18446744073709551618')),
  invalid('coding-gzip', 'RFC 9112 §6.3 engine', with2('Transfer-Encoding: gzip'), 'end'),
  invalid(
    'coding-gzip-chunked',
    'RFC 9112 §6.1 engine',
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n${whole}`,
  ),
  invalid('coding-identity', 'RFC 9112 §6.3 engine', with2('Transfer-Encoding: identity'), 'end'),
  mayRefuse(
    'coding-twice',
    'RFC 9112 §6.1 MUST',
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n${whole}`,
  ),
  invalid('coding-xchunked', 'RFC 9112 §6.3 engine', with2('Transfer-Encoding: xchunked'), 'end'),
  invalid('coding-empty', 'RFC 9112 §6.1 engine', with2('Transfer-Encoding:'), 'end'),
  mayRefuse('coding-in-1.0', 'RFC 9112 §6.1 MUST', `HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${whole}`),
]

const badField = (name: string, field: string, source: Source): ResponseCase =>
  invalid(`field-${name}`, source, with2(field, length2))
const laxField = (name: string, field: string, source: Source): ResponseCase =>
  mayRefuse(`field-${name}`, source, with2(field, length2))

const fields: ResponseCase[] = [
  laxField('space-before-colon', 'X-A : 1', 'RFC 9112 §5.1 MUST'),
  laxField('length-space-before-colon', 'Content-Length : 2', 'RFC 9112 §5.1 MUST'),
  laxField('no-colon', 'X-A', 'RFC 9112 §5 SHOULD'),
  laxField('empty-name', ': 1', 'RFC 9112 §5 SHOULD'),
  laxField('name-not-token', 'X A: 1', 'RFC 9112 §5 SHOULD'),
  laxField('fold', 'X-A: 1\r\n 2', 'RFC 9112 §5.2 MUST'),
  laxField('bare-lf', 'X-A: 1\nX-B: 2', 'RFC 9112 §2.2 MAY'),
  laxField('bare-cr', 'X-A: 1\r2', 'RFC 9112 §2.2 MUST'),
  laxField('nul', 'X-A: 1\x002', 'RFC 9110 §5.5 MUST'),
  badField('del', 'X-A: \x7f', 'RFC 9110 §5.5 engine'),
  badField('control', 'X-A: \x01', 'RFC 9110 §5.5 engine'),
  laxField('first-line-space', ' X-A: 1', 'RFC 9112 §2.2 MUST'),
]

const limits: ResponseCase[] = [
  invalid('head-too-large', 'RFC 9110 §5.4 engine', with2(`X-A: ${'x'.repeat(200_000)}`, length2)),
  invalid(
    'head-too-many',
    'RFC 9110 §5.4 engine',
    with2(...Array.from({ length: 2000 }, (_, i) => `X-${i}: 1`), length2),
  ),
  invalid('head-endless', 'RFC 9110 §5.4 engine', `HTTP/1.1 200 OK\r\nX-A: ${'x'.repeat(300_000)}`),
]

export const responseCases: readonly ResponseCase[] = [
  ...statusLines,
  ...good,
  ...responseDuties,
  ...ambiguous,
  ...fields,
  ...limits,
  ...responseBodies,
]
