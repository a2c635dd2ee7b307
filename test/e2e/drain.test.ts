import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { get, head } from '../conformance/case-table.ts'
import {
  answerEach,
  eventually,
  headerOf,
  ok,
  oneService,
  type Portico,
  rawCall,
  rawClient,
  scriptedOrigin,
  startPortico,
  within,
} from '../harness.ts'
import { closed, echo, openSocket, socketOrigin } from './socket-origin.ts'

const settings = (drainDelay: string, drain = '20s') => ({ timeouts: { drain, drainDelay } })

const ended = (portico: Portico) => within(portico.exited, () => 'the end of the process', 10_000)

/** What a health check sees; the console answers until the end. */
const health = async (portico: Portico, path: string): Promise<[number, string]> => {
  const response = await fetch(`http://127.0.0.1:${portico.consolePort}/api/health/${path}`)
  return [response.status, ((await response.json()) as { status: string }).status]
}

const refused = (port: number): Promise<true | null> =>
  new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', () => resolve(true))
    socket.once('connect', () => {
      socket.destroy()
      resolve(null)
    })
  })

test('SIGTERM with a delay: not ready at once, new calls are served and told to close, then the listener goes', async () => {
  const origin = await scriptedOrigin(answerEach(request => ok(request.target)))
  const portico = await startPortico({ config: oneService(origin.url, {}, {}, settings('1500ms')), workers: 2 })
  try {
    assert.deepEqual(await health(portico, 'ready'), [200, 'ready'])
    const kept = await rawClient(portico.gatewayPort)
    kept.send(get('/before'))
    assert.equal(headerOf(await kept.readFinalResponse(), 'connection'), undefined)
    portico.signal('SIGTERM')
    await eventually(async () => ((await health(portico, 'ready'))[0] === 503 ? true : null), 'the end of readiness')
    assert.deepEqual(await health(portico, 'ready'), [503, 'draining'])
    assert.deepEqual(await health(portico, 'live'), [200, 'live'])
    for (let i = 0; i < 10; i++) {
      const response = await rawCall(portico.gatewayPort, get('/new'))
      assert.deepEqual([response.status, headerOf(response, 'connection')], [200, 'close'])
    }
    kept.send(get('/kept'))
    const last = await kept.readFinalResponse()
    assert.deepEqual([last.status, headerOf(last, 'connection')], [200, 'close'])
    await kept.waitClose()
    await eventually(() => refused(portico.gatewayPort), 'the listener to close')
    assert.deepEqual(await ended(portico), { code: 0, signal: null })
  } finally {
    await portico.stop()
    await origin.stop()
  }
})

test('SIGTERM: who has connected but not asked yet is still answered', async () => {
  const origin = await scriptedOrigin(answerEach(request => ok(request.target)))
  const portico = await startPortico({ config: oneService(origin.url, {}, {}, settings('0s')) })
  try {
    const silent = await rawClient(portico.gatewayPort)
    const late = await rawClient(portico.gatewayPort)
    await eventually(async () => {
      const { load } = (await portico.status()).workers[0] as { load: { connections: number } }
      return load.connections === 2 ? true : null
    }, 'both connections to be accepted')
    portico.signal('SIGTERM')
    await eventually(() => refused(portico.gatewayPort), 'the listener to close')
    late.send(get('/late'))
    const response = await late.readFinalResponse()
    assert.deepEqual([response.status, headerOf(response, 'connection')], [200, 'close'])
    assert.equal((await silent.waitClose()).ending, 'end', 'who never asks holds nothing up')
    assert.equal((await ended(portico)).code, 0)
    for (const client of [silent, late]) client.destroy()
  } finally {
    await portico.stop()
    await origin.stop()
  }
})

test('SIGTERM: both sides of a WebSocket are told 1001, and nobody waits for the deadline', async () => {
  const origin = await socketOrigin()
  const portico = await startPortico({ config: oneService(origin.url, {}, {}, settings('0s')), workers: 2 })
  try {
    const url = `ws://127.0.0.1:${portico.gatewayPort}/ws`
    const sockets = await Promise.all(Array.from({ length: 50 }, () => openSocket(url)))
    for (const socket of sockets) assert.equal(await echo(socket, 'hello'), 'hello')
    const ends = [...sockets, ...origin.sockets].map(closed)
    portico.signal('SIGTERM')
    for (const end of ends) assert.deepEqual(await end, [1001, 'the gateway is shutting down'])
    assert.deepEqual(await ended(portico), { code: 0, signal: null })
  } finally {
    await portico.stop()
    origin.stop()
  }
})

test('SIGTERM: a side that never answers the goodbye is cut at the deadline', async () => {
  const origin = await socketOrigin()
  const portico = await startPortico({ config: oneService(origin.url, {}, {}, settings('0s', '500ms')) })
  try {
    const socket = await openSocket(`ws://127.0.0.1:${portico.gatewayPort}/ws`)
    socket.pause()
    portico.signal('SIGTERM')
    assert.deepEqual(await ended(portico), { code: 0, signal: null })
    socket.terminate()
  } finally {
    await portico.stop()
    origin.stop()
  }
})

test('SIGTERM: event streams end between two events, the answer to a POST gets its time', async () => {
  const origin = await socketOrigin()
  const portico = await startPortico({ config: oneService(origin.url, {}, {}, settings('0s')) })
  try {
    const open = async (method: string) => {
      const client = await rawClient(portico.gatewayPort)
      client.send(head(`${method} /events HTTP/1.1`, 'Content-Length: 0'))
      const stream = await eventually(
        async () => origin.streams.find(({ request }) => request.method === method) ?? null,
        `${method} at the origin`,
      )
      stream.response.write(`data: hello ${method}\n\n`)
      await client.readUntil(`hello ${method}\n\n`)
      return { client, response: stream.response }
    }
    const quiet = await open('GET')
    const speaking = await open('PUT')
    const answer = await open('POST')
    origin.streams.length = 0
    const middle = await open('GET')
    middle.response.write('id: 7\ndata: half')
    await middle.client.readUntil('half')
    portico.signal('SIGTERM')
    // What is between two events ends at once, with the last chunk, so that the client knows that nothing is missing.
    assert.ok((await quiet.client.waitClose()).rest.toString('latin1').endsWith('\r\n0\r\n\r\n'))
    middle.response.write(' an event\r\n\r\ndata: of the next one')
    const { rest } = await middle.client.waitClose()
    assert.match(rest.toString('latin1'), / an event\r\n\r\n?\r\n0\r\n\r\n$/)
    assert.ok(!rest.includes('next one'))
    for (const { client, response } of [speaking, answer]) {
      response.write('data: more\n\n')
      await client.readUntil('more')
      response.end('data: [DONE]\n\n')
      await client.readUntil('[DONE]')
      await client.waitClose()
    }
    assert.deepEqual(await ended(portico), { code: 0, signal: null })
  } finally {
    await portico.stop()
    origin.stop()
  }
})

test('a second signal ends at once', async () => {
  const origin = await scriptedOrigin(async connection => {
    await connection.readRequest()
  })
  const portico = await startPortico({ config: oneService(origin.url, {}, {}, settings('0s', '1h')) })
  try {
    const client = await rawClient(portico.gatewayPort)
    client.send(get('/never'))
    await origin.waitFor(() => origin.requests[0] ?? null, 'the request')
    portico.signal('SIGTERM')
    // Signals that come close together are one wish (a terminal sends to a whole group of processes).
    const again = setInterval(() => portico.signal('SIGTERM'), 100)
    const exit = await ended(portico)
    clearInterval(again)
    assert.equal(exit.code, 1)
    await client.waitClose()
    client.destroy()
  } finally {
    await portico.stop()
    await origin.stop()
  }
})
