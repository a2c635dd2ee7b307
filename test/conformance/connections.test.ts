import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  headerOf,
  headersOf,
  oneService,
  type Portico,
  rawClient,
  type ScriptedOrigin,
  startPortico,
} from '../harness.ts'
import { get, head, post, runTable } from './case-table.ts'
import { connectionCases } from './cases/connections.ts'
import { dispatchOrigin, type Play } from './dispatch-origin.ts'

const plays: Record<string, Play> = {
  '/head': (_, connection) => connection.send('HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n'),
  '/no-content': (_, connection) => connection.send('HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n'),
  '/not-modified': (_, connection) => connection.send('HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n'),
  '/chunked': (_, connection) =>
    connection.send(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 9\r\n\r\n',
    ),
}

let portico: Portico
let origin: ScriptedOrigin
before(async () => {
  origin = await dispatchOrigin(plays)
  portico = await startPortico({ config: oneService(origin.url) })
})
after(async () => {
  await portico?.stop()
  await origin?.stop()
})

runTable(
  connectionCases,
  () => portico.gatewayPort,
  () => origin,
)

test('an HTTP/1.0 client gets a chunked response without chunked coding, ended by close', async () => {
  const client = await rawClient(portico.gatewayPort)
  client.send(head('GET /chunked HTTP/1.0', 'Connection: keep-alive'))
  const response = await client.readFinalResponse()
  assert.deepEqual(headersOf(response, 'transfer-encoding'), [])
  assert.equal(response.framing, 'close')
  assert.equal(response.body.toString(), 'hello')
  client.destroy()
})

test('a response to HEAD has the length but no body, and the connection stays in step', async () => {
  const client = await rawClient(portico.gatewayPort)
  client.send(head('HEAD /head HTTP/1.1') + get('/after'))
  const response = await client.readFinalResponse({ method: 'HEAD' })
  assert.equal(headerOf(response, 'content-length'), '1234')
  assert.equal((await client.readFinalResponse()).body.toString(), '/after')
  client.destroy()
})

test('100 Continue comes before the body is sent', async () => {
  const client = await rawClient(portico.gatewayPort)
  client.send(post(['Content-Length: 5', 'Expect: 100-continue'], ''))
  assert.equal((await client.readResponse()).status, 100)
  client.send('hello')
  const response = await client.readResponse()
  assert.equal(response.status, 200)
  client.destroy()
})

test('a refused request gets its answer whole although more of its body is on the way', async () => {
  const client = await rawClient(portico.gatewayPort)
  client.send(`${post(['Content-Length: 1', 'Content-Length: 2'], '')}${'x'.repeat(1_000_000)}`)
  assert.equal((await client.readFinalResponse()).status, 400)
  client.send('x'.repeat(1_000_000))
  assert.equal((await client.waitClose()).ending, 'end', 'the gateway closes in stages (RFC 9112 §9.6)')
  client.destroy()
})

for (const [target, status] of [
  ['/no-content', 204],
  ['/not-modified', 304],
] as const)
  test(`a ${status} has no body and no framing of one, and the connection stays in step`, async () => {
    const client = await rawClient(portico.gatewayPort)
    client.send(get(target) + get('/after'))
    const response = await client.readFinalResponse()
    assert.equal(response.status, status)
    assert.deepEqual(headersOf(response, 'transfer-encoding'), [])
    assert.equal((await client.readFinalResponse()).body.toString(), '/after')
    client.destroy()
  })
