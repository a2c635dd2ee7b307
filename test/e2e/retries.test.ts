import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { get, head } from '../conformance/case-table.ts'
import {
  answerEach,
  eventually,
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
const at: number[] = []

/** Fails the first `failures` requests in one way; answers the rest. */
const failing = (failures: number, fail: (connection: Parameters<OriginScript>[0]) => string | null): OriginScript => {
  let seen = 0
  return async connection => {
    for (;;) {
      const request = await connection.readRequest(600_000)
      if (request === null) return connection.end()
      at.push(performance.now())
      const answer = seen++ < failures ? fail(connection) : ok(request.body.toString() || 'at last')
      if (answer === null) return
      connection.send(answer)
    }
  }
}

const status = (code: number, fields = ''): string => `HTTP/1.1 ${code} Status\r\nContent-Length: 0\r\n${fields}\r\n`
const quick = { backoff: { base: '1ms', max: '2ms' } }

const use = async (script: OriginScript, retry: object, upstream: object = {}): Promise<void> => {
  origin = await scriptedOrigin(script)
  at.length = 0
  await portico.reload(oneService(origin.url, {}, { retry: { ...quick, ...retry }, ...upstream }))
}

before(async () => {
  const first = await scriptedOrigin(answerEach(() => ok()))
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

const resets = (connection: Parameters<OriginScript>[0]): null => {
  connection.reset()
  return null
}
const hangs = (): null => null

for (const [name, fail, on, code] of [
  ['a reset', resets, undefined, 502],
  ['a 502', () => status(502), undefined, 502],
  ['a 503', () => status(503), undefined, 503],
  ['a 504', () => status(504), undefined, 504],
  ['a 429', () => status(429), [429], 429],
  ['a 500', () => status(500), [500], 500],
  ['a timeout', hangs, ['timeout'], 504],
] as const) {
  const policy = on === undefined ? {} : { on }
  const upstream = name === 'a timeout' ? { timeouts: { response: '500ms' } } : {}
  test(`a GET is tried again after ${name} where the policy says so`, async () => {
    await use(failing(2, fail), { ...policy, attempts: 2 }, upstream)
    assert.equal((await rawCall(portico.gatewayPort, get('/x'))).body.toString(), 'at last')
    assert.equal(origin.requests.length, 3)
  })

  test(`a GET is not tried again after ${name} where the policy does not`, async () => {
    await use(failing(2, fail), { on: ['connect'], attempts: 2 }, upstream)
    assert.equal((await rawCall(portico.gatewayPort, get('/x'))).status, code)
    assert.equal(origin.requests.length, 1)
  })

  test(`a POST is not tried again after ${name}`, async () => {
    await use(failing(2, fail), { ...policy, attempts: 2, bufferBody: '1kb' }, upstream)
    const response = await rawCall(portico.gatewayPort, `${head('POST /x HTTP/1.1', 'Content-Length: 2')}hi`)
    assert.equal(response.status, code)
    assert.equal(origin.requests.length, 1)
  })
}

test('one try may take perTryTimeout; what it cuts off is tried again', async () => {
  await use(failing(1, hangs), { attempts: 1, perTryTimeout: '500ms' })
  assert.equal((await rawCall(portico.gatewayPort, get('/x'))).body.toString(), 'at last')
  assert.equal(origin.requests.length, 2)
})

test('the total timeout ends all tries', async () => {
  await use(failing(100, hangs), { attempts: 10, perTryTimeout: '100ms' }, { timeouts: { total: '1s' } })
  assert.equal((await rawCall(portico.gatewayPort, get('/x'))).status, 504)
  assert.ok(origin.requests.length >= 2 && origin.requests.length <= 10, `${origin.requests.length} tries`)
})

test('no wait goes beyond the total timeout: the failure is the answer', async () => {
  const retry = { attempts: 3, backoff: { base: '1ms', max: '30s' } }
  await use(
    failing(100, () => status(503, 'Retry-After: 20\r\n')),
    retry,
    { timeouts: { total: '1s' } },
  )
  assert.equal((await rawCall(portico.gatewayPort, get('/x'))).status, 503)
  assert.equal(origin.requests.length, 1)
})

test('Retry-After of 503 and 429 is waited for, up to the longest wait', async () => {
  for (const code of [503, 429]) {
    const retry = { attempts: 1, on: [code], backoff: { base: '1ms', max: '300ms' } }
    await use(
      failing(1, () => status(code, 'Retry-After: 1\r\n')),
      retry,
    )
    assert.equal((await rawCall(portico.gatewayPort, get('/x'))).status, 200)
    const waited = (at[1] as number) - (at[0] as number)
    assert.ok(waited >= 295, `waited ${waited} ms`)
    await origin.stop()
  }
})

test('a client that leaves while its call waits for another try ends the call', async () => {
  await use(
    failing(100, () => status(503, 'Retry-After: 60\r\n')),
    { attempts: 3, backoff: { max: '1m' } },
  )
  const client = await rawClient(portico.gatewayPort)
  client.send(get('/x'))
  await origin.waitFor(() => (origin.requests.length === 1 ? true : null), 'the first try')
  client.destroy()
  await eventually(async () => {
    const [worker] = (await portico.status()).workers
    return worker?.load.activeCalls === 0 ? true : null
  }, 'the call to end')
  assert.equal(origin.requests.length, 1)
})

test('the budget keeps a failing service from being called much more often', async () => {
  await use(
    failing(10_000, () => status(503)),
    { attempts: 5, budget: { percent: 10, minimum: 0 } },
  )
  for (let i = 0; i < 200; i++) assert.equal((await rawCall(portico.gatewayPort, get(`/${i}`))).status, 503)
  assert.ok(origin.requests.length > 200 && origin.requests.length <= 220, `${origin.requests.length} requests`)
})

test('the budget of an idle upstream has a minimum', async () => {
  await use(
    failing(10_000, () => status(503)),
    { attempts: 10, budget: { percent: 0, minimum: 1 } },
  )
  for (let i = 0; i < 4; i++) await rawCall(portico.gatewayPort, get(`/${i}`))
  assert.equal(origin.requests.length, 4 + 10)
})

const bodies: [string, string, string][] = [
  ['of known length', 'Content-Length: 11', 'hello world'],
  ['in chunks', 'Transfer-Encoding: chunked', '6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n'],
]
for (const [name, field, body] of bodies) {
  test(`a body ${name} that was kept is sent again whole`, async () => {
    await use(
      failing(2, () => status(503)),
      { attempts: 2, methods: ['POST'], bufferBody: '1kb' },
    )
    const response = await rawCall(portico.gatewayPort, head('POST /x HTTP/1.1', field) + body)
    assert.equal(response.body.toString(), 'hello world')
    assert.deepEqual(
      origin.requests.map(request => request.body.toString()),
      ['hello world', 'hello world', 'hello world'],
    )
  })

  test(`a body ${name} that was not kept is not sent again`, async () => {
    for (const retry of [{}, { bufferBody: '8b' }]) {
      await use(
        failing(2, () => status(503)),
        { attempts: 2, methods: ['POST'], ...retry },
      )
      assert.equal((await rawCall(portico.gatewayPort, head('POST /x HTTP/1.1', field) + body)).status, 503)
      assert.equal(origin.requests.length, 1)
      await origin.stop()
    }
  })
}

test('a body of which only the beginning was sent goes on with the next try', async () => {
  await use(
    async connection => {
      if (connection.index === 0) {
        await connection.readUntil('hello ')
        connection.reset()
        return
      }
      const request = await connection.readRequest()
      connection.send(ok(request?.body.toString()))
    },
    { attempts: 1, methods: ['POST'], bufferBody: '1kb' },
  )
  const client = await rawClient(portico.gatewayPort)
  client.send(`${head('POST /x HTTP/1.1', 'Content-Length: 11')}hello `)
  await origin.connection(1)
  client.send('world')
  assert.equal((await client.readFinalResponse()).body.toString(), 'hello world')
  client.destroy()
})

test('an event stream may be silent for longer than a response may take', async () => {
  let release = () => {}
  const gate = new Promise<void>(resolve => {
    release = resolve
  })
  await use(
    async connection => {
      await connection.readRequest()
      connection.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n')
      await gate
      connection.send('data: 2\n\n')
      connection.end()
    },
    {},
    { timeouts: { response: '100ms' } },
  )
  const client = await rawClient(portico.gatewayPort)
  client.send(get('/x'))
  await client.readUntil('data: 1')
  // The silence itself is what is tested: three times what a response may take.
  setTimeout(release, 300)
  await client.readUntil('data: 2')
  client.destroy()
})

for (const [name, type, timeouts] of [
  ['any other response', 'text/plain', { response: '100ms' }],
  ['an event stream with a limit of its own', 'text/event-stream', { idle: '100ms' }],
] as const)
  test(`${name} is cut when it falls silent`, async () => {
    await use(
      async connection => {
        await connection.readRequest()
        connection.send(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: 100\r\n\r\nbegin`)
      },
      {},
      { timeouts },
    )
    const client = await rawClient(portico.gatewayPort)
    client.send(get('/x'))
    await client.readUntil('begin')
    await client.waitClose()
  })
