import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { get, head } from '../conformance/case-table.ts'
import {
  answerEach,
  type OriginScript,
  ok,
  oneService,
  type Portico,
  rawCall,
  rawClient,
  type ScriptedOrigin,
  scriptedOrigin,
  startPortico,
} from '../harness.ts'

let portico: Portico
let origin: ScriptedOrigin
/** A new origin for each test, so that its connections can be counted. */
const use = async (script: OriginScript, upstream: object = {}): Promise<ScriptedOrigin> => {
  origin = await scriptedOrigin(script)
  await portico.reload(oneService(origin.url, {}, upstream))
  return origin
}

const plain = answerEach(request => ok(`${request.method} ${request.target}`))

/** Answers the first request of the first connection; at the second one it dies without a word. Others are answered. */
const diesOnReuse: OriginScript = async connection => {
  if (connection.index > 0) return plain(connection)
  await connection.readRequest(600_000)
  connection.send(ok('first'))
  await connection.readRequest(600_000)
  connection.reset()
}

before(async () => {
  const first = await scriptedOrigin(plain)
  portico = await startPortico({ config: oneService(first.url) })
  await first.stop()
})
beforeEach(async () => {
  await origin?.stop()
})
after(async () => {
  await portico?.stop()
  await origin?.stop()
})

test('calls one after the other share one connection to the origin', async () => {
  await use(plain)
  for (let i = 0; i < 50; i++) assert.equal((await rawCall(portico.gatewayPort, get(`/${i}`))).status, 200)
  assert.equal(origin.connections.length, 1)
})

test('calls at the same time get connections of their own, which are kept', async () => {
  let release = () => {}
  const gate = new Promise<void>(resolve => {
    release = resolve
  })
  await use(
    answerEach(async request => {
      await gate
      return ok(request.target)
    }),
  )
  const clients = await Promise.all(Array.from({ length: 20 }, () => rawClient(portico.gatewayPort)))
  for (const [i, client] of clients.entries()) client.send(get(`/${i}`))
  await origin.waitFor(() => (origin.requests.length === 20 ? true : null), '20 requests')
  release()
  for (const [i, client] of clients.entries()) assert.equal((await client.readFinalResponse()).body.toString(), `/${i}`)
  for (const client of clients) client.send(get('/again'))
  for (const client of clients) assert.equal((await client.readFinalResponse()).status, 200)
  assert.equal(origin.connections.length, 20)
  for (const client of clients) client.destroy()
})

for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS'])
  test(`${method} is repeated when a kept connection dies before it answers`, async () => {
    await use(diesOnReuse)
    assert.equal((await rawCall(portico.gatewayPort, get('/first'))).body.toString(), 'first')
    const response = await rawCall(portico.gatewayPort, head(`${method} /second HTTP/1.1`), method)
    assert.equal(response.status, 200)
    assert.deepEqual(
      origin.requests.map(request => `${request.method} ${request.target}`),
      ['GET /first', `${method} /second`, `${method} /second`],
    )
  })

for (const method of ['POST', 'PATCH'])
  test(`${method} that may have been processed is not repeated`, async () => {
    await use(diesOnReuse)
    await rawCall(portico.gatewayPort, get('/first'))
    const response = await rawCall(
      portico.gatewayPort,
      `${head(`${method} /second HTTP/1.1`, 'Content-Length: 5')}hello`,
    )
    assert.equal(response.status, 502)
    assert.equal(origin.requests.filter(request => request.method === method).length, 1)
  })

test('a GET is not repeated when a new connection dies, unless retries are configured', async () => {
  const dies: OriginScript = async connection => {
    if (!(await connection.readRequest())) return
    connection.reset()
  }
  await use(dies, { retry: { attempts: 0 } })
  assert.equal((await rawCall(portico.gatewayPort, get('/x'))).status, 502)
  assert.equal(origin.requests.length, 1)
})

test('nothing is repeated once a byte of the response has come', async () => {
  await use(
    async connection => {
      await connection.readRequest(600_000)
      connection.send(ok('first'))
      if (!(await connection.readRequest(600_000))) return
      connection.send('HTTP/1.1 200 OK\r\nContent-Le')
      connection.end()
    },
    { retry: { attempts: 0 } },
  )
  await rawCall(portico.gatewayPort, get('/first'))
  const response = await rawCall(portico.gatewayPort, get('/second'))
  assert.equal(response.status, 502)
  assert.equal(origin.requests.filter(request => request.target === '/second').length, 1)
})

test('a kept connection that the origin closes is not used again, not even for a POST', async () => {
  await use(plain)
  await rawCall(portico.gatewayPort, get('/first'))
  const kept = await origin.connection(0)
  kept.end()
  await kept.waitClose()
  const response = await rawCall(portico.gatewayPort, `${head('POST /second HTTP/1.1', 'Content-Length: 5')}hello`)
  assert.equal(response.status, 200)
  assert.equal(origin.connections.length, 2)
})

test('configured retries repeat an idempotent call on 503, and only that', async () => {
  const tries = new Map<string, number>()
  await use(
    answerEach(request => {
      const count = (tries.get(request.target) ?? 0) + 1
      tries.set(request.target, count)
      return count < 3 ? 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n' : ok('at last')
    }),
    { retry: { attempts: 2 } },
  )
  assert.equal((await rawCall(portico.gatewayPort, get('/get'))).body.toString(), 'at last')
  assert.equal(
    (await rawCall(portico.gatewayPort, `${head('POST /post HTTP/1.1', 'Content-Length: 2')}hi`)).status,
    503,
  )
  assert.equal(tries.get('/post'), 1)
})

test('a target that cannot be reached is passed over, for every method', async () => {
  const live = await scriptedOrigin(plain)
  const dead = await scriptedOrigin(plain)
  const deadUrl = dead.url
  await dead.stop()
  try {
    await portico.reload(oneService('', {}, { targets: [{ url: deadUrl }, { url: live.url }], retry: { attempts: 2 } }))
    for (let i = 0; i < 6; i++) {
      assert.equal((await rawCall(portico.gatewayPort, get(`/${i}`))).status, 200)
      const send = `${head(`POST /${i} HTTP/1.1`, 'Content-Length: 5')}hello`
      assert.equal((await rawCall(portico.gatewayPort, send)).status, 200)
    }
    assert.ok(
      live.requests.filter(request => request.method === 'POST').every(request => request.body.toString() === 'hello'),
    )
  } finally {
    await live.stop()
  }
})

test('round-robin shares calls evenly, by weight', async () => {
  const one = await scriptedOrigin(answerEach(() => ok('one')))
  const two = await scriptedOrigin(answerEach(() => ok('two')))
  try {
    await portico.reload(
      oneService(
        '',
        {},
        {
          targets: [
            { url: one.url, weight: 1 },
            { url: two.url, weight: 3 },
          ],
          balance: 'round-robin',
        },
      ),
    )
    const counts: Record<string, number> = { one: 0, two: 0 }
    for (let i = 0; i < 40; i++) {
      const name = (await rawCall(portico.gatewayPort, get('/x'))).body.toString()
      counts[name] = (counts[name] ?? 0) + 1
    }
    assert.deepEqual(counts, { one: 10, two: 30 })
  } finally {
    await one.stop()
    await two.stop()
  }
})

test('a connection is closed after as many requests as it may carry', async () => {
  await use(plain, { keepAlive: { requests: 3 } })
  for (let i = 0; i < 7; i++) assert.equal((await rawCall(portico.gatewayPort, get(`/${i}`))).status, 200)
  assert.deepEqual(
    origin.connections.map(connection => connection.requests.length),
    [3, 3, 1],
  )
})

test('a connection that is too old, or unused for too long, is closed', async () => {
  for (const keepAlive of [{ age: '100ms' }, { idle: '100ms' }]) {
    await use(plain, { keepAlive })
    await rawCall(portico.gatewayPort, get('/first'))
    const first = await origin.connection(0)
    if ('age' in keepAlive) {
      // It is looked at when a request has ended, not before.
      await new Promise(resolve => setTimeout(resolve, 200))
      await rawCall(portico.gatewayPort, get('/second'))
      assert.equal(origin.connections.length, 1)
    }
    await first.waitClose()
    await rawCall(portico.gatewayPort, get('/third'))
    assert.equal(origin.connections.length, 2)
    await origin.stop()
  }
})
