import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, createServer, type IncomingHttpHeaders, request, type Server } from 'node:http'
import { connect } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { WebSocketServer } from 'ws'
import { eventually, startPortico } from '../harness.ts'
import { echo, openSocket } from './socket-origin.ts'

/** An origin that tells what reached it: which of both it is, what the revision added, and which key was taken out. */
const tellingOrigin = async (index: number): Promise<{ server: Server; url: string }> => {
  const server = createServer((incoming, response) => {
    if (incoming.url === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const timer = setInterval(() => response.write(`data: ${index}\n\n`), 50)
      response.on('close', () => clearInterval(timer))
      return
    }
    let bytes = 0
    incoming.on('data', (chunk: Buffer) => (bytes += chunk.length))
    incoming.on('end', () => {
      const { headers } = incoming
      const left = ['x-key-0', 'x-key-1'].filter(name => headers[name] !== undefined)
      response.end(JSON.stringify({ index, revision: headers['x-revision'], left, bytes }))
    })
  })
  const webSockets = new WebSocketServer({ server })
  webSockets.on('connection', socket => {
    socket.on('error', () => {})
    socket.on('message', data => socket.send(data))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const key = 'the-key-of-alice'
const keys = { 'x-key-0': key, 'x-key-1': key }

/** Throws unless an answer is of one revision through and through; returns that revision. */
const checkWhole = (status: number, headers: Pick<IncomingHttpHeaders, string>, body: string, bytes = 0): number => {
  assert.equal(status, 200, body)
  const seen = JSON.parse(body)
  const n = Number(seen.revision)
  assert.deepEqual(
    { header: headers['x-revision'], ...seen },
    { header: `${n}`, index: n % 2, revision: `${n}`, left: [`x-key-${1 - (n % 2)}`], bytes },
    'parts of two revisions served one call',
  )
  return n
}

test('20 reloads that change everything at once: no call fails, none is served by two revisions', async () => {
  const origins = [await tellingOrigin(0), await tellingOrigin(1)]
  const config = (n: number): object => ({
    version: 1,
    settings: { timeouts: { drain: '1s' } },
    services: [
      {
        name: 'main',
        upstream: {
          targets: [{ url: origins[n % 2]?.url }],
          retry: { attempts: 0 },
          headers: { 'x-revision': `${n}` },
        },
        policies: {
          'key-auth': { header: `x-key-${n % 2}` },
          'transform-response': { headers: { set: { 'x-revision': `${n}` } } },
        },
        routes: [{ path: '/' }],
      },
    ],
    consumers: [{ name: 'alice', keys: [{ secret: key }] }],
  })
  const portico = await startPortico({ config: config(0), workers: 2 })
  const { gatewayPort } = portico
  const seen = new Set<number>()
  let running = true
  const counts: Record<string, number> = {}
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  const session = connect(`http://127.0.0.1:${gatewayPort}`)

  /** One call over HTTP/1.1; `pieces` are sent one per turn of the timer, so that reloads fall into the upload. */
  const call = (how: { agent: Agent | false; pieces?: Buffer[] }): Promise<void> =>
    new Promise((resolve, reject) => {
      const { pieces = [] } = how
      const method = pieces.length > 0 ? 'POST' : 'GET'
      const outgoing = request(
        { port: gatewayPort, host: '127.0.0.1', path: '/x', method, headers: keys, agent: how.agent },
        response => {
          let body = ''
          response.on('data', chunk => (body += chunk))
          response.on('error', reject)
          response.on('end', () => {
            try {
              const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
              seen.add(checkWhole(response.statusCode ?? 0, response.headers, body, bytes))
              resolve()
            } catch (error) {
              reject(error)
            }
          })
        },
      )
      outgoing.on('error', reject)
      const send = (index: number): void => {
        const piece = pieces[index]
        if (piece === undefined) outgoing.end()
        else outgoing.write(piece, () => setTimeout(send, 20, index + 1))
      }
      send(0)
    })

  const http2Call = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ':path': '/x', ...keys })
      let headers: Record<string, unknown> = {}
      let body = ''
      stream.on('response', got => (headers = got as Record<string, unknown>))
      stream.on('data', chunk => (body += chunk))
      stream.on('error', reject)
      stream.on('end', () => {
        try {
          seen.add(checkWhole(headers[':status'] as number, headers as IncomingHttpHeaders, body))
          resolve()
        } catch (error) {
          reject(error)
        }
      })
    })

  const repeat = async (name: string, work: () => Promise<void>): Promise<void> => {
    for (counts[name] = 0; running; counts[name]++) await work()
  }
  const pieces = Array.from({ length: 10 }, () => Buffer.alloc(20_000, 1))
  const socket = await openSocket(`ws://127.0.0.1:${gatewayPort}/ws`, { headers: keys })
  let events = 0
  let eventsEnded = false
  const stream = request({ port: gatewayPort, host: '127.0.0.1', path: '/events', headers: keys }, response => {
    response.on('data', () => events++)
    response.on('close', () => (eventsEnded = true))
  }).end()

  try {
    const work = Promise.all([
      repeat('kept', () => call({ agent })),
      repeat('kept too', () => call({ agent })),
      repeat('fresh', () => call({ agent: false })),
      repeat('uploads', () => call({ agent, pieces })),
      repeat('http2', http2Call),
      repeat('http2 too', http2Call),
      repeat('messages', async () => assert.equal(await echo(socket, 'hello'), 'hello')),
    ])
    work.catch(() => {})
    for (let n = 1; n <= 20; n++) {
      const { lastReloadError } = await Promise.race([
        portico.reload(config(n)),
        work.then(() => assert.fail('the calls ended before the reloads')),
      ])
      assert.equal(lastReloadError, null)
    }
    const eventsBefore = events
    await eventually(async () => (events > eventsBefore + 1 ? true : null), 'events after the reloads')
    running = false
    await work
    assert.equal(eventsEnded, false, 'the stream of events lives')
    assert.ok(
      Object.values(counts).every(count => count > 3),
      JSON.stringify(counts),
    )
    assert.ok(seen.size >= 10, `revisions seen: ${[...seen]}`)
  } finally {
    running = false
    stream.destroy()
    socket.terminate()
    session.destroy()
    agent.destroy()
    await portico.stop()
    for (const { server } of origins) {
      server.close()
      server.closeAllConnections()
    }
  }
})
