import assert from 'node:assert/strict'
import { headers, request } from '../../raw-http2.ts'
import { headerOf, headersOf } from '../../read-message.ts'
import { type Http2Case, malformed, mayBeMalformed, passes, refused, replaced, withoutField } from './http2-case.ts'

const fields: Http2Case[] = [
  passes(
    'plain',
    'RFC 9113 §8.3.1 MUST',
    [headers(1, request('/x?a=1'), true)],
    r => {
      assert.equal(r.startLine, 'GET /x?a=1 HTTP/1.1')
      assert.equal(headerOf(r, 'x-forwarded-host'), 'a.test')
      assert.equal(headerOf(r, 'via'), '2 portico')
    },
    r => assert.match(r.startLine, /^GET \/x\?a=1 /),
  ),
  passes('via-added', 'RFC 9110 §7.6.3 MUST', [headers(1, request(), true)], r =>
    assert.match(headersOf(r, 'via').join(), /\b2(\.0)? \S/),
  ),
  passes(
    'cookie-crumbs',
    'RFC 9113 §8.2.3 MUST',
    [headers(1, request('/x', ['cookie', 'a=1'], ['x-b', '1'], ['cookie', 'c=2']), true)],
    r => assert.equal(headerOf(r, 'cookie'), 'a=1; c=2'),
  ),
  passes('te-trailers', 'RFC 9113 §8.2.2 MUST', [headers(1, request('/x', ['te', 'trailers']), true)]),
  passes('host-agrees', 'RFC 9113 §8.3.1 MUST', [headers(1, request('/x', ['host', 'a.test']), true)]),
  passes(
    'host-alone',
    'RFC 9113 §8.3.1 MUST',
    [headers(1, [...withoutField(':authority'), ['host', 'b.test']], true)],
    r => assert.equal(headerOf(r, 'x-forwarded-host') ?? headerOf(r, 'host'), 'b.test'),
  ),
  passes('options-asterisk', 'RFC 9113 §8.3.1 engine', [
    headers(1, [[':method', 'OPTIONS'], ...request('/').slice(1)], true),
  ]),
  passes('empty-value', 'RFC 9110 §5.5 engine', [headers(1, request('/x', ['x-a', '']), true)], r =>
    assert.equal(headerOf(r, 'x-a'), ''),
  ),
  malformed('name-upper-case', 'RFC 9113 §8.2.1 MUST', request('/x', ['X-A', '1'])),
  malformed('name-empty', 'RFC 9113 §8.2.1 MUST', request('/x', ['', '1'])),
  malformed('name-space', 'RFC 9113 §8.2.1 MUST', request('/x', ['x a', '1'])),
  malformed('name-colon', 'RFC 9113 §8.2.1 MUST', request('/x', ['x:a', '1'])),
  malformed('name-crlf', 'RFC 9113 §8.2.1 MUST', request('/x', ['x-a: 1\r\nhost', '1'])),
  malformed('name-latin1', 'RFC 9113 §8.2.1 MUST', request('/x', ['x\xe4', '1'])),
  malformed('value-cr', 'RFC 9113 §8.2.1 MUST', request('/x', ['x-a', '1\r2'])),
  malformed('value-lf', 'RFC 9113 §8.2.1 MUST', request('/x', ['x-a', '1\n2'])),
  malformed('value-crlf-header', 'RFC 9113 §10.3 MUST', request('/x', ['x-a', '1\r\ntransfer-encoding: chunked'])),
  malformed(
    'value-crlf-request',
    'RFC 9113 §10.3 MUST',
    request('/x', ['x-a', '1\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a']),
  ),
  malformed('value-nul', 'RFC 9113 §8.2.1 MUST', request('/x', ['x-a', '1\0'])),
  malformed('value-leading-space', 'RFC 9113 §8.2.1 MUST', request('/x', ['x-a', ' 1'])),
  malformed('value-trailing-tab', 'RFC 9113 §8.2.1 MUST', request('/x', ['x-a', '1\t'])),
  malformed('connection', 'RFC 9113 §8.2.2 MUST', request('/x', ['connection', 'close'])),
  malformed('keep-alive', 'RFC 9113 §8.2.2 MUST', request('/x', ['keep-alive', 'timeout=1'])),
  malformed('proxy-connection', 'RFC 9113 §8.2.2 MUST', request('/x', ['proxy-connection', 'close'])),
  malformed('transfer-encoding', 'RFC 9113 §8.2.2 MUST', request('/x', ['transfer-encoding', 'chunked'])),
  malformed('upgrade', 'RFC 9113 §8.2.2 MUST', request('/x', ['upgrade', 'h2c'])),
  malformed('te-other', 'RFC 9113 §8.2.2 MUST', request('/x', ['te', 'gzip'])),
  malformed('te-list', 'RFC 9113 §8.2.2 MUST', request('/x', ['te', 'trailers, gzip'])),
]

const pseudo: Http2Case[] = [
  malformed('method-missing', 'RFC 9113 §8.3.1 MUST', withoutField(':method')),
  malformed('scheme-missing', 'RFC 9113 §8.3.1 MUST', withoutField(':scheme')),
  malformed('path-missing', 'RFC 9113 §8.3.1 MUST', withoutField(':path')),
  malformed('authority-missing', 'RFC 9113 §8.3.1 engine', withoutField(':authority')),
  malformed('method-empty', 'RFC 9113 §8.3.1 MUST', replaced(':method', '')),
  malformed('method-space', 'RFC 9113 §10.3 MUST', replaced(':method', 'GET /a HTTP/1.1')),
  malformed('method-crlf', 'RFC 9113 §10.3 MUST', replaced(':method', 'GET / HTTP/1.1\r\nhost: b\r\nx:')),
  malformed('path-empty', 'RFC 9113 §8.3.1 MUST', replaced(':path', '')),
  malformed('path-relative', 'RFC 9113 §8.3.1 SHOULD', replaced(':path', 'x')),
  malformed('path-absolute-form', 'RFC 9113 §8.3.1 SHOULD', replaced(':path', 'http://b.test/x')),
  mayBeMalformed('path-space', 'RFC 9113 §8.3.1 MUST', replaced(':path', '/x HTTP/1.1')),
  malformed('path-crlf', 'RFC 9113 §10.3 MUST', replaced(':path', '/x HTTP/1.1\r\nhost: b\r\nx: ')),
  malformed('path-fragment', 'RFC 9113 §8.3.1 SHOULD', replaced(':path', '/x#y')),
  malformed('path-latin1', 'RFC 3986 §2 SHOULD', replaced(':path', '/\xe4')),
  malformed('path-asterisk-get', 'RFC 9113 §8.3.1 SHOULD', replaced(':path', '*')),
  malformed('scheme-other', 'RFC 9113 §8.3.1 engine', replaced(':scheme', 'ftp')),
  mayBeMalformed('scheme-url', 'RFC 9113 §10.3 MUST', replaced(':scheme', 'http://b.test/x?')),
  malformed('authority-userinfo', 'RFC 9113 §8.3.1 SHOULD', replaced(':authority', 'user@a.test')),
  malformed('authority-path', 'RFC 9113 §8.3.1 SHOULD', replaced(':authority', 'a.test/x')),
  malformed('authority-crlf', 'RFC 9113 §10.3 MUST', replaced(':authority', 'a.test\r\nx: y')),
  malformed('authority-empty', 'RFC 9113 §8.3.1 engine', replaced(':authority', '')),
  malformed('host-differs', 'RFC 9113 §8.3.1 SHOULD', request('/x', ['host', 'b.test'])),
  malformed('host-repeated', 'RFC 9110 §7.2 SHOULD', request('/x', ['host', 'a.test'], ['host', 'a.test'])),
  malformed('authority-repeated', 'RFC 9113 §8.3 MUST', [...request(), [':authority', 'a.test']]),
  malformed('path-repeated', 'RFC 9113 §8.3 MUST', [[':path', '/y'], ...request()]),
  malformed('pseudo-late', 'RFC 9113 §8.3 MUST', [...withoutField(':path'), ['x-a', '1'], [':path', '/x']]),
  malformed('pseudo-unknown', 'RFC 9113 §8.3 MUST', [[':foo', '1'], ...request()]),
  malformed('pseudo-of-response', 'RFC 9113 §8.3 MUST', [[':status', '200'], ...request()]),
  malformed('connect-with-path', 'RFC 9113 §8.5 MUST', replaced(':method', 'CONNECT')),
  malformed('protocol-without-connect', 'RFC 8441 §4 MUST', [[':protocol', 'websocket'], ...request()]),
  refused(
    'connect',
    'RFC 9113 §8.5 engine',
    [
      headers(
        1,
        [
          [':method', 'CONNECT'],
          [':authority', 'a.test:443'],
        ],
        true,
      ),
    ],
    501,
  ),
  refused(
    'connect-other-protocol',
    'RFC 8441 §4 engine',
    [headers(1, [...replaced(':method', 'CONNECT'), [':protocol', 'connect-udp']], false)],
    501,
  ),
  refused('expectation', 'RFC 9110 §10.1.1 engine', [headers(1, request('/x', ['expect', 'tea']), true)], 417),
  refused('path-climbs', 'RFC 3986 §5.2.4 engine', [headers(1, request('/../x'), true)], 400),
  refused('target-long', 'RFC 9110 §15.5.15 engine', [headers(1, request(`/${'x'.repeat(1100)}`), true)], 414),
  refused('fields-large', 'RFC 9113 §10.5.1 engine', [headers(1, request('/x', ['x-a', 'y'.repeat(9000)]), true)], 431),
  refused(
    'fields-many',
    'RFC 9113 §10.5.1 engine',
    [headers(1, request('/x', ...Array.from({ length: 60 }, (): [string, string] => ['x-a', '1'])), true)],
    431,
  ),
]

export const http2FieldCases: readonly Http2Case[] = [...fields, ...pseudo]
