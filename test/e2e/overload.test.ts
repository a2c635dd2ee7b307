import assert from 'node:assert/strict'
import { type ClientHttp2Stream, connect } from 'node:http2'
import { after, before, test } from 'node:test'
import { get, head } from '../conformance/case-table.ts'
import {
  answerEach,
  eventually,
  headerOf,
  ok,
  oneService,
  type Portico,
  type RawClient,
  type ResponseMessage,
  rawCall,
  rawClient,
  type ScriptedOrigin,
  scriptedOrigin,
  startPortico,
  within,
} from '../harness.ts'

let portico: Portico
let origin: ScriptedOrigin
let held: (() => void)[] = []

before(async () => {
  origin = await scriptedOrigin(
    answerEach(async request => {
      if (request.target === '/hold') await new Promise<void>(resolve => held.push(resolve))
      return ok(`${request.body.length} bytes`)
    }),
  )
  portico = await startPortico({ config: oneService(origin.url), workers: 2 })
})
after(async () => {
  await portico?.stop()
  await origin?.stop()
})

const use = async (settings: object, service: object = {}): Promise<void> => {
  held = []
  origin.forget()
  const status = await portico.reload(oneService(origin.url, service, {}, settings))
  assert.equal(status.lastReloadError, null)
}

const sum = async (pick: 'connections' | 'activeCalls'): Promise<number> =>
  (await portico.status()).workers.reduce((total, { load }) => total + load[pick], 0)

const hold = async (): Promise<RawClient> => {
  const before = held.length
  const client = await rawClient(portico.gatewayPort)
  client.send(get('/hold'))
  await eventually(async () => (held.length > before ? true : null), 'the call to be held at the origin')
  return client
}

const assertOverloaded = (response: ResponseMessage): void => {
  assert.equal(response.status, 503)
  assert.equal(JSON.parse(response.body.toString()).code, 'overloaded')
  assert.ok(headerOf(response, 'retry-after'))
}

test('calls above the limit of the whole gateway are refused at once, whatever worker they come to', async () => {
  await use({ limits: { requests: 3 } })
  const clients = [await hold(), await hold(), await hold()]
  for (let i = 0; i < 10; i++) assertOverloaded(await rawCall(portico.gatewayPort, get('/x')))
  assert.equal(origin.requests.length, 3)
  assert.equal((await portico.console('/api/health/live')).status, 200)
  held[0]?.()
  assert.equal((await (clients[0] as RawClient).readFinalResponse()).status, 200)
  await eventually(async () => ((await sum('activeCalls')) === 2 ? true : null), 'a call to end')
  assert.equal((await rawCall(portico.gatewayPort, get('/x'))).status, 200)
  for (const release of held) release()
  for (const client of clients.slice(1)) assert.equal((await client.readFinalResponse()).status, 200)
  for (const client of clients) client.destroy()
})

test('who is refused for load is not asked for a key first', async () => {
  await use({ limits: { requests: 1 } })
  const client = await hold()
  await portico.reload(oneService(origin.url, { policies: { 'key-auth': {} } }, {}, { limits: { requests: 1 } }))
  assertOverloaded(await rawCall(portico.gatewayPort, get('/x')))
  held[0]?.()
  assert.equal((await client.readFinalResponse()).status, 200)
  client.destroy()
  await eventually(async () => ((await sum('activeCalls')) === 0 ? true : null), 'the call to end')
  assert.equal((await rawCall(portico.gatewayPort, get('/x'))).status, 401)
})

test('a connection whose call was refused serves the next one', async () => {
  await use({ limits: { requests: 1 } })
  const holder = await hold()
  const client = await rawClient(portico.gatewayPort)
  client.send(`${head('POST /x HTTP/1.1', 'Content-Length: 5')}hello`)
  assertOverloaded(await client.readFinalResponse())
  held[0]?.()
  await holder.readFinalResponse()
  await eventually(async () => ((await sum('activeCalls')) === 0 ? true : null), 'the call to end')
  client.send(`${head('POST /x HTTP/1.1', 'Content-Length: 5')}hello`)
  assert.equal((await client.readFinalResponse()).body.toString(), '5 bytes')
  for (const each of [holder, client]) each.destroy()
})

test('the limit of connections holds for all workers together', async () => {
  await use({ limits: { connections: 10 } })
  await eventually(async () => ((await sum('connections')) === 0 ? true : null), 'no connection')
  const clients: RawClient[] = []
  for (let i = 0; i < 10; i++) {
    const client = await rawClient(portico.gatewayPort)
    client.send(get('/x'))
    assert.equal((await client.readFinalResponse()).status, 200)
    clients.push(client)
  }
  for (let i = 0; i < 4; i++) {
    const refused = await rawClient(portico.gatewayPort)
    assertOverloaded(await refused.readFinalResponse())
    await refused.waitClose()
    refused.destroy()
  }
  for (const client of clients.splice(0, 5)) client.destroy()
  await eventually(async () => ((await sum('connections')) === 5 ? true : null), 'connections to close')
  assert.equal((await rawCall(portico.gatewayPort, get('/x'))).status, 200)
  for (const client of clients) {
    client.send(get('/x'))
    assert.equal((await client.readFinalResponse()).status, 200)
    client.destroy()
  }
})

test('short of memory, new calls are refused, those in flight go on, and the admin API answers', async () => {
  await use({})
  const running = await hold()
  await portico.reload(oneService(origin.url, {}, {}, { limits: { memory: '1mb' } }))
  for (let i = 0; i < 6; i++) assertOverloaded(await rawCall(portico.gatewayPort, get('/x')))
  assert.equal((await portico.console('/api/status')).status, 200)
  held[0]?.()
  assert.equal((await running.readFinalResponse()).status, 200)
  running.destroy()
  await use({ limits: { memory: '100%' } })
  for (let i = 0; i < 6; i++) assert.equal((await rawCall(portico.gatewayPort, get('/x'))).status, 200)
})

test('a body that arrives too slowly is refused; slow enough is fast enough', async () => {
  await use({ minimumRate: { request: '500b', grace: '1s' } })
  const post = head('POST /x HTTP/1.1', 'Content-Length: 6000')
  const slow = await rawClient(portico.gatewayPort)
  slow.send(`${post}begin`)
  const honest = await rawClient(portico.gatewayPort)
  honest.send(post)
  let sent = 0
  const timer = setInterval(() => {
    const size = Math.min(200, 6000 - sent)
    sent += size
    honest.send('x'.repeat(size))
    if (sent === 6000) clearInterval(timer)
  }, 100)
  const refused = await slow.readFinalResponse({ milliseconds: 10_000 })
  assert.equal(refused.status, 408)
  await slow.waitClose(10_000)
  assert.equal((await honest.readFinalResponse({ milliseconds: 10_000 })).body.toString(), '6000 bytes')
  for (const client of [slow, honest]) client.destroy()
})

test('the same over HTTP/2, where other streams of the connection go on', async () => {
  await use({ minimumRate: { request: '500b', grace: '1s' } })
  const session = connect(`http://127.0.0.1:${portico.gatewayPort}`)
  try {
    const status = (stream: ClientHttp2Stream): Promise<number> =>
      new Promise((resolve, reject) => {
        stream.on('response', headers => resolve(Number(headers[':status'])))
        stream.on('error', reject)
      })
    const slow = session.request({ ':method': 'POST', ':path': '/x' }, { endStream: false })
    slow.write('begin')
    assert.equal(await within(status(slow), () => 'the refusal', 10_000), 408)
    const next = session.request({ ':path': '/x' })
    assert.equal(await within(status(next), () => 'the next call'), 200)
  } finally {
    session.destroy()
  }
})

test('a body that waits because the service is slow is not the fault of the client', async () => {
  await use({ minimumRate: { request: '1kb', grace: '1s' } })
  const client = await rawClient(portico.gatewayPort)
  client.send(`${head('POST /hold HTTP/1.1', 'Content-Length: 5')}hello`)
  await eventually(async () => (held.length === 1 ? true : null), 'the call')
  // Longer than the grace: nothing is to come from the client any more.
  await new Promise(resolve => setTimeout(resolve, 2500))
  held[0]?.()
  assert.equal((await client.readFinalResponse()).status, 200)
  client.destroy()
})

test('a client that does not read is disconnected; a slow one and a silent stream are not', async () => {
  const piece = Buffer.alloc(65_536, 'x')
  const endless = await scriptedOrigin(async connection => {
    const request = await connection.readRequest()
    if (request?.target === '/events') {
      connection.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n')
      return
    }
    connection.send('HTTP/1.1 200 OK\r\n\r\n')
    const more = (): void => {
      while (!connection.socket.destroyed && connection.socket.write(piece));
    }
    connection.socket.on('drain', more)
    more()
  })
  try {
    const settings = { minimumRate: { response: '500kb', grace: '1s' } }
    await portico.reload(oneService(endless.url, {}, {}, settings))
    await eventually(async () => ((await sum('connections')) === 0 ? true : null), 'no connection')
    const silent = await rawClient(portico.gatewayPort)
    silent.send(get('/events'))
    await silent.readUntil('data: 1')
    const slow = await rawClient(portico.gatewayPort)
    slow.send(get('/endless'))
    await slow.readUntil('\r\n\r\n')
    // At most 64 kB in five milliseconds, far less than the gateway could send.
    let taken = 0
    slow.socket.removeAllListeners('data')
    slow.socket.on('data', (chunk: Buffer) => {
      taken += chunk.length
      slow.socket.pause()
      setTimeout(() => slow.socket.resume(), 5)
    })
    const dead = await rawClient(portico.gatewayPort)
    dead.socket.pause()
    dead.send(get('/endless'))
    await eventually(async () => ((await sum('connections')) === 3 ? true : null), 'three connections')
    await eventually(async () => ((await sum('connections')) === 2 ? true : null), 'the dead client to go')
    const before = taken
    await eventually(async () => (taken > before + 1_000_000 ? true : null), 'the slow client to get more')
    assert.equal(await sum('connections'), 2)
    assert.equal(silent.ending, 'open')
    for (const client of [silent, slow, dead]) client.destroy()
  } finally {
    await endless.stop()
  }
})

test('bytes for slow readers are bounded over all connections, and bodies still arrive whole', async () => {
  await use({ limits: { buffered: '1mb' } })
  const big = Buffer.alloc(3_000_000, 'y')
  const source = await scriptedOrigin(answerEach(() => ok(big.toString('latin1'))))
  try {
    await portico.reload(oneService(source.url, {}, {}, { limits: { buffered: '1mb' } }))
    const clients = await Promise.all(Array.from({ length: 20 }, () => rawClient(portico.gatewayPort)))
    for (const client of clients) client.send(get('/big'))
    for (const client of clients) {
      assert.equal((await client.readFinalResponse({ milliseconds: 10_000 })).body.length, big.length)
      client.destroy()
    }
  } finally {
    await source.stop()
  }
})
