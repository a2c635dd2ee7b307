import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { get } from '../conformance/case-table.ts'
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
} from '../harness.ts'

let portico: Portico
let origin: ScriptedOrigin
let fails = false
let atOnce = 0
let mostAtOnce = 0

before(async () => {
  origin = await scriptedOrigin(
    answerEach(async request => {
      mostAtOnce = Math.max(mostAtOnce, ++atOnce)
      await new Promise(resolve => setImmediate(resolve))
      atOnce--
      return fails ? 'HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n' : ok(request.target)
    }),
  )
  portico = await startPortico({ config: oneService(origin.url), workers: 2 })
})
after(async () => {
  await portico?.stop()
  await origin?.stop()
})

const circuits = async (): Promise<(string | null | undefined)[]> =>
  (await portico.status()).workers.map(({ load }) => load.upstreams[0]?.circuit)

test('a circuit opens for all workers, lets a few calls try, and closes for all', async () => {
  const breaker = { failureRate: 50, minimumCalls: 10, openFor: '300ms', halfOpenCalls: 2 }
  await portico.reload(oneService(origin.url, {}, { breaker }))
  fails = true
  for (let i = 0; i < 10; i++) assert.equal((await rawCall(portico.gatewayPort, get(`/${i}`))).status, 500)
  assert.deepEqual(await circuits(), ['open', 'open'])
  const sent = origin.requests.length
  const refused = await rawCall(portico.gatewayPort, get('/refused'))
  if (origin.requests.length === sent) {
    assert.equal(refused.status, 503)
    assert.equal(JSON.parse(refused.body.toString()).code, 'circuit-open')
    assert.equal(headerOf(refused, 'retry-after'), '1')
    assert.match(headerOf(refused, 'proxy-status') ?? '', /destination_unavailable/)
  }
  // While it fails every trial opens the circuit again: few calls reach the origin.
  const before = origin.requests.length
  const start = performance.now()
  for (let i = 0; i < 200; i++) await rawCall(portico.gatewayPort, get(`/${i}`))
  const most = 2 * (1 + Math.ceil((performance.now() - start) / 300))
  assert.ok(origin.requests.length - before <= most, `${origin.requests.length - before} of 200 calls were sent`)
  fails = false
  await eventually(
    async () => ((await rawCall(portico.gatewayPort, get('/healed'))).status === 200 ? true : null),
    'the first call that passes',
  )
  await eventually(async () => {
    await rawCall(portico.gatewayPort, get('/healed'))
    return (await circuits()).every(state => state === 'closed') ? true : null
  }, 'the circuit to close')
  for (let i = 0; i < 20; i++) assert.equal((await rawCall(portico.gatewayPort, get(`/${i}`))).status, 200)
  assert.match(portico.output(), /circuit of upstream main is open/)
  const metrics = String((await portico.console('/metrics')).body)
  assert.match(metrics, /^portico_upstream_circuit\{upstream="main"\} 0$/m)
  assert.match(metrics, /^portico_upstream_circuit_opened_total\{upstream="main"\} [1-9]\d*$/m)
  assert.match(portico.output(), /circuit of upstream main is closed/)
})

test('limits are exact over workers, and whoever waits gets its turn', async () => {
  await portico.reload(oneService(origin.url, {}, { limits: { requests: 3, queue: 1000 } }))
  fails = false
  mostAtOnce = 0
  const clients: RawClient[] = []
  for (let i = 0; i < 40; i++) clients.push(await rawClient(portico.gatewayPort))
  for (let round = 0; round < 10; round++) {
    for (const [i, client] of clients.entries()) client.send(get(`/${i}`))
    for (const [i, client] of clients.entries()) {
      assert.equal((await client.readFinalResponse()).body.toString(), `/${i}`)
    }
  }
  assert.equal(mostAtOnce, 3)
  for (const client of clients) client.destroy()
})

test('a worker wakes up for a place that another one gave back', async () => {
  let release = () => {}
  const slow = await scriptedOrigin(
    answerEach(async request => {
      await new Promise<void>(resolve => {
        release = resolve
      })
      return ok(request.target)
    }),
  )
  try {
    await portico.reload(oneService(slow.url, {}, { limits: { requests: 1 } }))
    const arrived = (count: number) =>
      slow.waitFor(() => (slow.requests.length === count ? true : null), `call ${count}`)
    for (let i = 0; i < 12; i++) {
      const first = await rawClient(portico.gatewayPort)
      const second = await rawClient(portico.gatewayPort)
      first.send(get('/first'))
      await arrived(2 * i + 1)
      second.send(get('/second'))
      await eventually(async () => {
        const { workers } = await portico.status()
        return workers.some(({ load }) => load.upstreams[0]?.waiting === 1) ? true : null
      }, 'the second call to wait')
      release()
      await first.readFinalResponse()
      await arrived(2 * i + 2)
      release()
      await second.readFinalResponse()
      first.destroy()
      second.destroy()
    }
  } finally {
    await slow.stop()
  }
})
