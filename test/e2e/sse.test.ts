import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { head } from '../conformance/case-table.ts'
import { eventually, type Portico, type RawClient, rawClient, startPortico } from '../harness.ts'
import { type SocketOrigin, socketOrigin } from './socket-origin.ts'

let origin: SocketOrigin
let portico: Portico

const config = (consumers: object[] = [{ name: 'alice', keys: [{ secret: 'k1' }] }], more: object[] = []) => ({
  version: 1,
  services: [
    {
      name: 'events',
      upstream: { targets: [{ url: origin.url }], timeouts: { response: '400ms' } },
      routes: [
        { path: '/events' },
        { path: '/events/beating', policies: { sse: { heartbeat: '150ms' } } },
        { path: '/events/keyed', policies: { 'key-auth': {} } },
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

type Stream = { client: RawClient } & SocketOrigin['streams'][number]

const open = async (path: string, ...fields: string[]): Promise<Stream> => {
  const client = await rawClient(portico.gatewayPort)
  const before = origin.streams.length
  client.send(head(`GET ${path} HTTP/1.1`, 'Accept: text/event-stream', ...fields))
  const stream = await eventually(async () => origin.streams[before] ?? null, `${path} at the origin`)
  await client.readUntil('\r\n\r\n')
  return { client, ...stream }
}

const say = async ({ client, response }: Stream, text: string): Promise<void> => {
  response.write(text)
  await client.readUntil(text)
}

test('the head and every event reach the client at once, and Last-Event-ID the service', async () => {
  const stream = await open('/events', 'Last-Event-ID: 41')
  assert.equal(stream.request.headers['last-event-id'], '41')
  // Each is waited for before the next one is sent.
  for (const text of ['id: 42\n', 'data: in pieces', '\n\n', ': comment\n\n', 'data: last\r\n\r\n'])
    await say(stream, text)
  stream.client.destroy()
})

test('a stream may be silent for longer than a response may take', async () => {
  const stream = await open('/events')
  await say(stream, 'data: one\n\n')
  // More than twice the time for responses: the wait is what is tested.
  await new Promise(resolve => setTimeout(resolve, 1000))
  await say(stream, 'data: two\n\n')
  stream.client.destroy()
})

test('a silent stream gets comments, but only between two events', async () => {
  const stream = await open('/events/beating')
  for (let i = 0; i < 3; i++) await stream.client.readUntil(':\n\n')
  await say(stream, 'data: half')
  await new Promise(resolve => setTimeout(resolve, 400))
  stream.response.write(' an event\n\n')
  const rest = (await stream.client.readUntil('an event\n\n')).toString('latin1')
  assert.ok(!rest.includes(':\n'), rest)
  await stream.client.readUntil(':\n\n')
  stream.client.destroy()
})

test('a stream lives through reloads, and ends when its key is taken back', async () => {
  const key = 'X-Api-Key: k1'
  const between = await open('/events/keyed', key)
  const middle = await open('/events/keyed', key)
  const anyone = await open('/events')
  await portico.reload(config(undefined, [{ path: '/new' }]))
  for (const stream of [between, middle, anyone]) await say(stream, 'data: after a reload\n\n')
  await say(middle, 'data: half an')
  await portico.reload(config([]))
  // The last chunk: the client knows that nothing is missing.
  await between.client.readUntil('\r\n0\r\n\r\n')
  // Whoever is in the middle of an event gets a second to finish it, then the answer is cut.
  const cut = await middle.client.waitClose()
  assert.ok(!cut.rest.toString('latin1').endsWith('0\r\n\r\n'), 'it can be seen that something is missing')
  await say(anyone, 'data: goes on\n\n')
  for (const { client } of [between, middle, anyone]) client.destroy()
})

test('a client that leaves ends the stream at the service', async () => {
  const stream = await open('/events')
  const gone = new Promise(resolve => stream.response.once('close', resolve))
  stream.client.destroy()
  await gone
})
