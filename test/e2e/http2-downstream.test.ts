import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { after, before, type TestContext, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import {
  answerEach,
  eventually,
  ok,
  oneService,
  type Portico,
  scriptedOrigin,
  startPortico,
  within,
} from '../harness.ts'
import { data, headers, postRequest, rawHttp2, request, resetStream } from '../raw-http2.ts'
import { bulkHash, bulkOrigin, writeBulk } from './bulk.ts'

type Answer = {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
  trailers: IncomingHttpHeaders
  interim: number[]
}

const session = (t: TestContext, port: number): ClientHttp2Session => {
  const client = connect(`http://127.0.0.1:${port}`)
  client.on('error', () => {})
  t.after(() => client.destroy())
  return client
}

/** One call; `send` writes the body, and must end it. */
const call = (
  client: ClientHttp2Session,
  fields: Record<string, string>,
  send?: (stream: ReturnType<ClientHttp2Session['request']>) => void,
): Promise<Answer> => {
  const stream = client.request(fields, { endStream: send === undefined, waitForTrailers: true } as object)
  const work = new Promise<Answer>((resolve, reject) => {
    const answer: Answer = { status: 0, headers: {}, body: Buffer.alloc(0), trailers: {}, interim: [] }
    const chunks: Buffer[] = []
    stream.on('headers', interim => answer.interim.push(Number(interim[':status'])))
    stream.on('response', fields => Object.assign(answer, { status: fields[':status'], headers: fields }))
    stream.on('trailers', trailers => Object.assign(answer, { trailers }))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', reject)
    stream.on('close', () => resolve({ ...answer, body: Buffer.concat(chunks) }))
  })
  send?.(stream)
  return within(work, () => `the answer to ${fields[':path']}`, 15_000)
}

let portico: Portico
let server: Server
const trailersSeen: unknown[] = []
before(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      if (request.url === '/204') response.writeHead(204).end()
      else if (request.url === '/304') response.writeHead(304, { etag: '"a"' }).end()
      else if (request.url === '/hints') {
        response.writeEarlyHints({ link: '</a>; rel=preload' })
        response.end('after hints')
      } else if (request.url === '/trailers') {
        trailersSeen.push(request.trailers)
        response.writeHead(200, { trailer: 'x-sum' })
        response.write(body)
        response.addTrailers({ 'x-sum': String(body.length) })
        response.end()
      } else if (request.url === '/cut') {
        response.writeHead(200, { 'content-length': 100 })
        response.write('a part', () => response.destroy())
      } else response.end(`${request.method} ${request.url} ${body.length}`)
    })
  })
  const webSockets = new WebSocketServer({ server })
  webSockets.on('connection', socket => {
    socket.on('message', (data, binary) => socket.send(data, { binary }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  portico = await startPortico({ config: oneService(`http://127.0.0.1:${(server.address() as AddressInfo).port}`) })
})
after(async () => {
  await portico?.stop()
  server?.closeAllConnections()
  server?.close()
})

test('many calls at the same time on one connection', async t => {
  const client = session(t, portico.gatewayPort)
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => call(client, { ':path': `/${i}` })))
  for (const [i, { status, body }] of answers.entries()) {
    assert.equal(status, 200)
    assert.equal(body.toString(), `GET /${i} 0`)
  }
})

test('HEAD, 204 and 304 have no body', async t => {
  const client = session(t, portico.gatewayPort)
  const answer = await call(client, { ':path': '/x', ':method': 'HEAD' })
  assert.equal(answer.status, 200)
  assert.equal(answer.body.length, 0)
  assert.equal((await call(client, { ':path': '/204' })).status, 204)
  const notModified = await call(client, { ':path': '/304' })
  assert.equal(notModified.status, 304)
  assert.equal(notModified.headers.etag, '"a"')
})

test('early hints pass, and 100 Continue is said when the body is wanted', async t => {
  const client = session(t, portico.gatewayPort)
  const hinted = await call(client, { ':path': '/hints' })
  assert.deepEqual(hinted.interim, [103])
  assert.equal(hinted.body.toString(), 'after hints')
  const raw = await rawHttp2(portico.gatewayPort)
  t.after(() => raw.destroy())
  raw.send(headers(1, postRequest(['expect', '100-continue'], ['content-length', '2']), false))
  await raw.waitFor(() => (raw.answer(1).interim.includes(100) ? true : null), '100')
  raw.send(data(1, 'ab', true))
  assert.equal((await raw.read(1)).body.toString(), 'POST /p 2')
})

test('trailers pass both ways', async t => {
  const client = session(t, portico.gatewayPort)
  const answer = await call(client, { ':path': '/trailers', ':method': 'POST' }, stream => {
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-check': 'abc' }))
    stream.end('hello')
  })
  assert.equal(answer.body.toString(), 'hello')
  assert.equal(answer.trailers['x-sum'], '5')
  assert.deepEqual({ ...(trailersSeen.at(-1) as object) }, { 'x-check': 'abc' })
})

test('an answer that breaks off is reset, not ended', async t => {
  const client = session(t, portico.gatewayPort)
  await assert.rejects(call(client, { ':path': '/cut' }), /INTERNAL_ERROR/)
  assert.equal((await call(client, { ':path': '/after' })).status, 200)
})

test('errors of the gateway are answers like any other', async t => {
  const client = session(t, portico.gatewayPort)
  const answer = await call(client, { ':path': '/a/../../b' })
  assert.equal(answer.status, 400)
  assert.equal(answer.headers['content-type'], 'application/problem+json')
  assert.equal(JSON.parse(answer.body.toString()).code, 'bad-request')
})

test('large bodies pass whole in both directions at the same time', async t => {
  const bytes = 8_000_000
  const origin = await bulkOrigin()
  t.after(() => origin.stop())
  const gateway = await startPortico({ config: oneService(origin.url) })
  t.after(() => gateway.stop())
  const client = session(t, gateway.gatewayPort)
  const down = async (): Promise<string> => {
    const stream = client.request({ ':path': `/down/${bytes}` })
    const hash = createHash('sha256')
    for await (const chunk of stream) hash.update(chunk)
    return hash.digest('hex')
  }
  const up = async (): Promise<string> => {
    const stream = client.request({ ':path': '/up', ':method': 'POST' })
    const text = (async () => {
      let body = ''
      for await (const chunk of stream) body += chunk
      return body
    })()
    await writeBulk(stream, bytes)
    stream.end()
    return text
  }
  const results = await within(Promise.all([down(), up(), down(), up()]), () => 'four large bodies', 30_000)
  const hash = bulkHash(bytes)
  assert.equal(results[0], hash)
  assert.equal(results[2], hash)
  assert.ok(results[1]?.includes(hash), results[1])
  assert.ok(results[3]?.includes(hash), results[3])
})

test('a client that does not read slows its origin down, and nobody else', async t => {
  const origin = await bulkOrigin()
  t.after(() => origin.stop())
  const gateway = await startPortico({ config: oneService(origin.url) })
  t.after(() => gateway.stop())
  const client = await rawHttp2(gateway.gatewayPort)
  t.after(() => client.destroy())
  client.send(headers(1, request('/down/50000000'), true))
  await client.waitFor(() => (client.answer(1).body.length >= 65_535 ? true : null), 'a full window')
  client.send(headers(3, [[':method', 'HEAD'], ...request('/down/10').slice(1)], true))
  assert.equal((await client.read(3)).status, 200)
  assert.equal(client.answer(1).body.length, 65_535)
  const { workers } = await gateway.status()
  assert.ok((workers[0]?.rss ?? 0) < 400_000_000)
})

test('a call that its client takes back frees the upstream at once, and is on record', async t => {
  const origin = await scriptedOrigin(async connection => {
    await connection.readRequest(600_000)
  })
  t.after(() => origin.stop())
  const gateway = await startPortico({ config: oneService(origin.url) })
  t.after(() => gateway.stop())
  const client = session(t, gateway.gatewayPort)
  const stream = client.request({ ':path': '/slow' })
  stream.on('error', () => {})
  await origin.waitFor(() => (origin.requests.length === 1 ? true : null), 'the request')
  stream.close(8)
  await origin.connections[0]?.waitClose()
  const calls = await eventually(async () => {
    const { items } = (await gateway.console('/api/calls')).body as { items: { status: number; errorCode: string }[] }
    return items.length > 0 ? items : null
  }, 'the call on record')
  assert.equal(calls[0]?.status, 499)
  assert.equal(calls[0]?.errorCode, 'client-closed')
})

test('a WebSocket over HTTP/2 reaches a service of HTTP/1.1 (RFC 8441)', async t => {
  const client = session(t, portico.gatewayPort)
  await within(once(client, 'remoteSettings'), () => 'SETTINGS')
  assert.equal(client.remoteSettings.enableConnectProtocol, true)
  const stream = client.request(
    { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/ws', 'sec-websocket-version': '13' },
    { endStream: false },
  )
  const [fields] = (await within(once(stream, 'response'), () => 'the answer')) as [IncomingHttpHeaders]
  assert.equal(fields[':status'], 200)
  assert.equal(fields['sec-websocket-accept'], undefined)
  assert.equal(fields.connection, undefined)
  // A masked text frame, "Hello" (RFC 6455 §5.7), and its echo without a mask.
  stream.write(Buffer.from('818537fa213d7f9f4d5158', 'hex'))
  const [echo] = (await within(once(stream, 'data'), () => 'the echo')) as [Buffer]
  assert.equal(echo.toString('latin1'), '\x81\x05Hello')
  stream.write(Buffer.from('888200000000' + '03e8', 'hex'))
  const [close] = (await within(once(stream, 'data'), () => 'the closing handshake')) as [Buffer]
  assert.equal(close.toString('hex'), '880203e8')
  stream.end()
  await within(once(stream, 'close'), () => 'the end of the stream')
})

test('what a client of a WebSocket sends before it is answered is not lost', async t => {
  const client = await rawHttp2(portico.gatewayPort)
  t.after(() => client.destroy())
  client.send(
    headers(
      1,
      [[':method', 'CONNECT'], [':protocol', 'websocket'], ...request('/ws').slice(1), ['sec-websocket-version', '13']],
      false,
    ),
    data(1, Buffer.from('818537fa213d7f9f4d5158', 'hex')),
  )
  await client.waitFor(() => (client.answer(1).body.length >= 7 ? true : null), 'the echo')
  assert.equal(client.answer(1).body.toString('latin1'), '\x81\x05Hello')
})

test('an answer to a wrong opening handshake has no fields of a connection (RFC 9113 §8.2.2)', async t => {
  const client = await rawHttp2(portico.gatewayPort)
  t.after(() => client.destroy())
  const fields = [[':method', 'CONNECT'], [':protocol', 'websocket'], ...request('/ws').slice(1)] as [string, string][]
  client.send(headers(1, [...fields, ['sec-websocket-version', '8']], false))
  const { status, fields: answered } = await client.read(1)
  assert.equal(status, 426)
  assert.equal(answered['sec-websocket-version'], '13')
  assert.equal(answered['upgrade'], undefined)
})

test('HTTP/1.1 and WebSocket work on the same port', async t => {
  const socket = new WebSocket(`ws://127.0.0.1:${portico.gatewayPort}/ws`)
  t.after(() => socket.terminate())
  await within(once(socket, 'open'), () => 'the WebSocket')
  socket.send('hi')
  const [message] = (await within(once(socket, 'message'), () => 'the echo')) as [Buffer]
  assert.equal(message.toString(), 'hi')
  const answer = await fetch(`http://127.0.0.1:${portico.gatewayPort}/plain`)
  assert.equal(await answer.text(), 'GET /plain 0')
})

test('drain: GOAWAY comes in two steps, what runs is finished, and the exit code is 0 (RFC 9113 §6.8)', async t => {
  let release = (): void => {}
  const gate = new Promise<void>(resolve => {
    release = resolve
  })
  const origin = await scriptedOrigin(
    answerEach(async request => {
      await gate
      return ok(request.target)
    }),
  )
  t.after(() => origin.stop())
  const gateway = await startPortico({ config: oneService(origin.url, {}, {}, { timeouts: { drain: '10s' } }) })
  t.after(() => gateway.stop())
  const client = await rawHttp2(gateway.gatewayPort)
  const idle = await rawHttp2(gateway.gatewayPort)
  await idle.settle()
  client.send(headers(1, request('/running'), true))
  await origin.waitFor(() => (origin.requests.length === 1 ? true : null), 'the request')
  gateway.signal('SIGTERM')
  assert.equal(await idle.readGoaway(), 0)
  await client.waitFor(() => client.goaway, 'GOAWAY')
  assert.equal(client.goawayFrames[0]?.last, 2 ** 31 - 1)
  // Sent before the client could know: it is still served.
  client.send(headers(3, request('/just-in-time'), true))
  const ping = client.frames.find(({ type, flags }) => type === 6 && flags === 0)
  client.send(Buffer.concat([Buffer.from([0, 0, 8, 6, 1, 0, 0, 0, 0]), ping?.payload ?? Buffer.alloc(8)]))
  await client.waitFor(() => (client.goawayFrames.length === 2 ? true : null), 'the second GOAWAY')
  assert.equal(client.goawayFrames[1]?.last, 3)
  release()
  assert.equal((await client.read(1)).body.toString(), '/running')
  assert.equal((await client.read(3)).body.toString(), '/just-in-time')
  await client.raw.waitClose()
  assert.deepEqual(await within(gateway.exited, () => 'the exit'), { code: 0, signal: null })
})

test('connections, heads and bodies each have their time', async t => {
  const origin = await scriptedOrigin(answerEach(request => ok(request.target)))
  t.after(() => origin.stop())
  const timeouts = { requestHead: '300ms', idle: '500ms', drain: '1s' }
  const gateway = await startPortico({ config: oneService(origin.url, {}, {}, { timeouts }) })
  t.after(() => gateway.stop())
  const idle = await rawHttp2(gateway.gatewayPort)
  const half = await rawHttp2(gateway.gatewayPort)
  half.send(Buffer.from([0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]))
  const body = await rawHttp2(gateway.gatewayPort)
  body.send(headers(1, postRequest(['content-length', '5']), false), data(1, 'he'))
  assert.equal((await body.read(1)).status, 408)
  assert.equal(await half.readGoaway(), 0)
  assert.equal(await idle.readGoaway(), 0)
  assert.equal(await body.readGoaway(), 0)
})

test('a client that stops reading an answer is given up after the idle time', async t => {
  const origin = await bulkOrigin()
  t.after(() => origin.stop())
  const timeouts = { requestHead: '5s', idle: '400ms', drain: '1s' }
  const gateway = await startPortico({ config: oneService(origin.url, {}, {}, { timeouts }) })
  t.after(() => gateway.stop())
  const client = await rawHttp2(gateway.gatewayPort)
  t.after(() => client.destroy())
  client.send(headers(1, request('/down/5000000'), true))
  assert.equal((await client.read(1)).reset, 8)
  await eventually(
    async () => ((await gateway.status()).workers[0]?.load.activeCalls === 0 ? true : null),
    'no call to be left',
  )
})

test('streams and resets have the limits that are configured', async t => {
  const origin = await scriptedOrigin(async connection => {
    await connection.readRequest(600_000)
  })
  t.after(() => origin.stop())
  const limits = { http2: { streams: 2, resets: 1 } }
  const gateway = await startPortico({ config: oneService(origin.url, {}, {}, { limits }) })
  t.after(() => gateway.stop())
  const client = await rawHttp2(gateway.gatewayPort)
  t.after(() => client.destroy())
  client.send(headers(1, request(), true), headers(3, request(), true), headers(5, request(), true))
  assert.equal((await client.read(5)).reset, 7)
  const settings = client.frames.find(({ type }) => type === 4)?.payload.toString('hex') ?? ''
  assert.ok(settings.includes('000300000002'), settings)
  const busy = await rawHttp2(gateway.gatewayPort)
  t.after(() => busy.destroy())
  for (let id = 1; id < 20; id += 2) busy.send(headers(id, request(), true), resetStream(id, 8))
  assert.equal(await busy.readGoaway(), 11)
})
