import assert from 'node:assert/strict'
import { headerOf, headersOf } from '../../read-message.ts'
import { get, mayRefuse, passes, type RequestCase, raw, refuses } from './case.ts'

const host = 'Host: a.test'

const fields: RequestCase[] = [
  passes('field-no-space', 'RFC 9112 §5 MUST', get('/x', 'X-A:1'), r => assert.equal(headerOf(r, 'x-a'), '1')),
  passes('field-white-space', 'RFC 9110 §5.5 MUST', get('/x', 'X-A: \t 1 2\t  '), r =>
    assert.equal(headerOf(r, 'x-a'), '1 2'),
  ),
  passes('field-empty-value', 'RFC 9110 §5.5 MUST', get('/x', 'X-A:'), r => assert.equal(headerOf(r, 'x-a'), '')),
  passes('field-tab-inside', 'RFC 9110 §5.5 MUST', get('/x', 'X-A: 1\t2'), r =>
    assert.equal(headerOf(r, 'x-a'), '1\t2'),
  ),
  passes('field-obs-text', 'RFC 9110 §5.5 MUST', get('/x', 'X-A: caf\xe9\xff'), r => {
    assert.equal(headerOf(r, 'x-a'), 'caf\xe9\xff')
  }),
  passes('field-all-token-characters', 'RFC 9110 §5.1 MUST', get('/x', "X!#$%&'*+-.^_`|~9: 1"), r => {
    assert.equal(headerOf(r, "x!#$%&'*+-.^_`|~9"), '1')
  }),
  passes('field-repeated', 'RFC 9110 §5.3 MUST', get('/x', 'X-A: 1', 'X-B: 2', 'x-a: 3'), r => {
    assert.equal(headersOf(r, 'x-a').join(','), '1,3')
  }),
  passes('field-value-with-colon', 'RFC 9112 §5 MUST', get('/x', 'X-A: a:b: c'), r =>
    assert.equal(headerOf(r, 'x-a'), 'a:b: c'),
  ),
  passes('field-long-value', 'RFC 9110 §5.4 engine', get('/x', `X-A: ${'v'.repeat(30_000)}`), r => {
    assert.equal(headerOf(r, 'x-a')?.length, 30_000)
  }),
  passes(
    'field-object-names',
    'RFC 9110 §5.1 MUST',
    get('/x', '__proto__: 1', 'constructor: 2', 'hasOwnProperty: 3'),
    r => {
      assert.deepEqual([headerOf(r, '__proto__'), headerOf(r, 'constructor')], ['1', '2'])
    },
  ),
  refuses('field-space-before-colon', 'RFC 9112 §5.1 MUST', get('/x', 'X-A : 1')),
  refuses('field-tab-before-colon', 'RFC 9112 §5.1 MUST', get('/x', 'X-A\t: 1')),
  refuses('field-host-space-before-colon', 'RFC 9112 §5.1 MUST', raw('GET /x HTTP/1.1', 'Host : a.test')),
  refuses('field-no-colon', 'RFC 9112 §5 SHOULD', get('/x', 'X-A')),
  refuses('field-empty-name', 'RFC 9110 §5.1 SHOULD', get('/x', ': 1')),
  refuses('field-only-colon', 'RFC 9110 §5.1 SHOULD', get('/x', ':')),
  refuses('field-space-in-name', 'RFC 9110 §5.1 SHOULD', get('/x', 'X A: 1')),
  refuses('field-parenthesis-in-name', 'RFC 9110 §5.1 SHOULD', get('/x', 'X(A): 1')),
  refuses('field-slash-in-name', 'RFC 9110 §5.1 SHOULD', get('/x', 'X/A: 1')),
  refuses('field-quote-in-name', 'RFC 9110 §5.1 SHOULD', get('/x', '"X": 1')),
  refuses('field-at-in-name', 'RFC 9110 §5.1 SHOULD', get('/x', 'X@A: 1')),
  refuses('field-nul-in-name', 'RFC 9110 §5.1 SHOULD', get('/x', 'X\x00A: 1')),
  refuses('field-latin1-in-name', 'RFC 9110 §5.1 SHOULD', get('/x', 'X-\xc4: 1')),
  refuses('field-control-in-name', 'RFC 9110 §5.1 SHOULD', get('/x', 'Content-Length\x0b: 1')),
  mayRefuse('field-first-line-space', 'RFC 9112 §2.2 MUST', raw('GET /x HTTP/1.1', ' X-A: 1', host)),
  mayRefuse('field-fold-space', 'RFC 9112 §5.2 MUST', get('/x', 'X-A: 1', ' 2')),
  mayRefuse('field-fold-tab', 'RFC 9112 §5.2 MUST', get('/x', 'X-A: 1', '\t2')),
  mayRefuse('field-fold-blank', 'RFC 9112 §5.2 MUST', get('/x', 'X-A: 1', ' ')),
  mayRefuse('field-fold-coding', 'RFC 9112 §5.2 MUST', get('/x', 'Transfer-Encoding:', ' chunked')),
  mayRefuse('field-fold-host', 'RFC 9112 §5.2 MUST', raw('GET /x HTTP/1.1', 'Host: a.test', ' b.test')),
  mayRefuse('field-nul', 'RFC 9110 §5.5 MUST', get('/x', 'X-A: 1\x002')),
  refuses('field-del', 'RFC 9110 §5.5 engine', get('/x', 'X-A: 1\x7f2')),
  refuses('field-control', 'RFC 9110 §5.5 engine', get('/x', 'X-A: 1\x012')),
  refuses('field-escape', 'RFC 9110 §5.5 engine', get('/x', 'X-A: \x1b[2J')),
  refuses('field-vertical-tab', 'RFC 9110 §5.5 engine', get('/x', 'X-A: 1\x0b2')),
  refuses('field-form-feed', 'RFC 9110 §5.5 engine', get('/x', 'X-A: \x0c1')),
  mayRefuse('field-bare-cr', 'RFC 9110 §5.5 MUST', get('/x', 'X-A: 1\r2')),
  mayRefuse('field-bare-cr-starts-line', 'RFC 9112 §2.2 MUST', get('/x', 'X-A: 1\rX-B: 2')),
  mayRefuse('field-two-cr', 'RFC 9112 §2.2 MUST', get('/x', 'X-A: 1\r')),
  mayRefuse('field-bare-lf', 'RFC 9112 §2.2 MAY', get('/x', 'X-A: 1\nX-B: 2')),
  refuses('field-lf-in-name', 'RFC 9112 §2.2 SHOULD', get('/x', 'X-A\n: 1')),
  mayRefuse('field-lf-cr', 'RFC 9112 §2.2 MAY', get('/x', 'X-A: 1\n\rX-B: 2')),
  mayRefuse('field-end-lf-lf', 'RFC 9112 §2.2 MAY', `GET /x HTTP/1.1\r\n${host}\n\n`),
  mayRefuse('field-end-crlf-lf', 'RFC 9112 §2.2 MAY', `GET /x HTTP/1.1\r\n${host}\r\n\n`),
  mayRefuse('field-end-cr-cr', 'RFC 9112 §2.2 MUST', `GET /x HTTP/1.1\r\n${host}\r\r\n\r\n`),
  mayRefuse(
    'field-too-many',
    'RFC 9110 §5.4 MUST',
    get('/x', ...Array.from({ length: 200 }, (_, i) => `X-${i}: 1`)),
    {},
    431,
  ),
  mayRefuse(
    'field-head-too-large',
    'RFC 9110 §5.4 MUST',
    get('/x', ...Array.from({ length: 100 }, () => `X: ${'v'.repeat(800)}`)),
    {},
    431,
  ),
  mayRefuse('field-one-too-large', 'RFC 9110 §5.4 MUST', get('/x', `X-A: ${'v'.repeat(70_000)}`), {}, 431),
  passes('field-many', 'RFC 9110 §5.4 engine', get('/x', ...Array.from({ length: 100 }, (_, i) => `X-${i}: 1`)), r => {
    assert.equal(headerOf(r, 'x-99'), '1')
  }),
]

export const fieldCases: readonly RequestCase[] = [...fields]
