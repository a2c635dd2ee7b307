import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2'
import { after, before, test } from 'node:test'
import { WebSocket } from 'ws'
import { type Portico, startPortico, within } from '../harness.ts'
import { type SocketOrigin, socketOrigin } from './socket-origin.ts'

let origin: SocketOrigin
let portico: Portico
let session: ClientHttp2Session

const config = (consumers: object[] = [{ name: 'alice', keys: [{ secret: 'k1' }] }]) => ({
  version: 1,
  settings: { timeouts: { drain: '5s' } },
  services: [
    {
      name: 'ws',
      upstream: { targets: [{ url: origin.url }] },
      routes: [{ path: '/ws' }, { path: '/keyed', policies: { 'key-auth': {}, websocket: { maxMessage: '1kb' } } }],
    },
  ],
  consumers,
})

before(async () => {
  origin = await socketOrigin()
  portico = await startPortico({ config: config() })
  session = connect(`http://127.0.0.1:${portico.gatewayPort}`)
  session.on('error', () => {})
  if (session.remoteSettings.enableConnectProtocol !== true) await once(session, 'remoteSettings')
})
after(async () => {
  session?.destroy()
  await portico?.stop()
  origin?.stop()
})

type Opened = { stream: ClientHttp2Stream; headers: Record<string, unknown> }

/** An extended CONNECT (RFC 8441 §4). */
const open = async (path: string, fields: Record<string, string> = {}): Promise<Opened> => {
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'http',
    ':authority': 'a.test',
    ':path': path,
    'sec-websocket-version': '13',
    ...fields,
  })
  stream.on('error', () => {})
  const [headers] = (await within(once(stream, 'response'), () => 'the answer to CONNECT')) as [Record<string, unknown>]
  return { stream, headers }
}

/** The `ws` library on a stream that is open already; it has no public way in. */
const socketOn = (stream: ClientHttp2Stream): WebSocket => {
  const socket = new WebSocket(null as never, undefined as never, {} as never)
  Object.assign(stream, { setNoDelay: () => {}, setKeepAlive: () => {} })
  ;(socket as unknown as { _isServer: boolean })._isServer = false
  ;(socket as unknown as { setSocket(...parts: unknown[]): void }).setSocket(stream, Buffer.alloc(0), {
    allowSynchronousEvents: true,
    maxPayload: 0,
    skipUTF8Validation: false,
  })
  socket.on('error', () => {})
  return socket
}

test('a WebSocket over HTTP/2 reaches a service that speaks HTTP/1.1 (RFC 8441 §5)', async () => {
  const { stream, headers } = await open('/ws')
  assert.equal(headers[':status'], 200)
  assert.equal(headers['sec-websocket-accept'], undefined)
  const socket = socketOn(stream)
  for (const payload of [Buffer.from('hello'), randomBytes(300_000)]) {
    const answer = once(socket, 'message')
    socket.send(payload)
    const [data] = await within(answer, () => 'the echo')
    assert.ok((data as Buffer).equals(payload))
  }
  const left = within(once(origin.sockets.at(-1) as WebSocket, 'close'), () => 'the close at the service')
  socket.close(4001, 'bye')
  const [code, reason] = await left
  assert.deepEqual([code, String(reason)], [4001, 'bye'])
})

test('limits, revocation and many streams of one connection', async () => {
  const keyed = await open('/keyed', { 'x-api-key': 'k1' })
  assert.equal(keyed.headers[':status'], 200)
  const limited = socketOn((await open('/keyed', { 'x-api-key': 'k1' })).stream)
  const plain = socketOn((await open('/ws')).stream)
  const tooLarge = within(once(limited, 'close'), () => 'the close after a large message')
  limited.send(randomBytes(2000))
  assert.equal((await tooLarge)[0], 1009)
  const revoked = within(once(socketOn(keyed.stream), 'close'), () => 'the close after the key went')
  await portico.reload(config([]))
  assert.equal((await revoked)[0], 1008)
  const answer = once(plain, 'message')
  plain.send('still here')
  assert.equal(String((await within(answer, () => 'the echo'))[0]), 'still here')
  plain.close()
})

test('a handshake that is refused is an ordinary answer', async () => {
  assert.equal((await open('/keyed')).headers[':status'], 401)
  assert.equal((await open('/ws', { 'sec-websocket-version': '8' })).headers[':status'], 426)
})

test('SIGTERM: 1001 over HTTP/2, then the process ends', async () => {
  const socket = socketOn((await open('/ws')).stream)
  const end = within(once(socket, 'close'), () => 'the close')
  portico.signal('SIGTERM')
  const [code, reason] = await end
  assert.deepEqual([code, String(reason)], [1001, 'the gateway is shutting down'])
  assert.equal((await within(portico.exited, () => 'the end of the process', 10_000)).code, 0)
})
