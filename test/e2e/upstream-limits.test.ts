import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { get, head } from '../conformance/case-table.ts'
import {
  answerEach,
  eventually,
  headerOf,
  ok,
  oneService,
  type Portico,
  type RawClient,
  rawCall,
  rawClient,
  type ScriptedOrigin,
  scriptedOrigin,
  startPortico,
  type UpstreamStatus,
} from '../harness.ts'

let portico: Portico
let origin: ScriptedOrigin
/** Lets one held answer of the origin go, in order of arrival. */
let held: (() => void)[] = []
let atOnce = 0
let mostAtOnce = 0

/** An origin that answers when it is told to. */
const holding = (): Promise<ScriptedOrigin> =>
  scriptedOrigin(
    answerEach(async request => {
      mostAtOnce = Math.max(mostAtOnce, ++atOnce)
      await new Promise<void>(resolve => held.push(resolve))
      atOnce--
      return ok(request.target)
    }),
  )

const use = async (upstream: object, more: object = {}): Promise<void> => {
  held = []
  atOnce = 0
  mostAtOnce = 0
  origin = await holding()
  await portico.reload(oneService(origin.url, more, upstream))
}

const upstreams = async (): Promise<UpstreamStatus[]> =>
  (await portico.status()).workers.flatMap(({ load }) => load.upstreams)

const waiting = async (count: number): Promise<void> => {
  await eventually(async () => {
    const sum = (await upstreams()).reduce((total, { waiting }) => total + (waiting ?? 0), 0)
    return sum === count ? true : null
  }, `${count} calls to wait`)
}

const arrived = (count: number): Promise<true> =>
  origin.waitFor(() => (origin.requests.length === count ? true : null), `${count} requests`)

const send = async (target: string, ...fields: string[]): Promise<RawClient> => {
  const client = await rawClient(portico.gatewayPort)
  client.send(get(target, ...fields))
  return client
}

const targets = (): string[] => origin.requests.map(request => request.target)

before(async () => {
  const first = await scriptedOrigin(answerEach(() => ok()))
  const config = { ...(oneService(first.url) as Record<string, unknown>) }
  portico = await startPortico({ config })
  await first.stop()
})
beforeEach(async () => {
  await origin?.stop()
})
after(async () => {
  await portico?.stop()
  await origin?.stop()
})

test('calls above the limit wait, and go on in the order in which they came', async () => {
  await use({ limits: { requests: 1 } })
  const clients = [await send('/1')]
  await arrived(1)
  for (let i = 2; i <= 5; i++) {
    clients.push(await send(`/${i}`))
    await waiting(i - 1)
  }
  assert.deepEqual(targets(), ['/1'])
  for (let i = 1; i <= 5; i++) {
    await arrived(i)
    held[i - 1]?.()
    assert.equal((await (clients[i - 1] as RawClient).readFinalResponse()).body.toString(), `/${i}`)
  }
  assert.deepEqual(targets(), ['/1', '/2', '/3', '/4', '/5'])
  assert.equal(mostAtOnce, 1)
  for (const client of clients) client.destroy()
})

test('a consumer with many calls does not hold up one with few', async () => {
  await use({ limits: { requests: 1 } }, { policies: { 'key-auth': {} } })
  const config = oneService(origin.url, { policies: { 'key-auth': {} } }, { limits: { requests: 1 } })
  await portico.reload({
    ...config,
    consumers: ['noisy', 'quiet'].map(name => ({ name, keys: [{ secret: `key-of-${name}` }] })),
  })
  const clients = [await send('/n1', 'X-Api-Key: key-of-noisy')]
  await arrived(1)
  for (const [index, target] of ['/n2', '/n3', '/n4', '/q1', '/q2'].entries()) {
    clients.push(await send(target, `X-Api-Key: key-of-${target[1] === 'n' ? 'noisy' : 'quiet'}`))
    await waiting(index + 1)
  }
  for (let i = 1; i <= 6; i++) {
    await arrived(i)
    held[i - 1]?.()
  }
  for (const client of clients) assert.equal((await client.readFinalResponse()).status, 200)
  assert.deepEqual(targets(), ['/n1', '/n2', '/q1', '/n3', '/q2', '/n4'])
  for (const client of clients) client.destroy()
})

test('what the queue has no place for is refused at once', async () => {
  await use({ limits: { requests: 1, queue: 1 } })
  const clients = [await send('/1')]
  await arrived(1)
  clients.push(await send('/2'))
  await waiting(1)
  const refused = await rawCall(portico.gatewayPort, get('/3'))
  assert.equal(refused.status, 503)
  const metrics = String((await portico.console('/metrics')).body)
  for (const line of ['in_flight{upstream="main"} 1', 'waiting{upstream="main"} 1', 'refused_total{upstream="main"} 1'])
    assert.ok(metrics.includes(`\nportico_upstream_${line}\n`), line)
  assert.equal(JSON.parse(refused.body.toString()).code, 'overloaded')
  assert.ok(headerOf(refused, 'retry-after'))
  held[0]?.()
  await arrived(2)
  held[1]?.()
  for (const client of clients) assert.equal((await client.readFinalResponse()).status, 200)
  for (const client of clients) client.destroy()
})

test('what waits too long is refused, and never reaches the origin', async () => {
  await use({ limits: { requests: 1, queueTimeout: '100ms' } })
  const first = await send('/1')
  await arrived(1)
  const refused = await rawCall(portico.gatewayPort, get('/2'))
  assert.equal(refused.status, 503)
  assert.equal(JSON.parse(refused.body.toString()).code, 'overloaded')
  held[0]?.()
  assert.equal((await first.readFinalResponse()).status, 200)
  assert.deepEqual(targets(), ['/1'])
  first.destroy()
})

test('waiting counts for the total timeout', async () => {
  await use({ limits: { requests: 1, queueTimeout: '1m' }, timeouts: { total: '200ms' } })
  const first = await send('/1')
  await arrived(1)
  assert.equal((await rawCall(portico.gatewayPort, get('/2'))).status, 504)
  assert.equal((await first.readFinalResponse()).status, 504)
  first.destroy()
})

test('who leaves gives up its place', async () => {
  await use({ limits: { requests: 1, queue: 2 } })
  const first = await send('/1')
  await arrived(1)
  const gone = [await send('/gone1'), await send('/gone2')]
  await waiting(2)
  for (const client of gone) client.destroy()
  await waiting(0)
  const next = await send('/2')
  await waiting(1)
  held[0]?.()
  await arrived(2)
  held[1]?.()
  for (const client of [first, next]) assert.equal((await client.readFinalResponse()).status, 200)
  assert.deepEqual(targets(), ['/1', '/2'])
  for (const client of [first, next]) client.destroy()
})

test('the limit is that of each target, and calls go where there is room', async () => {
  const other = await holding()
  try {
    await use({})
    const upstream = { targets: [{ url: origin.url }, { url: other.url }], limits: { requests: 2 } }
    await portico.reload(oneService('', {}, upstream))
    const clients: RawClient[] = []
    for (let i = 0; i < 5; i++) clients.push(await send(`/${i}`))
    await waiting(1)
    assert.equal(origin.requests.length, 2)
    assert.equal(other.requests.length, 2)
    const release = setInterval(() => {
      for (const go of held.splice(0)) go()
    }, 5)
    for (const client of clients) assert.equal((await client.readFinalResponse()).status, 200)
    clearInterval(release)
    for (const client of clients) client.destroy()
  } finally {
    await other.stop()
  }
})

test('no more connections are opened than allowed', async () => {
  await use({ limits: { connections: 2 } })
  const clients: RawClient[] = []
  for (let i = 0; i < 10; i++) clients.push(await send(`/${i}`))
  await waiting(8)
  const release = setInterval(() => {
    for (const go of held.splice(0)) go()
  }, 5)
  for (const client of clients) assert.equal((await client.readFinalResponse()).status, 200)
  clearInterval(release)
  assert.equal(origin.connections.length, 2)
  assert.equal(mostAtOnce, 2)
  for (const client of clients) client.destroy()
})

test('a failed try gives its place back', async () => {
  await use({ limits: { requests: 1 }, timeouts: { response: '500ms' } })
  for (let i = 0; i < 3; i++) {
    const response = await rawCall(portico.gatewayPort, get(`/${i}`))
    assert.equal(response.status, 504, response.body.toString())
  }
  const left = await send('/left')
  await arrived(4)
  left.destroy()
  const next = await send('/next')
  await arrived(5)
  held[4]?.()
  assert.equal((await next.readFinalResponse()).status, 200)
  next.destroy()
  assert.equal((await upstreams())[0]?.inFlight, 0)
})

test('a reload keeps the count of what is in flight', async () => {
  await use({ limits: { requests: 1 } })
  const first = await send('/1')
  await arrived(1)
  await portico.reload(oneService(origin.url, {}, { limits: { requests: 1, queueTimeout: '100ms' } }))
  assert.equal((await rawCall(portico.gatewayPort, get('/2'))).status, 503)
  held[0]?.()
  assert.equal((await first.readFinalResponse()).status, 200)
  const next = await send('/3')
  await arrived(2)
  held[1]?.()
  assert.equal((await next.readFinalResponse()).status, 200)
  for (const client of [first, next]) client.destroy()
})

test('adaptive concurrency lets calls pass and shows its limit', async () => {
  await use({ concurrency: { adaptive: { initial: 2, min: 1, max: 2 } } })
  const clients = [await send('/1'), await send('/2')]
  await arrived(2)
  clients.push(await send('/3'))
  await waiting(1)
  assert.equal((await upstreams())[0]?.adaptiveLimit, 2)
  for (const go of held.splice(0)) go()
  await arrived(3)
  for (const go of held.splice(0)) go()
  for (const client of clients) assert.equal((await client.readFinalResponse()).status, 200)
  for (const client of clients) client.destroy()
})

test('a body waits with its call and arrives whole', async () => {
  await use({ limits: { requests: 1 } })
  const first = await send('/1')
  await arrived(1)
  const second = await rawClient(portico.gatewayPort)
  second.send(`${head('POST /2 HTTP/1.1', 'Content-Length: 5')}hello`)
  await waiting(1)
  held[0]?.()
  await arrived(2)
  held[1]?.()
  assert.equal((await second.readFinalResponse()).status, 200)
  assert.equal(origin.requests[1]?.body.toString(), 'hello')
  for (const client of [first, second]) client.destroy()
})

test('adaptive concurrency finds out what a service can take at a time', async () => {
  // Four places of ten milliseconds; whoever finds none waits in the line of the service.
  const line: (() => void)[] = []
  let running = 0
  const work = async (): Promise<void> => {
    if (running >= 4) await new Promise<void>(resolve => line.push(resolve))
    running++
    await new Promise(resolve => setTimeout(resolve, 10))
    running--
    line.shift()?.()
  }
  const service = await scriptedOrigin(
    answerEach(async () => {
      await work()
      return ok()
    }),
  )
  try {
    const concurrency = { adaptive: { initial: 60, max: 100, min: 2 } }
    await portico.reload(oneService(service.url, {}, { concurrency, timeouts: { response: '10s' } }))
    let stop = false
    const lanes = Array.from({ length: 60 }, async () => {
      const client = await rawClient(portico.gatewayPort)
      while (!stop) {
        client.send(get('/x'))
        assert.equal((await client.readFinalResponse({ milliseconds: 20_000 })).status, 200)
      }
      client.destroy()
    })
    await eventually(
      async () => (((await upstreams())[0]?.adaptiveLimit ?? 100) < 25 ? true : null),
      'the limit to fall',
      20_000,
    )
    stop = true
    await Promise.all(lanes)
  } finally {
    await service.stop()
  }
})
