import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { head } from '../conformance/case-table.ts'
import {
  eventually,
  headerOf,
  headersOf,
  type Portico,
  rawClient,
  type ScriptedOrigin,
  scriptedOrigin,
  startPortico,
  within,
} from '../harness.ts'

let portico: Portico
let server: Server
let raw: ScriptedOrigin
const sockets: WebSocket[] = []
before(async () => {
  server = createServer((_, response) => response.end('no socket here'))
  const webSockets = new WebSocketServer({
    server,
    handleProtocols: offered => [...offered][0] ?? false,
    maxPayload: 64 * 1024 * 1024,
    perMessageDeflate: true,
  })
  webSockets.on('connection', (socket: WebSocket, request: IncomingMessage) => {
    sockets.push(socket)
    if (request.url === '/ws/goodbye') socket.close(4002, 'from the server')
    if (request.url === '/ws/crash') socket.terminate()
    if (request.url === '/ws/ping') socket.on('pong', data => socket.send(`pong ${data}`)).ping('hello')
    socket.on('message', (data, binary) => socket.send(data, { binary }))
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  raw = await scriptedOrigin(async connection => {
    const request = await connection.readRequest(600_000)
    if (!request) return
    if (request.target === '/raw/refused') {
      connection.send('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno')
      return
    }
    if (request.target === '/raw/ignored') {
      connection.send('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok')
      return
    }
    const answered = request.target === '/raw/liar' ? 'another' : (headerOf(request, 'sec-websocket-key') ?? '')
    const accept = createHash('sha1').update(`${answered}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
    // The first frame travels in the same segment as the 101.
    connection.send(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n\x81\x05ready`,
    )
  })
  portico = await startPortico({
    config: {
      version: 1,
      settings: { timeouts: { idle: '1s', drain: '1s' } },
      services: [
        {
          name: 'ws',
          upstream: {
            targets: [{ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }],
            timeouts: { response: '1s', total: '2s' },
          },
          routes: [{ path: '/ws' }],
        },
        { name: 'raw', upstream: { targets: [{ url: raw.url }] }, routes: [{ path: '/raw' }] },
      ],
    },
  })
})
after(async () => {
  await portico?.stop()
  for (const socket of sockets) socket.terminate()
  server?.close()
  await raw?.stop()
})

const open = async (path: string, protocols: string[] = []): Promise<WebSocket> => {
  const socket = new WebSocket(`ws://127.0.0.1:${portico.gatewayPort}${path}`, protocols)
  await within(once(socket, 'open'), () => `a WebSocket on ${path}`)
  return socket
}

const message = (socket: WebSocket): Promise<Buffer> =>
  within(once(socket, 'message'), () => 'a message').then(([data]) => data as Buffer)

const closed = (socket: WebSocket): Promise<[number, string]> =>
  within(once(socket, 'close'), () => 'the socket to close').then(([code, reason]) => [code as number, String(reason)])

test('text and binary messages come back as they were', async () => {
  const socket = await open('/ws/echo')
  socket.send('grüße')
  assert.equal((await message(socket)).toString(), 'grüße')
  const bytes = randomBytes(1024 * 1024)
  socket.send(bytes)
  assert.ok((await message(socket)).equals(bytes))
  socket.send(Buffer.alloc(0))
  assert.equal((await message(socket)).length, 0)
  socket.close()
  await closed(socket)
})

test('20 MB of messages pass in order', async () => {
  const socket = await open('/ws/echo')
  const count = 200
  const payload = randomBytes(100_000)
  for (let i = 0; i < count; i++) {
    payload.writeUInt32BE(i)
    socket.send(Buffer.from(payload))
  }
  for await (const [data] of arrivals(socket, count)) assert.ok(data)
  socket.close()
  await closed(socket)
})

async function* arrivals(socket: WebSocket, count: number): AsyncGenerator<[Buffer, number]> {
  const queue: Buffer[] = []
  let wake = () => {}
  socket.on('message', (data: Buffer) => {
    queue.push(data)
    wake()
  })
  for (let i = 0; i < count; i++) {
    if (queue.length === 0)
      await within(
        new Promise<void>(resolve => {
          wake = resolve
        }),
        () => `message ${i}`,
      )
    const data = queue.shift() as Buffer
    assert.equal(data.readUInt32BE(), i)
    yield [data, i]
  }
}

test('close codes and reasons pass both ways', async () => {
  const leaving = await open('/ws/echo')
  const peer = sockets.at(-1) as WebSocket
  const seen = closed(peer)
  leaving.close(4001, 'from the client')
  assert.deepEqual(await seen, [4001, 'from the client'])
  const left = new WebSocket(`ws://127.0.0.1:${portico.gatewayPort}/ws/goodbye`)
  assert.deepEqual(await closed(left), [4002, 'from the server'])
})

test('pings and pongs pass', async () => {
  const socket = await open('/ws/ping')
  assert.equal((await message(socket)).toString(), 'pong hello')
  socket.terminate()
})

test('a side that crashes is seen by the other one', async () => {
  const left = new WebSocket(`ws://127.0.0.1:${portico.gatewayPort}/ws/crash`)
  left.on('error', () => {})
  assert.equal((await closed(left))[0], 1006)
  const leaving = await open('/ws/echo')
  const peer = sockets.at(-1) as WebSocket
  const seen = closed(peer)
  leaving.terminate()
  assert.equal((await seen)[0], 1006)
})

test('the subprotocol that the server chose reaches the client', async () => {
  const socket = await open('/ws/echo', ['first', 'second'])
  assert.equal(socket.protocol, 'first')
  socket.terminate()
})

test('a WebSocket is not cut by the times that hold for calls', async () => {
  const socket = await open('/ws/echo')
  // Longer than response, total and idle time of this gateway: the wait is what is tested.
  await new Promise(resolve => setTimeout(resolve, 2500))
  socket.send('still here')
  assert.equal((await message(socket)).toString(), 'still here')
  socket.terminate()
})

test('100 WebSockets at once', async () => {
  const all = await Promise.all(Array.from({ length: 100 }, () => open('/ws/echo')))
  await Promise.all(
    all.map(async (socket, i) => {
      socket.send(`number ${i}`)
      assert.equal((await message(socket)).toString(), `number ${i}`)
    }),
  )
  for (const socket of all) socket.terminate()
})

const key = 'dGhlIHNhbXBsZSBub25jZQ=='

const upgrade = (target: string, ...more: string[]): string =>
  head(`GET ${target} HTTP/1.1`, 'Connection: keep-alive, Upgrade', 'Upgrade: websocket', ...more)

const handshake = (target: string, after = ''): string =>
  upgrade(target, 'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${key}`) + after

/** A masked text frame whose key is zero, so that its payload can be read on the wire. */
const masked = (text: string): string => `\x81${String.fromCharCode(0x80 | text.length)}\0\0\0\0${text}`

test('bytes around the switch are not lost in either direction', async () => {
  const client = await rawClient(portico.gatewayPort)
  client.send(handshake('/raw/x', masked('early')))
  const response = await client.readResponse()
  assert.equal(response.status, 101)
  assert.equal(headerOf(response, 'upgrade')?.toLowerCase(), 'websocket')
  assert.match(headerOf(response, 'connection') ?? '', /upgrade/i)
  await client.readUntil('ready')
  const connection = raw.connections.at(-1)
  await connection?.readUntil('early')
  client.send(masked('more'))
  await connection?.readUntil('more')
  connection?.send('\x81\x13HTTP/1.1 200 OK\r\n\r\n')
  await client.readUntil('200 OK')
  client.end()
  await connection?.waitClose()
  client.destroy()
})

test('an upgrade that the origin refuses is an ordinary response', async () => {
  const client = await rawClient(portico.gatewayPort)
  client.send(handshake('/raw/refused'))
  const response = await client.readFinalResponse()
  assert.deepEqual([response.status, response.body.toString()], [403, 'no'])
  assert.deepEqual(headersOf(response, 'upgrade'), [])
  client.destroy()
})

test('an upgrade that the origin ignores is an ordinary response too', async () => {
  const client = await rawClient(portico.gatewayPort)
  client.send(handshake('/raw/ignored'))
  const response = await client.readFinalResponse()
  assert.deepEqual([response.status, response.body.toString()], [200, 'ok'])
  client.destroy()
})

for (const [what, more, status] of [
  ['without a version', [`Sec-WebSocket-Key: ${key}`], 426],
  ['of version 8', ['Sec-WebSocket-Version: 8', `Sec-WebSocket-Key: ${key}`], 426],
  ['without a key', ['Sec-WebSocket-Version: 13'], 400],
  ['with a key that is none', ['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: hello'], 400],
] as [string, string[], number][])
  test(`a handshake ${what} is ${status} and reaches nobody (RFC 6455 §4.2.1)`, async () => {
    const before = raw.requests.length
    const client = await rawClient(portico.gatewayPort)
    client.send(upgrade('/raw/x', ...more))
    const response = await client.readFinalResponse()
    assert.equal(response.status, status)
    if (status === 426) assert.equal(headerOf(response, 'sec-websocket-version'), '13')
    assert.equal(raw.requests.length, before)
    client.destroy()
  })

test('an origin that answers another key is 502 (RFC 6455 §4.1)', async () => {
  const client = await rawClient(portico.gatewayPort)
  client.send(handshake('/raw/liar'))
  assert.equal((await client.readFinalResponse()).status, 502)
  await raw.connections.at(-1)?.waitClose()
  client.destroy()
})

test('frames that break the protocol go no further: 1002 to both sides', async () => {
  const client = await rawClient(portico.gatewayPort)
  client.send(handshake('/raw/x'))
  await client.readUntil('ready')
  const connection = raw.connections.at(-1)
  client.send(`${masked('good')}\x81\x03bad`)
  await client.readUntil('invalid frame')
  await connection?.readUntil('good')
  client.end()
  const { rest } = (await connection?.waitClose()) ?? { rest: Buffer.alloc(0) }
  assert.ok(!rest.includes('bad'))
  assert.equal(rest[rest.length - 21], 0x88, 'a close frame comes last')
  client.destroy()
})

test('fragments and compressed messages pass', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${portico.gatewayPort}/ws/echo`, { perMessageDeflate: { threshold: 0 } })
  await within(once(socket, 'open'), () => 'a WebSocket')
  assert.match(socket.extensions, /permessage-deflate/)
  const long = 'again and again '.repeat(10_000)
  socket.send(long.slice(0, 1000), { fin: false })
  socket.send(long.slice(1000, 70_000), { fin: false })
  socket.ping('between fragments')
  socket.send(long.slice(70_000))
  assert.equal((await message(socket)).toString(), long)
  socket.close()
  await closed(socket)
})

test('a WebSocket is one call on record, with its bytes both ways', async () => {
  const socket = await open('/ws/echo?on=record')
  socket.send(randomBytes(100_000))
  await message(socket)
  socket.close(1000)
  await closed(socket)
  const call = await eventually(async () => {
    const { body } = await portico.console('/api/calls?limit=1')
    const [item] = (body as { items: Record<string, unknown>[] }).items
    return (item?.['bytesIn'] as number) > 100_000 ? (item as Record<string, unknown>) : null
  }, 'the record of the call')
  assert.deepEqual([call['status'], call['errorCode'], call['path']], [101, '', '/ws/echo'])
  assert.ok((call['bytesOut'] as number) > 100_000)
})
