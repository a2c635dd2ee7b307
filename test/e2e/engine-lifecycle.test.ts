import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { get, head } from '../conformance/case-table.ts'
import {
  answerEach,
  eventually,
  headerOf,
  ok,
  oneService,
  type RawClient,
  rawCall,
  rawClient,
  scriptedOrigin,
  startPortico,
  type WorkerStatus,
  within,
} from '../harness.ts'
import { bulkOrigin } from './bulk.ts'

const plain = answerEach(request => ok(request.target))

test('a head, a body and an idle connection each have their time', async t => {
  const origin = await scriptedOrigin(plain)
  const timeouts = { requestHead: '400ms', idle: '700ms', drain: '1s' }
  const portico = await startPortico({ config: oneService(origin.url, {}, {}, { timeouts }) })
  try {
    await Promise.all([
      t.test('a head that is not complete in time is 408', async () => {
        const client = await rawClient(portico.gatewayPort)
        client.send('GET /x HTTP/1.1\r\nHost: a.te')
        assert.equal((await client.readFinalResponse()).status, 408)
        await client.waitClose()
        client.destroy()
      }),
      t.test('bytes that trickle in do not extend the time of a head', async () => {
        const client = await rawClient(portico.gatewayPort)
        client.send('GET /x HTTP/1.1\r\nHost: a.test\r\nX-A: ')
        const dripping = setInterval(() => client.send('x'), 50)
        try {
          assert.equal((await client.readFinalResponse()).status, 408)
        } finally {
          clearInterval(dripping)
          client.destroy()
        }
      }),
      t.test('a connection on which nothing comes is closed without a word', async () => {
        const client = await rawClient(portico.gatewayPort)
        assert.equal((await client.waitClose()).rest.length, 0)
        client.destroy()
      }),
      t.test('an idle connection is closed without a word', async () => {
        const client = await rawClient(portico.gatewayPort)
        client.send(get('/x'))
        assert.equal((await client.readFinalResponse()).status, 200)
        assert.equal((await client.waitClose()).rest.length, 0)
        client.destroy()
      }),
      t.test('a body that stops is 408 and frees the origin', async () => {
        const client = await rawClient(portico.gatewayPort)
        client.send(`${head('POST /stops HTTP/1.1', 'Content-Length: 100')}hello`)
        assert.equal((await client.readFinalResponse()).status, 408)
        await client.waitClose()
        client.destroy()
        const connection = origin.connections.find(c => c.received.includes('/stops'))
        await connection?.waitClose()
      }),
    ])
  } finally {
    await portico.stop()
    await origin.stop()
  }
})

test('a client that reads nothing of its response is let go after the idle time', async () => {
  const origin = await bulkOrigin()
  const timeouts = { idle: '600ms', drain: '1s' }
  const portico = await startPortico({ config: oneService(origin.url, {}, {}, { timeouts }) })
  const socket = connect(portico.gatewayPort, '127.0.0.1')
  try {
    await once(socket, 'connect')
    socket.pause()
    socket.on('error', () => {})
    socket.write(get(`/down/${300 * 1024 * 1024}`))
    await eventually(async () => (origin.sent() > 0 ? true : null), 'the response to begin')
    await eventually(async () => {
      const { load } = (await portico.status()).workers[0] as WorkerStatus
      return load.connections + load.activeCalls + load.upstreamConnections === 0 ? true : null
    }, 'the call to be given up')
  } finally {
    socket.destroy()
    await portico.stop()
    await origin.stop()
  }
})

test('a response that never ends is cut at the total time, though bytes keep coming', async () => {
  const origin = await scriptedOrigin(async connection => {
    await connection.readRequest()
    connection.send('HTTP/1.1 200 OK\r\n\r\n')
    const dripping = setInterval(() => connection.send('x'), 50)
    await connection.waitClose(60_000).finally(() => clearInterval(dripping))
  })
  const upstream = { timeouts: { response: '500ms', total: '1s' } }
  const portico = await startPortico({ config: oneService(origin.url, {}, upstream) })
  try {
    const client = await rawClient(portico.gatewayPort)
    client.send(get('/x'))
    const response = await client.readFinalResponse()
    assert.equal(response.complete, false)
    await (await origin.connection(0)).waitClose()
    client.destroy()
  } finally {
    await portico.stop()
    await origin.stop()
  }
})

test('a change of the configuration under load: every call succeeds, none sees a mixture', async () => {
  const echo = answerEach(request => ok(headerOf(request, 'x-version') ?? 'none'))
  const origins = [await scriptedOrigin(echo), await scriptedOrigin(echo)]
  const version = (n: number): object =>
    oneService(
      origins[n % 2]?.url as string,
      { policies: { 'transform-response': { headers: { set: { 'x-version': `v${n}` } } } } },
      { headers: { 'x-version': `v${n}` } },
    )
  const portico = await startPortico({ config: version(0), workers: 2 })
  try {
    let running = true
    const seen = new Set<string>()
    const load = async (client: RawClient): Promise<number> => {
      let count = 0
      while (running) {
        client.send(get('/x'))
        const response = await client.readFinalResponse()
        assert.equal(response.status, 200)
        assert.equal(headerOf(response, 'x-version'), response.body.toString(), 'two snapshots served one call')
        seen.add(response.body.toString())
        count++
      }
      client.destroy()
      return count
    }
    const clients = await Promise.all(Array.from({ length: 8 }, () => rawClient(portico.gatewayPort)))
    const work = Promise.all(clients.map(load))
    work.catch(() => {})
    for (let n = 1; n <= 10; n++) {
      await portico.reload(version(n))
      // The new snapshot serves as soon as the status shows it.
      assert.equal((await rawCall(portico.gatewayPort, get('/now'))).body.toString(), `v${n}`)
    }
    running = false
    const counts = await work
    assert.ok(
      counts.every(count => count > 10),
      `calls per connection: ${counts}`,
    )
    assert.ok(seen.size >= 5, `versions seen: ${[...seen]}`)
  } finally {
    await portico.stop()
    await Promise.all(origins.map(origin => origin.stop()))
  }
})

test('a wrong configuration at reload changes nothing but the status', async () => {
  const origin = await scriptedOrigin(plain)
  const portico = await startPortico({ config: oneService(origin.url) })
  try {
    const before = await portico.status()
    const after = await portico.reload('version: 1\nservices: [{ name: main, upstrem: {} }]\n')
    assert.equal(after.snapshot.revision, before.snapshot.revision)
    assert.match(JSON.stringify(after.lastReloadError), /upstrem/)
    assert.equal((await rawCall(portico.gatewayPort, get('/x'))).status, 200)
    const healed = await portico.reload(oneService(origin.url, { policies: { 'body-limit': {} } }))
    assert.equal(healed.lastReloadError, null)
  } finally {
    await portico.stop()
    await origin.stop()
  }
})

test('SIGTERM: calls in flight are answered, idle connections closed, nobody new let in, exit code 0', async () => {
  let answer = () => {}
  const gate = new Promise<void>(resolve => {
    answer = resolve
  })
  const origin = await scriptedOrigin(
    answerEach(async request => {
      if (request.target === '/slow') await gate
      return ok(request.target)
    }),
  )
  const portico = await startPortico({ config: oneService(origin.url, {}, {}, { timeouts: { drain: '20s' } }) })
  try {
    const idle = await rawClient(portico.gatewayPort)
    idle.send(get('/x'))
    await idle.readFinalResponse()
    const busy = await rawClient(portico.gatewayPort)
    busy.send(get('/slow'))
    await origin.waitFor(() => origin.requests.find(request => request.target === '/slow') ?? null, '/slow')
    portico.signal('SIGTERM')
    await idle.waitClose()
    const refused = await new Promise<string>(resolve => {
      const socket = connect(portico.gatewayPort, '127.0.0.1')
      socket.once('error', () => resolve('refused'))
      socket.once('connect', () => socket.destroy(resolve('accepted') as never))
    })
    assert.equal(refused, 'refused')
    answer()
    const response = await busy.readFinalResponse()
    assert.equal(response.body.toString(), '/slow')
    assert.equal(headerOf(response, 'connection'), 'close')
    assert.deepEqual(await within(portico.exited, () => 'the end of the process', 10_000), { code: 0, signal: null })
    busy.destroy()
    idle.destroy()
  } finally {
    await portico.stop()
    await origin.stop()
  }
})

test('SIGTERM: a call that does not end is cut when the drain time is over', async () => {
  const origin = await scriptedOrigin(async connection => {
    await connection.readRequest()
  })
  const portico = await startPortico({ config: oneService(origin.url, {}, {}, { timeouts: { drain: '300ms' } }) })
  try {
    const client = await rawClient(portico.gatewayPort)
    client.send(get('/never'))
    await origin.waitFor(() => origin.requests[0] ?? null, 'the request')
    portico.signal('SIGTERM')
    await client.waitClose()
    assert.equal((await within(portico.exited, () => 'the end of the process', 10_000)).code, 0)
    client.destroy()
  } finally {
    await portico.stop()
    await origin.stop()
  }
})

for (const algorithm of ['gcra', 'sliding-window', 'fixed-window'])
  test(`two workers count one ${algorithm} limit exactly`, async () => {
    const origin = await scriptedOrigin(plain)
    const policies = { 'rate-limit': { limit: 100, window: '30d', by: 'service', algorithm } }
    const portico = await startPortico({ config: oneService(origin.url, { policies }), workers: 2 })
    try {
      assert.equal((await portico.status()).workers.length, 2)
      const statuses = await Promise.all(
        Array.from({ length: 30 }, async () => {
          const client = await rawClient(portico.gatewayPort)
          const results: number[] = []
          for (let i = 0; i < 10; i++) {
            client.send(get('/x'))
            results.push((await client.readFinalResponse()).status)
          }
          client.destroy()
          return results
        }),
      )
      const all = statuses.flat()
      assert.equal(all.filter(status => status === 200).length, 100)
      assert.equal(all.filter(status => status === 429).length, 200)
    } finally {
      await portico.stop()
      await origin.stop()
    }
  })
