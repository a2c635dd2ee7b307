import assert from 'node:assert/strict'
import { get, head, mayRefuse, passes, type RequestCase, raw, refuses } from './case.ts'

const host = 'Host: a.test'

const requestLine: RequestCase[] = [
  passes('line-plain', 'RFC 9112 §3 MUST', get('/x?y=1'), request =>
    assert.equal(request.startLine, 'GET /x?y=1 HTTP/1.1'),
  ),
  passes('line-unknown-method', 'RFC 9110 §9.1 SHOULD', head('BREW /x HTTP/1.1'), r => assert.equal(r.method, 'BREW')),
  passes(
    'line-method-is-case-sensitive',
    'RFC 9110 §9.1 MUST',
    head('get /x HTTP/1.1'),
    r => assert.equal(r.method, 'get'),
    { verdict: 'either' },
  ),
  passes('line-forwarded-as-1.1', 'RFC 9112 §2.3 MUST', head('GET /x HTTP/1.0', 'Connection: keep-alive'), r =>
    assert.equal(r.startLine, 'GET /x HTTP/1.1'),
  ),
  passes('line-one-empty-line-before', 'RFC 9112 §2.2 SHOULD', `\r\n${get('/x')}`),
  mayRefuse('line-bare-lf-before', 'RFC 9112 §2.2 MAY', `\n${get('/x')}`),
  mayRefuse('line-space-before', 'RFC 9112 §3 MAY', ` ${get('/x')}`),
  refuses('line-no-method', 'RFC 9112 §3 SHOULD', raw('/x HTTP/1.1', host)),
  refuses('line-no-target', 'RFC 9112 §3 SHOULD', raw('GET HTTP/1.1', host)),
  refuses('line-empty-target', 'RFC 9112 §3 SHOULD', raw('GET  HTTP/1.1', host)),
  refuses('line-no-version', 'RFC 9112 §3 SHOULD', raw('GET /x', host)),
  refuses('line-http-0.9', 'RFC 9112 §3 SHOULD', 'GET /x\r\n'),
  refuses('line-empty-version', 'RFC 9112 §3 SHOULD', raw('GET /x ', host)),
  mayRefuse('line-two-spaces-first', 'RFC 9112 §3 MAY', raw('GET  /x HTTP/1.1', host)),
  mayRefuse('line-two-spaces-second', 'RFC 9112 §3 MAY', raw('GET /x  HTTP/1.1', host)),
  mayRefuse('line-space-at-end', 'RFC 9112 §3 MAY', raw('GET /x HTTP/1.1 ', host)),
  mayRefuse('line-tab-separator', 'RFC 9112 §3 MAY', raw('GET\t/x HTTP/1.1', host)),
  mayRefuse('line-tab-second', 'RFC 9112 §3 MAY', raw('GET /x\tHTTP/1.1', host)),
  mayRefuse('line-vertical-tab', 'RFC 9112 §3 MAY', raw('GET /x\x0bHTTP/1.1', host)),
  refuses('line-four-parts', 'RFC 9112 §3 SHOULD', raw('GET /x y HTTP/1.1', host)),
  refuses('line-method-not-token', 'RFC 9110 §9.1 SHOULD', raw('GE(T /x HTTP/1.1', host)),
  refuses('line-method-nul', 'RFC 9110 §9.1 SHOULD', raw('GET\x00 /x HTTP/1.1', host)),
  refuses('line-method-non-ascii', 'RFC 9110 §9.1 SHOULD', raw('G\xc9T /x HTTP/1.1', host)),
  mayRefuse('line-bare-cr', 'RFC 9112 §2.2 MUST', raw('GET /x\r HTTP/1.1', host)),
  mayRefuse('line-bare-cr-at-end', 'RFC 9112 §2.2 MUST', raw('GET /x HTTP/1.1\r', host)),
  mayRefuse('line-bare-lf', 'RFC 9112 §2.2 MAY', `GET /x HTTP/1.1\n${host}\r\n\r\n`),
  refuses(
    'line-binary',
    'RFC 9112 §2.2 SHOULD',
    Buffer.concat([Buffer.from([0x16, 3, 1, 0, 0xa5, 1, 0, 0]), Buffer.from('\r\n\r\n')]),
  ),
]

const versions: RequestCase[] = [
  refuses('version-lower-case', 'RFC 9112 §2.3 SHOULD', raw('GET /x http/1.1', host)),
  refuses('version-no-minor', 'RFC 9112 §2.3 SHOULD', raw('GET /x HTTP/1', host)),
  refuses('version-two-digits', 'RFC 9112 §2.3 SHOULD', raw('GET /x HTTP/1.10', host)),
  refuses('version-padded', 'RFC 9112 §2.3 SHOULD', raw('GET /x HTTP/01.1', host)),
  refuses('version-comma', 'RFC 9112 §2.3 SHOULD', raw('GET /x HTTP/1,1', host)),
  refuses('version-other-name', 'RFC 9112 §2.3 SHOULD', raw('GET /x HTTPS/1.1', host)),
  refuses('version-junk', 'RFC 9112 §2.3 SHOULD', raw('GET /x HTTP/1.1x', host)),
  refuses('version-space-inside', 'RFC 9112 §2.3 SHOULD', raw('GET /x HTTP/ 1.1', host)),
  refuses('version-sign', 'RFC 9112 §2.3 SHOULD', raw('GET /x HTTP/1.+1', host)),
  refuses('version-0.9', 'RFC 9110 §15.6.6 SHOULD', raw('GET /x HTTP/0.9', host), 505),
  {
    // Our choice against a SHOULD: whoever names a version that does not exist is not a client to be served.
    ...refuses('version-1.2', 'RFC 9110 §2.5 SHOULD', raw('GET /x HTTP/1.2', host), 505),
    allowed: { verdict: 'pass' },
  },
  refuses('version-2.0', 'RFC 9110 §15.6.6 SHOULD', raw('GET /x HTTP/2.0', host), 505),
  refuses('version-3.0', 'RFC 9110 §15.6.6 SHOULD', raw('GET /x HTTP/3.0', host), 505),
  refuses('version-h2-preface-late', 'RFC 9113 §3.4 SHOULD', '\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505),
]

export const requestLineCases: readonly RequestCase[] = [...requestLine, ...versions]
