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
import { get, runTable } from './case-table.ts'
import { forwardingCases } from './cases/forwarding.ts'
import { identityCases, trustedCases } from './cases/identity.ts'
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

runTable(
  [...forwardingCases, ...identityCases],
  () => portico.gatewayPort,
  () => origin,
)

runTable(
  trustedCases,
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
