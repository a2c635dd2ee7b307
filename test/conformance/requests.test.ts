import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  headerOf,
  headersOf,
  oneService,
  type Portico,
  type RequestMessage,
  rawClient,
  type ScriptedOrigin,
  startPortico,
} from '../harness.ts'
import { get, head, passes, type RequestCase, refuses, runTable, tableOrigin } from './case-table.ts'

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

const raw = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`
const host = 'Host: a.test'

const requestLine: RequestCase[] = [
  passes('line-plain', 'RFC 9112 §3', get('/x?y=1'), request => assert.equal(request.startLine, 'GET /x?y=1 HTTP/1.1')),
  passes('line-unknown-method', 'RFC 9110 §9.1', head('BREW /x HTTP/1.1'), r => assert.equal(r.method, 'BREW')),
  passes('line-method-is-case-sensitive', 'RFC 9110 §9.1', head('get /x HTTP/1.1'), r => assert.equal(r.method, 'get')),
  passes('line-one-empty-line-before', 'RFC 9112 §2.2', `\r\n${get('/x')}`),
  refuses('line-bare-lf-before', 'RFC 9112 §2.2', `\n${get('/x')}`),
  refuses('line-space-before', 'RFC 9112 §2.2', ` ${get('/x')}`),
  refuses('line-no-method', 'RFC 9112 §3', raw('/x HTTP/1.1', host)),
  refuses('line-no-target', 'RFC 9112 §3', raw('GET HTTP/1.1', host)),
  refuses('line-empty-target', 'RFC 9112 §3', raw('GET  HTTP/1.1', host)),
  refuses('line-no-version', 'RFC 9112 §3', raw('GET /x', host)),
  refuses('line-http-0.9', 'RFC 9112 §3', 'GET /x\r\n'),
  refuses('line-empty-version', 'RFC 9112 §3', raw('GET /x ', host)),
  refuses('line-two-spaces-first', 'RFC 9112 §3', raw('GET  /x HTTP/1.1', host)),
  refuses('line-two-spaces-second', 'RFC 9112 §3', raw('GET /x  HTTP/1.1', host)),
  refuses('line-space-at-end', 'RFC 9112 §3', raw('GET /x HTTP/1.1 ', host)),
  refuses('line-tab-separator', 'RFC 9112 §3', raw('GET\t/x HTTP/1.1', host)),
  refuses('line-tab-second', 'RFC 9112 §3', raw('GET /x\tHTTP/1.1', host)),
  refuses('line-vertical-tab', 'RFC 9112 §3', raw('GET /x\x0bHTTP/1.1', host)),
  refuses('line-four-parts', 'RFC 9112 §3', raw('GET /x y HTTP/1.1', host)),
  refuses('line-method-not-token', 'RFC 9110 §9.1', raw('GE(T /x HTTP/1.1', host)),
  refuses('line-method-nul', 'RFC 9110 §9.1', raw('GET\x00 /x HTTP/1.1', host)),
  refuses('line-method-non-ascii', 'RFC 9110 §9.1', raw('G\xc9T /x HTTP/1.1', host)),
  refuses('line-bare-cr', 'RFC 9112 §2.2', raw('GET /x\r HTTP/1.1', host)),
  refuses('line-bare-cr-at-end', 'RFC 9112 §2.2', raw('GET /x HTTP/1.1\r', host)),
  refuses('line-bare-lf', 'RFC 9112 §2.2', `GET /x HTTP/1.1\n${host}\r\n\r\n`),
  refuses(
    'line-binary',
    'engine',
    Buffer.concat([Buffer.from([0x16, 3, 1, 0, 0xa5, 1, 0, 0]), Buffer.from('\r\n\r\n')]),
  ),
]

const versions: RequestCase[] = [
  refuses('version-lower-case', 'RFC 9112 §2.3', raw('GET /x http/1.1', host)),
  refuses('version-no-minor', 'RFC 9112 §2.3', raw('GET /x HTTP/1', host)),
  refuses('version-two-digits', 'RFC 9112 §2.3', raw('GET /x HTTP/1.10', host)),
  refuses('version-padded', 'RFC 9112 §2.3', raw('GET /x HTTP/01.1', host)),
  refuses('version-comma', 'RFC 9112 §2.3', raw('GET /x HTTP/1,1', host)),
  refuses('version-other-name', 'RFC 9112 §2.3', raw('GET /x HTTPS/1.1', host)),
  refuses('version-junk', 'RFC 9112 §2.3', raw('GET /x HTTP/1.1x', host)),
  refuses('version-space-inside', 'RFC 9112 §2.3', raw('GET /x HTTP/ 1.1', host)),
  refuses('version-sign', 'RFC 9112 §2.3', raw('GET /x HTTP/1.+1', host)),
  refuses('version-0.9', 'RFC 9110 §15.6.6', raw('GET /x HTTP/0.9', host), 505),
  refuses('version-1.2', 'engine', raw('GET /x HTTP/1.2', host), 505),
  refuses('version-2.0', 'RFC 9110 §15.6.6', raw('GET /x HTTP/2.0', host), 505),
  refuses('version-3.0', 'RFC 9110 §15.6.6', raw('GET /x HTTP/3.0', host), 505),
  refuses('version-h2-preface-late', 'RFC 9113 §3.4', '\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505),
]

const sees = (target: string, forwardedHost: string) => (request: RequestMessage) => {
  assert.equal(request.target, target)
  assert.equal(headerOf(request, 'x-forwarded-host'), forwardedHost)
}

const targets: RequestCase[] = [
  passes('target-absolute', 'RFC 9112 §3.2.2', get('http://a.test/x?y'), sees('/x?y', 'a.test')),
  passes('target-absolute-port', 'RFC 9112 §3.2.2', get('http://b.test:81/x'), sees('/x', 'b.test:81')),
  passes('target-absolute-beats-host', 'RFC 9112 §3.2.2', get('http://b.test/x'), sees('/x', 'b.test')),
  passes('target-absolute-no-path', 'RFC 9112 §3.2.2', get('http://a.test'), r => assert.equal(r.target, '/')),
  passes('target-absolute-query-only', 'RFC 9112 §3.2.2', get('http://a.test?q'), r => assert.equal(r.target, '/?q')),
  passes('target-absolute-scheme-case', 'RFC 3986 §3.1', get('HTTP://a.test/x'), r => assert.equal(r.target, '/x')),
  refuses('target-absolute-userinfo', 'RFC 9110 §4.2.4', get('http://user@a.test/x')),
  refuses('target-absolute-userinfo-hides', 'RFC 9110 §4.2.4', get('http://a.test:80@b.test/x')),
  refuses('target-absolute-no-host', 'RFC 9110 §4.2.1', get('http:///x')),
  refuses('target-absolute-port-junk', 'RFC 9110 §4.2.1', get('http://a.test:8x/x')),
  refuses('target-absolute-ftp', 'RFC 9112 §3.2.2', get('ftp://a.test/x')),
  refuses('target-absolute-file', 'RFC 9112 §3.2.2', get('file:///etc/passwd')),
  refuses('target-absolute-backslash', 'RFC 3986 §3.2', get('http://a.test\\@b.test/x')),
  refuses('target-absolute-no-host-field', 'RFC 9112 §3.2', raw('GET http://a.test/x HTTP/1.1')),
  refuses('target-absolute-two-hosts', 'RFC 9112 §3.2', get('http://a.test/x', 'Host: b.test')),
  refuses('target-no-slash', 'RFC 9112 §3.2.1', get('x')),
  refuses('target-query-only', 'RFC 9112 §3.2.1', get('?x')),
  refuses('target-authority-with-get', 'RFC 9112 §3.2.3', get('a.test:80')),
  refuses('target-asterisk-with-get', 'RFC 9112 §3.2.4', get('*')),
  refuses('target-fragment', 'RFC 9112 §3.2', get('/x#y')),
  refuses('target-fragment-in-query', 'RFC 9112 §3.2', get('/x?a#y')),
  refuses('target-nul', 'RFC 3986 §2', get('/x\x00y')),
  refuses('target-control', 'RFC 3986 §2', get('/x\x01y')),
  refuses('target-escape', 'RFC 3986 §2', get('/x\x1by')),
  refuses('target-del', 'RFC 3986 §2', get('/x\x7fy')),
  refuses('target-latin1', 'RFC 3986 §2', get('/caf\xe9')),
  refuses('target-utf8', 'RFC 3986 §2', get('/caf\xc3\xa9')),
  refuses('target-utf8-query', 'RFC 3986 §2', get('/x?q=caf\xc3\xa9')),
  refuses('target-nbsp', 'RFC 9112 §3', raw('GET /x\xa0HTTP/1.1', host)),
  refuses('target-too-long', 'RFC 9110 §15.5.15', get(`/${'x'.repeat(17_000)}`), 414),
  passes('target-long', 'RFC 9110 §4.1', get(`/${'x'.repeat(8000)}`), r => assert.equal(r.target.length, 8001)),
  refuses('target-connect', 'engine', raw('CONNECT a.test:443 HTTP/1.1', 'Host: a.test:443'), 501),
  refuses('target-connect-slash', 'engine', head('CONNECT / HTTP/1.1'), 501),
]

const hosts: RequestCase[] = [
  refuses('host-missing', 'RFC 9112 §3.2', raw('GET /x HTTP/1.1')),
  refuses('host-missing-with-fields', 'RFC 9112 §3.2', raw('GET /x HTTP/1.1', 'X-Host: a.test')),
  refuses('host-repeated', 'RFC 9112 §3.2', get('/x', 'Host: b.test')),
  refuses('host-repeated-equal', 'RFC 9112 §3.2', get('/x', 'Host: a.test')),
  refuses('host-repeated-in-1.0', 'RFC 9112 §3.2', head('GET /x HTTP/1.0', 'Host: b.test')),
  refuses('host-empty', 'engine', raw('GET /x HTTP/1.1', 'Host:')),
  refuses('host-blank', 'engine', raw('GET /x HTTP/1.1', 'Host:  \t ')),
  refuses('host-list', 'RFC 9110 §7.2', raw('GET /x HTTP/1.1', 'Host: a.test, b.test')),
  refuses('host-list-no-space', 'RFC 9110 §7.2', raw('GET /x HTTP/1.1', 'Host: a.test,b.test')),
  refuses('host-bracket-dots', 'RFC 3986 §3.2.2', raw('GET /x HTTP/1.1', 'Host: [...]')),
  refuses('host-userinfo', 'RFC 9110 §7.2', raw('GET /x HTTP/1.1', 'Host: user@a.test')),
  refuses('host-scheme', 'RFC 9110 §7.2', raw('GET /x HTTP/1.1', 'Host: http://a.test')),
  refuses('host-path', 'RFC 9110 §7.2', raw('GET /x HTTP/1.1', 'Host: a.test/x')),
  refuses('host-query', 'RFC 9110 §7.2', raw('GET /x HTTP/1.1', 'Host: a.test?x')),
  refuses('host-fragment', 'RFC 9110 §7.2', raw('GET /x HTTP/1.1', 'Host: a.test#x')),
  refuses('host-backslash', 'RFC 9110 §7.2', raw('GET /x HTTP/1.1', 'Host: a.test\\x')),
  refuses('host-space', 'RFC 9110 §7.2', raw('GET /x HTTP/1.1', 'Host: a test')),
  refuses('host-tab', 'RFC 9110 §7.2', raw('GET /x HTTP/1.1', 'Host: a\ttest')),
  refuses('host-port-letters', 'RFC 9110 §7.2', raw('GET /x HTTP/1.1', 'Host: a.test:http')),
  refuses('host-port-too-high', 'RFC 9110 §7.2', raw('GET /x HTTP/1.1', 'Host: a.test:65536')),
  refuses('host-port-negative', 'RFC 9110 §7.2', raw('GET /x HTTP/1.1', 'Host: a.test:-80')),
  refuses('host-two-ports', 'RFC 9110 §7.2', raw('GET /x HTTP/1.1', 'Host: a.test:80:80')),
  refuses('host-port-only', 'RFC 9110 §7.2', raw('GET /x HTTP/1.1', 'Host: :80')),
  refuses('host-bracket-open', 'RFC 3986 §3.2.2', raw('GET /x HTTP/1.1', 'Host: [::1')),
  refuses('host-bracket-junk', 'RFC 3986 §3.2.2', raw('GET /x HTTP/1.1', 'Host: [::1]x')),
  refuses('host-bracket-not-address', 'RFC 3986 §3.2.2', raw('GET /x HTTP/1.1', 'Host: [a.test]')),
  refuses('host-latin1', 'RFC 3986 §3.2.2', raw('GET /x HTTP/1.1', 'Host: caf\xe9.test')),
  refuses('host-quote', 'RFC 3986 §3.2.2', raw('GET /x HTTP/1.1', 'Host: "a.test"')),
  refuses('host-percent-nul', 'RFC 3986 §3.2.2', raw('GET /x HTTP/1.1', 'Host: a%00.test')),
  passes('host-port', 'RFC 9110 §7.2', raw('GET /x HTTP/1.1', 'Host: a.test:8080')),
  passes('host-ipv4', 'RFC 9110 §7.2', raw('GET /x HTTP/1.1', 'Host: 127.0.0.1')),
  passes('host-ipv6', 'RFC 9110 §7.2', raw('GET /x HTTP/1.1', 'Host: [::1]:8080')),
  passes('host-upper-case', 'RFC 9110 §4.2.3', raw('GET /x HTTP/1.1', 'HOST: A.TEST')),
  passes('host-underscore', 'RFC 3986 §3.2.2', raw('GET /x HTTP/1.1', 'Host: a_b.test')),
]

const fields: RequestCase[] = [
  passes('field-no-space', 'RFC 9112 §5', get('/x', 'X-A:1'), r => assert.equal(headerOf(r, 'x-a'), '1')),
  passes('field-white-space', 'RFC 9110 §5.5', get('/x', 'X-A: \t 1 2\t  '), r =>
    assert.equal(headerOf(r, 'x-a'), '1 2'),
  ),
  passes('field-empty-value', 'RFC 9110 §5.5', get('/x', 'X-A:'), r => assert.equal(headerOf(r, 'x-a'), '')),
  passes('field-tab-inside', 'RFC 9110 §5.5', get('/x', 'X-A: 1\t2'), r => assert.equal(headerOf(r, 'x-a'), '1\t2')),
  passes('field-obs-text', 'RFC 9110 §5.5', get('/x', 'X-A: caf\xe9\xff'), r => {
    assert.equal(headerOf(r, 'x-a'), 'caf\xe9\xff')
  }),
  passes('field-all-token-characters', 'RFC 9110 §5.6.2', get('/x', "X!#$%&'*+-.^_`|~9: 1"), r => {
    assert.equal(headerOf(r, "x!#$%&'*+-.^_`|~9"), '1')
  }),
  passes('field-repeated', 'RFC 9110 §5.3', get('/x', 'X-A: 1', 'X-B: 2', 'x-a: 3'), r => {
    assert.equal(headersOf(r, 'x-a').join(','), '1,3')
  }),
  passes('field-value-with-colon', 'RFC 9112 §5', get('/x', 'X-A: a:b: c'), r =>
    assert.equal(headerOf(r, 'x-a'), 'a:b: c'),
  ),
  passes('field-long-value', 'RFC 9110 §5.4', get('/x', `X-A: ${'v'.repeat(30_000)}`), r => {
    assert.equal(headerOf(r, 'x-a')?.length, 30_000)
  }),
  passes('field-object-names', 'engine', get('/x', '__proto__: 1', 'constructor: 2', 'hasOwnProperty: 3'), r => {
    assert.deepEqual([headerOf(r, '__proto__'), headerOf(r, 'constructor')], ['1', '2'])
  }),
  refuses('field-space-before-colon', 'RFC 9112 §5.1', get('/x', 'X-A : 1')),
  refuses('field-tab-before-colon', 'RFC 9112 §5.1', get('/x', 'X-A\t: 1')),
  refuses('field-host-space-before-colon', 'RFC 9112 §5.1', raw('GET /x HTTP/1.1', 'Host : a.test')),
  refuses('field-no-colon', 'RFC 9112 §5', get('/x', 'X-A')),
  refuses('field-empty-name', 'RFC 9110 §5.1', get('/x', ': 1')),
  refuses('field-only-colon', 'RFC 9110 §5.1', get('/x', ':')),
  refuses('field-space-in-name', 'RFC 9110 §5.1', get('/x', 'X A: 1')),
  refuses('field-parenthesis-in-name', 'RFC 9110 §5.1', get('/x', 'X(A): 1')),
  refuses('field-slash-in-name', 'RFC 9110 §5.1', get('/x', 'X/A: 1')),
  refuses('field-quote-in-name', 'RFC 9110 §5.1', get('/x', '"X": 1')),
  refuses('field-at-in-name', 'RFC 9110 §5.1', get('/x', 'X@A: 1')),
  refuses('field-nul-in-name', 'RFC 9110 §5.1', get('/x', 'X\x00A: 1')),
  refuses('field-latin1-in-name', 'RFC 9110 §5.1', get('/x', 'X-\xc4: 1')),
  refuses('field-control-in-name', 'RFC 9110 §5.1', get('/x', 'Content-Length\x0b: 1')),
  refuses('field-first-line-space', 'RFC 9112 §2.2', raw('GET /x HTTP/1.1', ' X-A: 1', host)),
  refuses('field-fold-space', 'RFC 9112 §5.2', get('/x', 'X-A: 1', ' 2')),
  refuses('field-fold-tab', 'RFC 9112 §5.2', get('/x', 'X-A: 1', '\t2')),
  refuses('field-fold-blank', 'RFC 9112 §5.2', get('/x', 'X-A: 1', ' ')),
  refuses('field-fold-coding', 'RFC 9112 §5.2', get('/x', 'Transfer-Encoding:', ' chunked')),
  refuses('field-fold-host', 'RFC 9112 §5.2', raw('GET /x HTTP/1.1', 'Host: a.test', ' b.test')),
  refuses('field-nul', 'RFC 9110 §5.5', get('/x', 'X-A: 1\x002')),
  refuses('field-del', 'RFC 9110 §5.5', get('/x', 'X-A: 1\x7f2')),
  refuses('field-control', 'RFC 9110 §5.5', get('/x', 'X-A: 1\x012')),
  refuses('field-escape', 'RFC 9110 §5.5', get('/x', 'X-A: \x1b[2J')),
  refuses('field-vertical-tab', 'RFC 9110 §5.5', get('/x', 'X-A: 1\x0b2')),
  refuses('field-form-feed', 'RFC 9110 §5.5', get('/x', 'X-A: \x0c1')),
  refuses('field-bare-cr', 'RFC 9110 §5.5', get('/x', 'X-A: 1\r2')),
  refuses('field-bare-cr-starts-line', 'RFC 9112 §2.2', get('/x', 'X-A: 1\rX-B: 2')),
  refuses('field-two-cr', 'RFC 9112 §2.2', get('/x', 'X-A: 1\r')),
  refuses('field-bare-lf', 'RFC 9112 §2.2', get('/x', 'X-A: 1\nX-B: 2')),
  refuses('field-lf-in-name', 'RFC 9112 §2.2', get('/x', 'X-A\n: 1')),
  refuses('field-lf-cr', 'RFC 9112 §2.2', get('/x', 'X-A: 1\n\rX-B: 2')),
  refuses('field-end-lf-lf', 'RFC 9112 §2.2', `GET /x HTTP/1.1\r\n${host}\n\n`),
  refuses('field-end-crlf-lf', 'RFC 9112 §2.2', `GET /x HTTP/1.1\r\n${host}\r\n\n`),
  refuses('field-end-cr-cr', 'RFC 9112 §2.2', `GET /x HTTP/1.1\r\n${host}\r\r\n\r\n`),
  refuses('field-too-many', 'RFC 6585 §5', get('/x', ...Array.from({ length: 200 }, (_, i) => `X-${i}: 1`)), 431),
  refuses(
    'field-head-too-large',
    'RFC 6585 §5',
    get('/x', ...Array.from({ length: 100 }, () => `X: ${'v'.repeat(800)}`)),
    431,
  ),
  refuses('field-one-too-large', 'RFC 6585 §5', get('/x', `X-A: ${'v'.repeat(70_000)}`), 431),
  passes('field-many', 'RFC 9110 §5.4', get('/x', ...Array.from({ length: 100 }, (_, i) => `X-${i}: 1`)), r => {
    assert.equal(headerOf(r, 'x-99'), '1')
  }),
]

runTable(
  [...requestLine, ...versions, ...targets, ...hosts, ...fields],
  () => portico.gatewayPort,
  () => origin,
)

test('an endless head without a line end is cut off at the limit, not collected', async () => {
  const client = await rawClient(portico.gatewayPort)
  client.send(`GET /${'x'.repeat(100_000)}`)
  const response = await client.readFinalResponse()
  assert.ok([414, 431].includes(response.status), String(response.status))
  await client.waitClose()
  client.destroy()
})
