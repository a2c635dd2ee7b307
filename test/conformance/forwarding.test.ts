import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  headerOf,
  headersOf,
  ok,
  oneService,
  type Portico,
  type RequestMessage,
  rawCall,
  type ScriptedOrigin,
  startPortico,
} from '../harness.ts'
import { get, head, passes, post, type RequestCase, runTable } from './case-table.ts'
import { dispatchOrigin, type Play } from './dispatch-origin.ts'

const plays: Record<string, Play> = {
  '/hop': (_, connection) =>
    connection.send(
      ok(
        'hop',
        'Connection: x-hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nX-End: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n',
      ),
    ),
  '/own-request-id': (_, connection) => connection.send(ok('id', 'X-Request-Id: from-origin\r\n')),
  '/chunked': (_, connection) =>
    connection.send(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 9\r\n\r\n',
    ),
}

let portico: Portico
let trusting: Portico
let origin: ScriptedOrigin
before(async () => {
  origin = await dispatchOrigin(plays)
  portico = await startPortico({ config: oneService(origin.url) })
  trusting = await startPortico({ config: oneService(origin.url, {}, {}, { trustedProxies: ['127.0.0.0/8'] }) })
})
after(async () => {
  await portico?.stop()
  await trusting?.stop()
  await origin?.stop()
})

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

const hopByHop: RequestCase[] = [
  passes('hop-listed', 'RFC 9110 §7.6.1', get('/x', 'Connection: x-a, X-B', 'X-A: 1', 'x-b: 2', 'X-C: 3'), r => {
    lacks('x-a', 'x-b')(r)
    has('x-c', '3')(r)
  }),
  passes(
    'hop-listed-on-two-lines',
    'RFC 9110 §7.6.1',
    get('/x', 'Connection: x-a', 'X-A: 1', 'Connection: x-b', 'X-B: 2'),
    lacks('x-a', 'x-b'),
  ),
  passes('hop-listed-odd-commas', 'RFC 9110 §5.6.1', get('/x', 'Connection: ,, x-a ,\t,', 'X-A: 1'), lacks('x-a')),
  passes(
    'hop-known',
    'RFC 9110 §7.6.1',
    get('/x', 'Keep-Alive: timeout=5', 'Proxy-Connection: keep-alive', 'TE: gzip', 'Upgrade: x'),
    lacks('keep-alive', 'proxy-connection', 'te', 'upgrade'),
  ),
  passes('hop-keep-alive', 'RFC 9112 §9.3', get('/x', 'Connection: keep-alive'), r => {
    assert.ok(!headersOf(r, 'connection').join().includes('close'))
  }),
  passes('hop-lists-host', 'RFC 9110 §7.6.1', get('/x', 'Connection: host'), r => assert.ok(headerOf(r, 'host'))),
  passes(
    'hop-cannot-remove-forwarded-for',
    'RFC 9110 §7.6.1',
    get('/x', 'Connection: x-forwarded-for, x-request-id, traceparent'),
    r => {
      has('x-forwarded-for', '127.0.0.1')(r)
      assert.match(headerOf(r, 'x-request-id') ?? '', uuid)
      assert.match(headerOf(r, 'traceparent') ?? '', traceparent)
    },
  ),
]

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
  passes('identity-forwarded', 'RFC 7239', get('/x', 'Forwarded: for=1.2.3.4;proto=https'), lacks('forwarded')),
  passes('identity-real-ip', 'engine', get('/x', 'X-Real-IP: 1.2.3.4'), r =>
    assert.ok(!headersOf(r, 'x-real-ip').includes('1.2.3.4')),
  ),
  passes('identity-consumer', 'engine', get('/x', 'X-Consumer: root', 'x-consumer: admin'), lacks('x-consumer')),
  passes('identity-consumer-underscore', 'engine', get('/x', 'X_Consumer: root'), lacks('x_consumer')),
  passes(
    'identity-in-trailer',
    'RFC 9110 §6.5.1',
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
    'W3C Trace Context §3.2',
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
    passes(`traceparent-${name}`, 'W3C Trace Context §3.2', get('/x', `traceparent: ${value}`), r => {
      assert.match(headerOf(r, 'traceparent') ?? '', traceparent)
      assert.notEqual(headerOf(r, 'traceparent')?.split('-')[1]?.toLowerCase(), value?.split('-')[1]?.toLowerCase())
    }),
  ),
  passes(
    'traceparent-twice',
    'W3C Trace Context §3.2',
    get('/x', `traceparent: ${parent}`, `traceparent: ${parent}`),
    r => {
      assert.equal(headersOf(r, 'traceparent').length, 1)
    },
  ),
]

const bodies: RequestCase[] = [
  passes('body-in-get', 'RFC 9110 §9.3.1', `${get('/x', 'Content-Length: 5')}hello`, r =>
    assert.equal(r.body.toString(), 'hello'),
  ),
  passes('body-in-delete', 'RFC 9110 §9.3.5', `${head('DELETE /x HTTP/1.1', 'Content-Length: 5')}hello`, r =>
    assert.equal(r.body.toString(), 'hello'),
  ),
  passes(
    'body-chunked-in-get',
    'RFC 9112 §6.3',
    `${get('/x', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
    r => assert.equal(r.body.toString(), 'hello'),
  ),
  passes('body-unknown-method', 'RFC 9112 §6', `${head('BREW /x HTTP/1.1', 'Content-Length: 5')}hello`, r =>
    assert.equal(r.body.toString(), 'hello'),
  ),
  passes(
    'body-that-looks-like-a-request',
    'RFC 9112 §6.3',
    post([`Content-Length: ${get('/y').length}`], get('/y')),
    r => assert.equal(r.body.toString(), get('/y')),
  ),
  passes('options-asterisk', 'RFC 9110 §9.3.7', head('OPTIONS * HTTP/1.1'), r => assert.equal(r.target, '*')),
  passes(
    'content-headers-untouched',
    'RFC 9110 §8',
    post(['Content-Length: 2', 'Content-Encoding: gzip', 'Content-Type: a/b; c="d"'], 'zz'),
    r => {
      has('content-encoding', 'gzip')(r)
      has('content-type', 'a/b; c="d"')(r)
    },
  ),
]

runTable(
  [...hopByHop, ...identity, ...bodies],
  () => portico.gatewayPort,
  () => origin,
)

const asTrusted = (id: string, send: string, check: (request: RequestMessage) => void) =>
  passes(`trusted-${id}`, 'engine', send, check)

runTable(
  [
    asTrusted('forwarded-for', get('/x', 'X-Forwarded-For: 1.2.3.4'), has('x-forwarded-for', '1.2.3.4, 127.0.0.1')),
    asTrusted('forwarded-host', get('/x', 'X-Forwarded-Host: b.test'), has('x-forwarded-host', 'b.test')),
    asTrusted('forwarded-proto', get('/x', 'X-Forwarded-Proto: https'), has('x-forwarded-proto', 'https')),
    asTrusted('consumer', get('/x', 'X-Consumer: root'), lacks('x-consumer')),
    asTrusted('request-id', get('/x', 'X-Request-Id: abc-12345'), has('x-request-id', 'abc-12345')),
    asTrusted('request-id-invalid', get('/x', `X-Request-Id: a b${'c'.repeat(400)}`), r =>
      assert.match(headerOf(r, 'x-request-id') ?? '', uuid),
    ),
  ],
  () => trusting.gatewayPort,
  () => origin,
)

test('Host is that of the target, and that of the client with preserveHost', async () => {
  origin.forget()
  await rawCall(portico.gatewayPort, get('/host'))
  assert.equal(headerOf(origin.requests[0] as RequestMessage, 'host'), `127.0.0.1:${origin.port}`)
  const preserving = await startPortico({ config: oneService(origin.url, {}, { preserveHost: true }) })
  try {
    origin.forget()
    await rawCall(preserving.gatewayPort, get('/host'))
    assert.equal(headerOf(origin.requests[0] as RequestMessage, 'host'), 'a.test')
  } finally {
    await preserving.stop()
  }
})

test('hop-by-hop fields of a response stop here, repeated fields keep their order', async () => {
  const response = await rawCall(portico.gatewayPort, get('/hop'))
  for (const name of ['x-hop', 'keep-alive', 'proxy-connection']) assert.deepEqual(headersOf(response, name), [], name)
  assert.equal(headerOf(response, 'x-end'), '2')
  assert.deepEqual(headersOf(response, 'set-cookie'), ['a=1', 'b=2'])
})

test('every response carries one x-request-id, also when the origin sets its own', async () => {
  origin.forget()
  const response = await rawCall(portico.gatewayPort, get('/own-request-id'))
  assert.equal(headerOf(response, 'x-request-id'), headerOf(origin.requests[0] as RequestMessage, 'x-request-id'))
})

test('trailers of a response reach an HTTP/1.1 client', async () => {
  const response = await rawCall(portico.gatewayPort, get('/chunked', 'TE: trailers'))
  assert.equal(response.framing, 'chunked')
  assert.equal(response.body.toString(), 'hello')
  assert.deepEqual(headersOf({ headers: response.trailers }, 'x-sum'), ['9'])
})

test('an error of the gateway is problem+json with the code and the request id', async () => {
  const response = await rawCall(portico.gatewayPort, get('/x', 'Expect: nonsense'))
  assert.equal(response.status, 417)
  assert.equal(headerOf(response, 'content-type'), 'application/problem+json')
  const problem = JSON.parse(response.body.toString())
  assert.equal(problem.code, 'expectation-failed')
  assert.equal(problem.status, 417)
  assert.equal(problem.requestId, headerOf(response, 'x-request-id'))
})
