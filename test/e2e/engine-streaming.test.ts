import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { get, head, post } from '../conformance/case-table.ts'
import {
  eventually,
  type OriginConnection,
  type Portico,
  rawClient,
  type ScriptedOrigin,
  scriptedOrigin,
  startPortico,
  within,
} from '../harness.ts'
import { type BulkOrigin, bulkCall, bulkHash, bulkOrigin, writeBulk } from './bulk.ts'

const mega = 1024 * 1024

let portico: Portico
let bulk: BulkOrigin
let scripted: ScriptedOrigin

/** What the scripted origin does when the head of a request is there; then the test has the connection. */
const starts: Record<string, (connection: OriginConnection) => void> = {
  '/s/silent': () => {},
  '/s/stuck': connection => connection.socket.pause(),
  '/s/events': connection => connection.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n'),
  '/s/half': connection => connection.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'),
}

/** The newest connection on which the origin has the head of a request for `target`. */
const arrived = (target: string): Promise<OriginConnection> =>
  eventually(
    async () => scripted.connections.findLast(c => c.received.includes(` ${target} `)) ?? null,
    `${target} at the origin`,
  )

before(async () => {
  bulk = await bulkOrigin()
  scripted = await scriptedOrigin(async connection => {
    const text = await connection.readHead(600_000).catch(() => '')
    starts[text.split(' ')[1] as string]?.(connection)
  })
  portico = await startPortico({
    config: {
      version: 1,
      services: [
        { name: 'bulk', upstream: { targets: [{ url: bulk.url }] }, routes: [{ path: '/' }] },
        { name: 'scripted', upstream: { targets: [{ url: scripted.url }] }, routes: [{ path: '/s' }] },
      ],
    },
  })
})
after(async () => {
  await portico?.stop()
  await bulk?.stop()
  await scripted?.stop()
})

for (const [name, path] of [
  ['with a length', `/down/${100 * mega}`],
  ['chunked', `/down/${100 * mega}?chunked`],
] as const)
  test(`100 MB down ${name} arrive byte for byte`, async () => {
    const answer = await bulkCall(portico.gatewayPort, path)
    assert.equal(answer.status, 200)
    assert.equal(answer.count, 100 * mega)
    assert.equal(answer.hash, bulkHash(100 * mega))
  })

for (const length of [true, false])
  test(`100 MB up ${length ? 'with a length' : 'chunked'} arrive byte for byte`, async () => {
    const answer = await bulkCall(portico.gatewayPort, '/up', { method: 'PUT', upload: 100 * mega, length })
    assert.deepEqual(JSON.parse(answer.text), { count: 100 * mega, hash: bulkHash(100 * mega) })
  })

test('a body flows both ways at the same time', async () => {
  const answer = await bulkCall(portico.gatewayPort, '/echo', { method: 'PUT', upload: 20 * mega })
  assert.equal(answer.count, 20 * mega)
  assert.equal(answer.hash, bulkHash(20 * mega))
})

/** The value of `read` once it has not moved for ten looks. */
const settled = (read: () => number): Promise<number> => {
  let last = -1
  let still = 0
  return eventually(async () => {
    const now = read()
    still = now === last && now > 0 ? still + 1 : 0
    last = now
    return still >= 10 ? now : null
  }, 'a transfer to come to a stop')
}

test('a client that does not read stops the origin; when it reads again it gets everything', async t => {
  const size = 300 * mega
  bulk.forget()
  const socket = connect(portico.gatewayPort, '127.0.0.1')
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  socket.pause()
  socket.write(get(`/down/${size}`, 'Connection: close'))
  const stopped = await settled(() => bulk.sent())
  assert.ok(stopped < 64 * mega, `the origin could send ${stopped} bytes although nobody read`)
  const hash = createHash('sha256')
  let count = 0
  let inBody = false
  socket.on('data', (chunk: Buffer) => {
    let body = chunk
    if (!inBody) {
      inBody = true
      body = chunk.subarray(chunk.indexOf('\r\n\r\n') + 4)
    }
    count += body.length
    hash.update(body)
  })
  socket.resume()
  await within(once(socket, 'close'), () => `the end; ${count} of ${size} bytes are here`, 20_000)
  assert.equal(count, size)
  assert.equal(hash.digest('hex'), bulkHash(size))
})

test('an origin that does not read stops the client', async t => {
  const socket = connect(portico.gatewayPort, '127.0.0.1')
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  socket.on('error', () => {})
  socket.write(head('PUT /s/stuck HTTP/1.1', `Content-Length: ${300 * mega}`))
  let sent = 0
  const writing = writeBulk(socket, 300 * mega, total => {
    sent = total
  })
  const stopped = await settled(() => sent)
  assert.ok(stopped < 64 * mega, `the client could send ${stopped} bytes although nobody read`)
  socket.destroy()
  await writing
  for (const connection of scripted.connections) connection.socket.resume()
})

test('each event of a stream arrives before the next one is sent', async () => {
  const client = await rawClient(portico.gatewayPort)
  client.send(get('/s/events'))
  const connection = await arrived('/s/events')
  await client.readUntil('\r\n\r\n')
  for (const name of ['one', 'two', 'three']) {
    connection.send(`data: ${name}\n\n`)
    await client.readUntil(`data: ${name}\n\n`)
  }
  client.destroy()
  await connection.waitClose()
})

test('each piece of a request body arrives before the next one is sent', async () => {
  const client = await rawClient(portico.gatewayPort)
  client.send(head('POST /s/silent HTTP/1.1', 'Transfer-Encoding: chunked'))
  const connection = await arrived('/s/silent')
  for (const piece of ['one', 'two', 'three']) {
    client.send(`${piece.length.toString(16)}\r\n${piece}\r\n`)
    await connection.readUntil(piece)
  }
  client.destroy()
  await connection.waitClose()
})

const leaves: readonly (readonly [when: string, target: string, send: string])[] = [
  ['before the response', '/s/silent', get('/s/silent')],
  ['in the middle of the response', '/s/half', get('/s/half')],
  ['in the middle of its body', '/s/silent', `${head('POST /s/silent HTTP/1.1', 'Content-Length: 100')}hello`],
  ['in the middle of a chunk', '/s/silent', `${head('POST /s/silent HTTP/1.1', 'Transfer-Encoding: chunked')}5\r\nhe`],
]

for (const [when, target, send] of leaves)
  for (const how of ['end', 'reset'] as const)
    test(`a client that leaves ${when} (${how}) frees the connection to the origin at once`, async () => {
      const before = scripted.connections.length
      const client = await rawClient(portico.gatewayPort)
      client.send(send)
      const connection = await scripted.connection(before)
      await connection.readHead()
      if (target === '/s/half') await client.readUntil('hello')
      if (how === 'end') client.destroy()
      else client.reset()
      await connection.waitClose()
    })

test('a stream of single bytes is a request like any other', async () => {
  const client = await rawClient(portico.gatewayPort)
  await client.sendSlowly(
    post(['Transfer-Encoding: chunked'], '5\r\nhello\r\n6\r\n world\r\n0\r\nX-A: 1\r\n\r\n').replace('/p', '/up'),
    [1],
  )
  const answer = JSON.parse((await client.readFinalResponse()).body.toString())
  assert.equal(answer.count, 11)
  assert.equal(answer.hash, createHash('sha256').update('hello world').digest('hex'))
  client.destroy()
})

test('1,000 requests sent without waiting are answered in order', async () => {
  const client = await rawClient(portico.gatewayPort)
  const count = 1000
  client.send(Array.from({ length: count }, (_, i) => get(`/down/${i}`)).join(''))
  for (let i = 0; i < count; i++) assert.equal((await client.readFinalResponse()).body.length, i)
  client.destroy()
})

test('500 connections at once, four calls on each', async () => {
  const clients = await Promise.all(Array.from({ length: 500 }, () => rawClient(portico.gatewayPort)))
  for (let round = 0; round < 4; round++) {
    for (const [i, client] of clients.entries()) client.send(get(`/down/${i}`))
    for (const [i, client] of clients.entries()) assert.equal((await client.readFinalResponse()).body.length, i)
  }
  for (const client of clients) client.destroy()
})

test('an HTTP/1.0 client can see that a body without a length was cut', async () => {
  const before = scripted.connections.length
  const client = await rawClient(portico.gatewayPort)
  client.send(head('GET /s/events HTTP/1.0'))
  const connection = await scripted.connection(before)
  await client.readUntil('\r\n\r\n')
  connection.send('data: one\n\n')
  await client.readUntil('data: one\n\n')
  connection.reset()
  assert.equal((await client.waitClose()).ending, 'reset', 'an orderly end would be the end of the body')
  client.destroy()
})
