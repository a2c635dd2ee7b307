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
import { get, head, passes, post, type RequestCase, runTable } from './case-table.ts'
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

const lacks =
  (...names: string[]) =>
  (request: RequestMessage) => {
    for (const name of names) assert.deepEqual(headersOf(request, name), [], `${name} was forwarded`)
  }

const connections: RequestCase[] = [
  {
    ...passes('close-asked', 'RFC 9112 §9.6', get('/x', 'Connection: close')),
    expect: { status: 200, closes: true, origin: () => {} },
  },
  {
    ...passes('close-asked-in-list', 'RFC 9112 §9.6', get('/x', 'Connection: x-a, Close')),
    expect: { status: 200, closes: true, origin: () => {} },
  },
  {
    id: 'close-beats-keep-alive',
    section: 'RFC 9112 §9.3',
    send: get('/x', 'Connection: keep-alive, close') + get('/never'),
    expect: { status: 200, closes: true, origin: seen => assert.equal(seen.length, 1) },
  },
  {
    id: '1.0-closes',
    section: 'RFC 9112 §9.3',
    send: head('GET /x HTTP/1.0') + get('/never'),
    expect: { status: 200, closes: true, origin: seen => assert.equal(seen.length, 1) },
  },
  {
    id: '1.0-without-host',
    section: 'RFC 9112 §3.2',
    send: 'GET /x HTTP/1.0\r\n\r\n',
    expect: { status: 200, closes: true, origin: seen => assert.equal(seen.length, 1) },
  },
  passes('1.0-keep-alive', 'RFC 9112 §9.3', head('GET /x HTTP/1.0', 'Connection: keep-alive')),
  passes(
    '1.0-body',
    'RFC 9112 §6.3',
    `${head('POST /p HTTP/1.0', 'Connection: keep-alive', 'Content-Length: 5')}hello`,
    r => assert.equal(r.body.toString(), 'hello'),
  ),
  {
    id: 'pipeline-three',
    section: 'RFC 9112 §9.3.2',
    send: get('/one') + get('/two') + get('/three'),
    expect: {
      status: [200, 200, 200],
      closes: false,
      origin: seen => assert.deepEqual(seen.map(r => r.target).sort(), ['/one', '/three', '/two']),
    },
  },
  {
    id: 'pipeline-after-body',
    section: 'RFC 9112 §9.3.2',
    send:
      post(['Content-Length: 5'], 'hello') +
      post(['Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\n\r\n') +
      get('/three'),
    expect: {
      status: [200, 200, 200],
      closes: false,
      origin: seen =>
        assert.deepEqual(
          seen.map(r => r.body.toString()),
          ['hello', 'hello', ''],
        ),
    },
  },
  {
    id: 'pipeline-empty-line-between',
    section: 'RFC 9112 §2.2',
    send: `${post(['Content-Length: 5'], 'hello')}\r\n${get('/two')}`,
    expect: { status: [200, 200], closes: false, origin: seen => assert.equal(seen.length, 2) },
  },
  {
    id: 'pipeline-then-junk',
    section: 'RFC 9112 §2.2',
    send: `${get('/one')}JUNK\r\n\r\n${get('/never')}`,
    expect: {
      status: [200, 400],
      closes: true,
      origin: seen =>
        assert.deepEqual(
          seen.map(r => r.target),
          ['/one'],
        ),
    },
  },
  {
    id: 'pipeline-body-too-long',
    section: 'RFC 9112 §6.3',
    send: post(['Content-Length: 4'], 'hello') + get('/never'),
    expect: {
      // The fifth byte starts the next request line: `oGET /never HTTP/1.1` is a valid one of an unknown method.
      status: [200, 200],
      closes: false,
      origin: seen =>
        assert.deepEqual(
          seen.map(r => r.method),
          ['POST', 'oGET'],
        ),
    },
  },
  {
    id: 'expect-unknown',
    section: 'RFC 9110 §10.1.1',
    send: head('GET /x HTTP/1.1', 'Expect: 200-ok', 'Connection: close'),
    expect: { status: 417, closes: true, origin: 'nothing' },
  },
  {
    id: 'expect-in-1.0-is-ignored',
    section: 'RFC 9110 §10.1.1',
    send: `${head('POST /x HTTP/1.0', 'Expect: 100-continue', 'Content-Length: 5')}hello`,
    expect: { status: 200, closes: true, origin: seen => assert.equal(seen[0]?.body.toString(), 'hello') },
  },
  passes('expect-without-body', 'RFC 9110 §10.1.1', get('/x', 'Expect: 100-continue')),
  passes('expect-case', 'RFC 9110 §10.1.1', `${post(['Expect: 100-Continue', 'Content-Length: 5'], '')}hello`, r =>
    assert.equal(r.body.toString(), 'hello'),
  ),
  passes('upgrade-not-listed', 'RFC 9110 §7.8', get('/x', 'Upgrade: websocket'), lacks('upgrade')),
  passes(
    'upgrade-h2c',
    'engine',
    get('/x', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA'),
    r => {
      lacks('upgrade', 'http2-settings')(r)
    },
  ),
  passes('upgrade-h2c-in-list', 'engine', get('/x', 'Connection: Upgrade', 'Upgrade: websocket, h2c'), r =>
    assert.ok(!headersOf(r, 'upgrade').join().includes('h2c')),
  ),
  {
    id: 'upgrade-in-1.0',
    section: 'RFC 9110 §7.8',
    send: head('GET /x HTTP/1.0', 'Connection: upgrade', 'Upgrade: websocket'),
    expect: { status: 200, closes: true, origin: seen => lacks('upgrade')(seen[0] as RequestMessage) },
  },
]

runTable(
  connections,
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
