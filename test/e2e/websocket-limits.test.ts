import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { eventually, type Portico, startPortico, within } from '../harness.ts'
import { closed, echo, message, openSocket, type SocketOrigin, socketOrigin } from './socket-origin.ts'

let origin: SocketOrigin
let portico: Portico

const config = (consumers: object[] = [{ name: 'alice', keys: [{ secret: 'k1' }] }], more: object[] = []) => ({
  version: 1,
  services: [
    {
      name: 'ws',
      upstream: { targets: [{ url: origin.url }] },
      routes: [
        { path: '/size', policies: { websocket: { maxMessage: '64kb' } } },
        { path: '/rate', policies: { websocket: { rate: { limit: 5, window: '1h' } } } },
        { path: '/idle', policies: { websocket: { idle: '400ms', ping: '150ms' } } },
        { path: '/ping', policies: { websocket: { ping: '200ms' } } },
        { path: '/keyed', policies: { 'key-auth': {} } },
        { path: '/open' },
        ...more,
      ],
    },
  ],
  consumers,
})

before(async () => {
  origin = await socketOrigin()
  portico = await startPortico({ config: config() })
})
after(async () => {
  origin?.stop()
  await portico?.stop()
})

const open = (path: string, headers: Record<string, string> = {}) =>
  openSocket(`ws://127.0.0.1:${portico.gatewayPort}${path}`, { headers, perMessageDeflate: false })

/** The newest WebSocket as the service sees it. */
const atService = () => {
  const socket = origin.sockets.at(-1)
  assert.ok(socket)
  return socket
}

const errorOf = (path: string) =>
  eventually(async () => {
    const { body } = await portico.console('/api/calls?limit=50')
    const { items } = body as { items: { path: string; errorCode: string; status: number }[] }
    return items.find(item => item.path === path && item.status === 101)?.errorCode ?? null
  }, `the record of ${path}`)

test('a message above the limit closes both sides with 1009, one below it passes', async () => {
  const socket = await open('/size')
  const service = atService()
  const back = message(socket)
  socket.send(randomBytes(64 * 1024))
  assert.equal((await back).length, 64 * 1024)
  const ends = [closed(socket), closed(service)]
  socket.send(randomBytes(64 * 1024 + 1))
  for (const end of ends) assert.deepEqual(await end, [1009, 'message too big'])
  assert.equal(await errorOf('/size'), 'body-too-large')
})

test('fragments count together, and the limit holds for the service too', async () => {
  const socket = await open('/size')
  const end = closed(socket)
  atService().send(randomBytes(50_000), { fin: false })
  atService().send(randomBytes(50_000))
  assert.equal((await end)[0], 1009)
})

test('more messages than the rate allows close both sides with 1008', async () => {
  const socket = await open('/rate')
  const service = atService()
  for (let i = 0; i < 5; i++) assert.equal(await echo(socket, `number ${i}`), `number ${i}`)
  const ends = [closed(socket), closed(service)]
  socket.send('one too many')
  for (const end of ends) assert.deepEqual(await end, [1008, 'too many messages'])
  assert.equal(await errorOf('/rate'), 'rate-limited')
})

test('the service may send as much as it likes', async () => {
  const socket = await open('/rate')
  let count = 0
  socket.on('message', () => count++)
  for (let i = 0; i < 50; i++) atService().send(`${i}`)
  await eventually(async () => (count === 50 ? true : null), '50 messages')
  socket.terminate()
})

test('a connection without messages is closed with 1001, whatever pings pass', async () => {
  const socket = await open('/idle')
  const ends = [closed(socket), closed(atService())]
  let pings = 0
  socket.on('ping', () => pings++)
  for (const end of ends) assert.deepEqual(await end, [1001, 'no messages'])
  assert.ok(pings >= 1, 'the gateway asked whether the client is there')
})

test('silent sides are asked, and their answers do not reach the other side', async () => {
  const socket = await open('/ping')
  const service = atService()
  let pongs = 0
  for (const side of [socket, service]) side.on('pong', () => pongs++)
  for (let i = 0; i < 2; i++) await Promise.all([socket, service].map(side => once(side, 'ping')))
  assert.equal(await echo(socket, 'still open'), 'still open')
  assert.equal(pongs, 0)
  socket.ping('mine')
  await within(once(socket, 'pong'), () => 'the answer to a ping of the client')
  socket.terminate()
})

test('a client that does not answer is given up: 1001 to the service', async () => {
  const socket = await openSocket(`ws://127.0.0.1:${portico.gatewayPort}/ping`, { autoPong: false })
  assert.deepEqual(await closed(atService()), [1001, 'the client is gone'])
  socket.terminate()
})

test('a service that does not answer is given up: 1011 to the client', async () => {
  const socket = await open('/ping')
  ;(atService() as unknown as { _autoPong: boolean })._autoPong = false
  assert.deepEqual(await closed(socket), [1011, 'the service does not answer'])
})

test('a key that is taken back closes its WebSockets with 1008, and no others', async () => {
  const both = [
    { name: 'alice', keys: [{ secret: 'k1' }] },
    { name: 'bob', keys: [{ secret: 'k2' }] },
  ]
  await portico.reload(config(both))
  const alice = await open('/keyed', { 'x-api-key': 'k1' })
  const aliceAtService = atService()
  const bob = await open('/keyed', { 'x-api-key': 'k2' })
  const anyone = await open('/open')
  await portico.reload(config(both, [{ path: '/new' }]))
  for (const socket of [alice, bob, anyone]) assert.equal(await echo(socket, 'after a reload'), 'after a reload')

  const ends = [closed(alice), closed(aliceAtService)]
  await portico.reload(config([{ name: 'alice', keys: [{ secret: 'another' }] }, both[1] as object]))
  for (const end of ends) assert.deepEqual(await end, [1008, 'no longer allowed'])
  for (const socket of [bob, anyone]) assert.equal(await echo(socket, 'goes on'), 'goes on')
  assert.equal(await errorOf('/keyed'), 'invalid-credentials')

  const end = closed(bob)
  await portico.reload(config([]))
  assert.equal((await end)[0], 1008)
  assert.equal(await echo(anyone, 'not asked for a key'), 'not asked for a key')
  anyone.terminate()
})

test('a key that moves to another consumer is no longer the same caller', async () => {
  await portico.reload(config())
  const socket = await open('/keyed', { 'x-api-key': 'k1' })
  const end = closed(socket)
  await portico.reload(config([{ name: 'mallory', keys: [{ secret: 'k1' }] }]))
  assert.equal((await end)[0], 1008)
})

test('a goodbye in the middle of a large message comes after it, not into it', async () => {
  await portico.reload(config())
  const socket = await open('/keyed', { 'x-api-key': 'k1' })
  const service = atService()
  const large = randomBytes(20 * 1024 * 1024)
  const got: Buffer[] = []
  service.removeAllListeners('message')
  service.on('message', data => got.push(data as Buffer))
  const end = closed(service)
  // The service is slow, so most of the message still waits when the key is taken back.
  service.pause()
  socket.send(large)
  await portico.reload(config([]))
  service.resume()
  assert.equal((await end)[0], 1008)
  assert.ok(got.length === 1 && (got[0] as Buffer).equals(large))
})
