import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  headerOf,
  headersOf,
  type OriginConnection,
  ok,
  oneService,
  type Portico,
  type ResponseMessage,
  rawCall,
  rawClient,
  type ScriptedOrigin,
  scriptedOrigin,
  startPortico,
} from '../harness.ts'
import { get, head, post } from './case-table.ts'
import { responseCases as cases } from './cases/responses.ts'
import { dispatchOrigin, type Play } from './dispatch-origin.ts'
import { callCase, pathOf, playAnswer } from './judge-response.ts'

const surplus = Promise.withResolvers<void>()

const special: Record<string, Play> = {
  '/interim': (_, connection) =>
    connection.send(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${ok('final')}`),
  '/interim-continue': (_, connection) => connection.send(`HTTP/1.1 100 Continue\r\n\r\n${ok('final')}`),
  '/switching': (_, connection) =>
    connection.send('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
  '/surplus-later': async (_, connection) => {
    connection.send(ok('first'))
    await surplus.promise
    connection.send(ok('poisoned'))
  },
  '/interim-cut': (_, connection) => {
    connection.send('HTTP/1.1 103 Early Hints\r\n\r\n')
    connection.end()
  },
  '/byte-by-byte': (_, connection) =>
    connection.sendSlowly('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-A: 1\r\n\r\n', [1]),
  '/never': () => {},
}

let portico: Portico
let origin: ScriptedOrigin
before(async () => {
  const plays = Object.fromEntries(cases.map(entry => [pathOf(entry), playAnswer(entry)]))
  origin = await dispatchOrigin({ ...plays, ...special })
  portico = await startPortico({ config: oneService(origin.url, {}, { timeouts: { response: '1s', total: '2s' } }) })
})
after(async () => {
  await portico?.stop()
  await origin?.stop()
})

const seenOn = (target: string): OriginConnection => {
  const connection = origin.connections.findLast(c => c.requests.some(request => request.target === target))
  assert.ok(connection, `${target} did not reach the origin`)
  return connection
}

for (const entry of cases)
  test(`response ${entry.id} (${entry.section})`, async () => {
    const target = pathOf(entry)
    const { expect } = entry
    const response = await callCase(portico.gatewayPort, entry)
    assert.equal(response.status, expect.status)
    assert.equal(response.complete, expect.complete ?? true, 'complete')
    if (expect.body !== undefined) assert.equal(response.body.toString('latin1'), expect.body)
    expect.check?.(response)
    if (expect.status === 502) assert.equal(headerOf(response, 'content-type'), 'application/problem+json')
    const connection = seenOn(target)
    const opened = origin.connections.length
    if (!expect.reused) await connection.waitClose()
    for (const path of ['/next-1', '/next-2']) {
      const next = await rawCall(portico.gatewayPort, get(path))
      assert.equal(next.body.toString(), path, 'a later call got an answer that is not its own')
    }
    if (expect.reused) assert.equal(origin.connections.length, opened, 'the connection was not used again')
  })

test('interim responses are passed on in order to an HTTP/1.1 client', async () => {
  const client = await rawClient(portico.gatewayPort)
  client.send(get('/interim'))
  const statuses = [await client.readResponse(), await client.readResponse(), await client.readResponse()]
  assert.deepEqual(
    statuses.map(response => response.status),
    [103, 102, 200],
  )
  assert.equal(headerOf(statuses[0] as ResponseMessage, 'link'), '</a>')
  client.destroy()
})

test('interim responses are never sent to an HTTP/1.0 client (RFC 9110 §15.2)', async () => {
  const client = await rawClient(portico.gatewayPort)
  client.send(head('GET /interim HTTP/1.0'))
  assert.equal((await client.readResponse()).status, 200)
  client.destroy()
})

test('a 100 that nobody waited for does not disturb the final response', async () => {
  assert.equal((await rawCall(portico.gatewayPort, get('/interim-continue'))).body.toString(), 'final')
})

test('an interim response and then the end is 502', async () => {
  assert.equal((await rawCall(portico.gatewayPort, get('/interim-cut'))).status, 502)
})

test('101 without an Upgrade request is 502', async () => {
  const response = await rawCall(portico.gatewayPort, get('/switching'))
  assert.equal(response.status, 502)
  await seenOn('/switching').waitClose()
})

test('a response that arrives byte by byte is the same response', async () => {
  const response = await rawCall(portico.gatewayPort, get('/byte-by-byte'))
  assert.equal(response.body.toString(), 'ok')
  assert.deepEqual(headersOf({ headers: response.trailers }, 'x-a'), ['1'])
})

test('bytes on an idle connection to the origin close it and reach nobody', async () => {
  assert.equal((await rawCall(portico.gatewayPort, get('/surplus-later'))).body.toString(), 'first')
  const connection = seenOn('/surplus-later')
  surplus.resolve()
  await connection.waitClose()
  assert.equal((await rawCall(portico.gatewayPort, get('/next'))).body.toString(), '/next')
})

test('an origin that never answers is 504 and its connection is closed', async () => {
  const response = await rawCall(portico.gatewayPort, get('/never'))
  assert.equal(response.status, 504)
  assert.equal(JSON.parse(response.body.toString()).code, 'upstream-timeout')
  await seenOn('/never').waitClose()
})

test('no origin at the address is 502 without telling the address', async () => {
  const empty = await startPortico({ config: oneService('http://127.0.0.1:9') })
  try {
    const response = await rawCall(empty.gatewayPort, get('/x'))
    assert.equal(response.status, 502)
    assert.equal(JSON.parse(response.body.toString()).code, 'upstream-unreachable')
    assert.ok(!JSON.stringify([response.headers, response.body.toString()]).includes('127.0.0.1:9'))
  } finally {
    await empty.stop()
  }
})

test('an answer before the request body is complete reaches the client, also when the origin then closes', async () => {
  const scripts: Record<string, (connection: OriginConnection) => void> = {
    '/early-keep': connection => connection.send(`HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge`),
    '/early-end': connection => {
      connection.send(`HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nlarge`)
      connection.end()
    },
  }
  const early = await scriptedOrigin(async connection => {
    const text = await connection.readHead()
    scripts[text.split(' ')[1] as string]?.(connection)
  })
  await portico.reload(oneService(early.url))
  try {
    for (const target of Object.keys(scripts)) {
      const client = await rawClient(portico.gatewayPort)
      client.send(post(['Content-Length: 1000000'], 'x'.repeat(1000)).replace('/p', target))
      const response = await client.readFinalResponse()
      assert.deepEqual([response.status, response.body.toString()], [413, 'large'], target)
      await client.waitClose()
      client.destroy()
    }
  } finally {
    await portico.reload(oneService(origin.url))
    await early.stop()
  }
})
