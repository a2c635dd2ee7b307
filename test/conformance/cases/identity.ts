import assert from 'node:assert/strict'
import { headerOf, headersOf, type RequestMessage } from '../../read-message.ts'
import { get, passes, post, type RequestCase } from './case.ts'

const lacks =
  (...names: string[]) =>
  (request: RequestMessage) => {
    for (const name of names) assert.deepEqual(headersOf(request, name), [], `${name} was forwarded`)
  }
const has =
  (name: string, ...values: string[]) =>
  (request: RequestMessage) =>
    assert.deepEqual(headersOf(request, name), values, name)

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const traceparent = /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$/
const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

const identity: RequestCase[] = [
  passes(
    'identity-forwarded-for',
    'engine',
    get('/x', 'X-Forwarded-For: 1.2.3.4'),
    has('x-forwarded-for', '127.0.0.1'),
  ),
  passes(
    'identity-forwarded-for-twice',
    'engine',
    get('/x', 'X-Forwarded-For: 1.2.3.4', 'x-forwarded-for: 5.6.7.8'),
    has('x-forwarded-for', '127.0.0.1'),
  ),
  passes('identity-underscores', 'engine', get('/x', 'X_Forwarded_For: 1.2.3.4', 'X-Forwarded_Host: b.test'), r => {
    lacks('x_forwarded_for', 'x-forwarded_host')(r)
  }),
  passes('identity-forwarded-host', 'engine', get('/x', 'X-Forwarded-Host: b.test'), has('x-forwarded-host', 'a.test')),
  passes('identity-forwarded-proto', 'engine', get('/x', 'X-Forwarded-Proto: https'), has('x-forwarded-proto', 'http')),
  passes(
    'identity-other-forwarded',
    'engine',
    get('/x', 'X-Forwarded-Port: 1', 'X-Forwarded-Prefix: /a', 'X-Forwarded-Server: b', 'X-Forwarded-User: root'),
    lacks('x-forwarded-port', 'x-forwarded-prefix', 'x-forwarded-server', 'x-forwarded-user'),
  ),
  passes(
    'identity-forwarded',
    'RFC 7239 §8.1 engine',
    get('/x', 'Forwarded: for=1.2.3.4;proto=https'),
    lacks('forwarded'),
  ),
  passes('identity-real-ip', 'engine', get('/x', 'X-Real-IP: 1.2.3.4'), r =>
    assert.ok(!headersOf(r, 'x-real-ip').includes('1.2.3.4')),
  ),
  passes('identity-consumer', 'engine', get('/x', 'X-Consumer: root', 'x-consumer: admin'), lacks('x-consumer')),
  passes('identity-consumer-underscore', 'engine', get('/x', 'X_Consumer: root'), lacks('x_consumer')),
  passes(
    'identity-in-trailer',
    'RFC 9110 §6.5.1 engine',
    post(['Transfer-Encoding: chunked'], '0\r\nX-Consumer: root\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n'),
    r => {
      assert.deepEqual(r.trailers, [])
    },
  ),
  passes('request-id-untrusted', 'engine', get('/x', 'X-Request-Id: 0190a5a0-0000-7000-8000-000000000000'), r => {
    assert.match(headerOf(r, 'x-request-id') ?? '', uuid)
    assert.notEqual(headerOf(r, 'x-request-id'), '0190a5a0-0000-7000-8000-000000000000')
  }),
  passes('request-id-absent', 'engine', get('/x'), r => assert.match(headerOf(r, 'x-request-id') ?? '', uuid)),
  passes(
    'traceparent-continued',
    'W3C Trace Context §3.2 engine',
    get('/x', `traceparent: ${parent}`, 'tracestate: a=1'),
    r => {
      const [version, trace, span, flags] = (headerOf(r, 'traceparent') ?? '').split('-')
      assert.deepEqual([version, trace, flags], ['00', '4bf92f3577b34da6a3ce929d0e0e4736', '01'])
      assert.notEqual(span, '00f067aa0ba902b7')
      assert.equal(headerOf(r, 'tracestate'), 'a=1')
    },
  ),
  ...[
    ['zero-trace', '00-00000000000000000000000000000000-00f067aa0ba902b7-01'],
    ['zero-span', '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01'],
    ['version-ff', 'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
    ['upper-case', '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01'],
    ['too-long', `${parent}-x`],
    ['junk', 'hello'],
  ].map(([name, value]) =>
    passes(`traceparent-${name}`, 'W3C Trace Context §3.2 engine', get('/x', `traceparent: ${value}`), r => {
      assert.match(headerOf(r, 'traceparent') ?? '', traceparent)
      assert.notEqual(headerOf(r, 'traceparent')?.split('-')[1]?.toLowerCase(), value?.split('-')[1]?.toLowerCase())
    }),
  ),
  passes(
    'traceparent-twice',
    'W3C Trace Context §3.2 engine',
    get('/x', `traceparent: ${parent}`, `traceparent: ${parent}`),
    r => {
      assert.equal(headersOf(r, 'traceparent').length, 1)
    },
  ),
]

export const identityCases: readonly RequestCase[] = [...identity]

const asTrusted = (id: string, send: string, check: (request: RequestMessage) => void) =>
  passes(`trusted-${id}`, 'engine', send, check)

/** For a gateway that trusts the client to be a proxy of its own. */
export const trustedCases: readonly RequestCase[] = [
  asTrusted('forwarded-for', get('/x', 'X-Forwarded-For: 1.2.3.4'), has('x-forwarded-for', '1.2.3.4, 127.0.0.1')),
  asTrusted('forwarded-host', get('/x', 'X-Forwarded-Host: b.test'), has('x-forwarded-host', 'b.test')),
  asTrusted('forwarded-proto', get('/x', 'X-Forwarded-Proto: https'), has('x-forwarded-proto', 'https')),
  asTrusted('consumer', get('/x', 'X-Consumer: root'), lacks('x-consumer')),
  asTrusted('request-id', get('/x', 'X-Request-Id: abc-12345'), has('x-request-id', 'abc-12345')),
  asTrusted('request-id-invalid', get('/x', `X-Request-Id: a b${'c'.repeat(400)}`), r =>
    assert.match(headerOf(r, 'x-request-id') ?? '', uuid),
  ),
]
