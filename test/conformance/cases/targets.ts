import assert from 'node:assert/strict'
import { headerOf, type RequestMessage } from '../../read-message.ts'
import { get, head, mayRefuse, passes, type RequestCase, raw, refuses } from './case.ts'

/** The host a request was for, as the origin learns it. */
const seenHost = (request: RequestMessage): string | undefined =>
  headerOf(request, 'x-forwarded-host') ?? headerOf(request, 'host')

/** Read from an absolute target; a proxy may also pass the target on in this form, and its origin need not learn the port. */
const names = (
  id: string,
  send: string,
  target: string,
  host: string,
  verdict: 'pass' | 'either' = 'pass',
): RequestCase =>
  passes(
    id,
    'RFC 9112 §3.2.2 MUST',
    send,
    request => {
      assert.equal(request.target, target)
      assert.equal(headerOf(request, 'x-forwarded-host'), host)
    },
    {
      verdict,
      check: request => {
        assert.equal(request.target.replace(/^http:\/\/[^/?]+\/?/i, '/'), target)
        assert.equal(seenHost(request)?.replace(/:\d+$/, ''), host.replace(/:\d+$/, ''))
      },
    },
  )

const targets: RequestCase[] = [
  names('target-absolute', get('http://a.test/x?y'), '/x?y', 'a.test'),
  // Whose Host names another may also be refused.
  names('target-absolute-port', get('http://b.test:81/x'), '/x', 'b.test:81', 'either'),
  names('target-absolute-beats-host', get('http://b.test/x'), '/x', 'b.test', 'either'),
  names('target-absolute-no-path', get('http://a.test'), '/', 'a.test'),
  names('target-absolute-query-only', get('http://a.test?q'), '/?q', 'a.test'),
  names('target-absolute-scheme-case', get('HTTP://a.test/x'), '/x', 'a.test'),
  refuses('target-absolute-userinfo', 'RFC 9110 §4.2.4 SHOULD', get('http://user@a.test/x')),
  refuses('target-absolute-userinfo-hides', 'RFC 9110 §4.2.4 SHOULD', get('http://a.test:80@b.test/x')),
  refuses('target-absolute-no-host', 'RFC 9110 §4.2.1 MUST', get('http:///x')),
  refuses('target-absolute-port-junk', 'RFC 9110 §4.2.1 SHOULD', get('http://a.test:8x/x')),
  refuses('target-absolute-ftp', 'RFC 9110 §7.4 engine', get('ftp://a.test/x')),
  refuses('target-absolute-file', 'RFC 9110 §7.4 engine', get('file:///etc/passwd')),
  refuses('target-absolute-backslash', 'RFC 3986 §3.2 SHOULD', get('http://a.test\\@b.test/x')),
  refuses('target-absolute-no-host-field', 'RFC 9112 §3.2 MUST', raw('GET http://a.test/x HTTP/1.1')),
  refuses('target-absolute-two-hosts', 'RFC 9112 §3.2 MUST', get('http://a.test/x', 'Host: b.test')),
  refuses('target-no-slash', 'RFC 9112 §3.2.1 SHOULD', get('x')),
  refuses('target-query-only', 'RFC 9112 §3.2.1 SHOULD', get('?x')),
  refuses('target-authority-with-get', 'RFC 9112 §3.2.3 SHOULD', get('a.test:80')),
  refuses('target-asterisk-with-get', 'RFC 9112 §3.2.4 SHOULD', get('*')),
  refuses('target-fragment', 'RFC 9112 §3.2 SHOULD', get('/x#y')),
  refuses('target-fragment-in-query', 'RFC 9112 §3.2 SHOULD', get('/x?a#y')),
  refuses('target-nul', 'RFC 3986 §2 SHOULD', get('/x\x00y')),
  refuses('target-control', 'RFC 3986 §2 SHOULD', get('/x\x01y')),
  refuses('target-escape', 'RFC 3986 §2 SHOULD', get('/x\x1by')),
  refuses('target-del', 'RFC 3986 §2 SHOULD', get('/x\x7fy')),
  refuses('target-latin1', 'RFC 3986 §2 SHOULD', get('/caf\xe9')),
  refuses('target-utf8', 'RFC 3986 §2 SHOULD', get('/caf\xc3\xa9')),
  refuses('target-utf8-query', 'RFC 3986 §2 SHOULD', get('/x?q=caf\xc3\xa9')),
  refuses('target-nbsp', 'RFC 9112 §3 SHOULD', raw('GET /x\xa0HTTP/1.1', 'Host: a.test')),
  mayRefuse('target-too-long', 'RFC 9112 §3 MUST', get(`/${'x'.repeat(17_000)}`), {}, 414),
  passes('target-long', 'RFC 9110 §4.1 SHOULD', get(`/${'x'.repeat(8000)}`), r => assert.equal(r.target.length, 8001)),
  refuses('target-connect', 'engine', raw('CONNECT a.test:443 HTTP/1.1', 'Host: a.test:443'), 501),
  refuses('target-connect-slash', 'engine', head('CONNECT / HTTP/1.1'), 501),
]

export const targetCases: readonly RequestCase[] = [...targets]
