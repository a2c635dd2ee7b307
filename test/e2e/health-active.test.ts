import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { get } from '../conformance/case-table.ts'
import {
  answerEach,
  eventually,
  ok,
  oneService,
  type Portico,
  rawCall,
  type ScriptedOrigin,
  scriptedOrigin,
  startPortico,
} from '../harness.ts'

let portico: Portico
const origins: ScriptedOrigin[] = []
const sick = new Set<string>()

/** An origin that answers calls with its name, and checks with 204, or 500 while `sick` names it. */
const origin = async (name: string): Promise<ScriptedOrigin> => {
  const made = await scriptedOrigin(
    answerEach(({ target }) => {
      if (target !== '/healthz') return ok(name)
      const status = sick.has(name) ? '500 Sick\r\nContent-Length: 0' : '204 Well'
      return `HTTP/1.1 ${status}\r\n\r\n`
    }),
  )
  origins.push(made)
  return made
}

const call = async (path = '/'): Promise<string> => (await rawCall(portico.gatewayPort, get(path))).body.toString()

const names = async (count = 8): Promise<string> => {
  const seen = new Set<string>()
  for (let i = 0; i < count; i++) seen.add(await call())
  return [...seen].sort().join('')
}

const active = { path: '/healthz', interval: '20ms', timeout: '5s', healthyAfter: 2, unhealthyAfter: 3 }

const checksOf = ({ requests }: ScriptedOrigin): number => requests.filter(({ target }) => target === '/healthz').length

before(async () => {
  const first = await origin('first')
  portico = await startPortico({ config: oneService(first.url), workers: 2 })
})
afterEach(() => sick.clear())
after(async () => {
  await portico?.stop()
  for (const made of origins) await made.stop()
})

test('a target that fails its checks gets no calls, in any worker, until it passes them again', async () => {
  const [a, b] = [await origin('a'), await origin('b')]
  const targets = [{ url: a.url }, { url: b.url }]
  await portico.reload(oneService('', {}, { targets, health: { active } }))
  await eventually(async () => (checksOf(a) > 2 && checksOf(b) > 2 ? true : null), 'checks')
  assert.equal(await names(), 'ab')
  sick.add('a')
  await eventually(async () => ((await names()) === 'b' ? true : null), 'the sick one to go')
  assert.equal(await names(30), 'b')
  assert.match(
    portico.output(),
    /its health checks fail","upstream":"main","target":"http:[^"]*","problem":"status 500"/,
  )
  sick.clear()
  await eventually(async () => ((await names()) === 'ab' ? true : null), 'it to come back')
  assert.match(portico.output(), /A target passes its health checks/)
})

test('one stream of checks per target, with two workers, two services and four routes', async () => {
  const a = await origin('a')
  const service = (name: string, paths: string[]) => ({
    name,
    upstream: {
      targets: [{ url: a.url }, { url: `${a.url}/base` }],
      health: { active: { ...active, interval: '50ms' } },
    },
    routes: paths.map(path => ({ path })),
  })
  await portico.reload({ version: 1, services: [service('one', ['/a', '/b', '/c']), service('two', ['/d'])] })
  await eventually(async () => (checksOf(a) >= 12 ? true : null), 'checks')
  const stamps: number[] = []
  for (const connection of a.connections) for (const _ of connection.requests) stamps.push(connection.index)
  assert.equal(new Set(stamps).size, stamps.length, 'each check has a connection of its own')
  // Two streams would overlap: one waits for its answer and then for most of the interval.
  const status = (await portico.console('/api/upstreams')).body as {
    items: { name: string; targets: { checks: number }[] }[]
  }
  const counts = status.items.flatMap(({ targets }) => targets.map(({ checks }) => checks))
  assert.equal(counts.length, 4)
  assert.equal(new Set(counts).size, 1, 'they all read the same slot')
  assert.ok(Math.abs((counts[0] as number) - checksOf(a)) <= 1, `${counts[0]} checks counted, ${checksOf(a)} arrived`)
})

test('a target is out from the beginning where it is unhealthy until proven otherwise', async () => {
  const [a, b] = [await origin('a'), await origin('b')]
  sick.add('b')
  const targets = [{ url: a.url }, { url: b.url }]
  const health = { active: { ...active, initial: 'unhealthy', healthyAfter: 50 } }
  await portico.reload(oneService('', {}, { targets, health, panicThreshold: 0 }))
  await eventually(async () => ((await call()) === 'a' ? true : null), 'the first good check')
  assert.equal(await names(20), 'a')
})

test('checks bring an ejected target back; no call has to try it', async () => {
  const [a, b] = [await origin('a'), await origin('b')]
  const failing = new Set(['a'])
  for (const [name, made] of [
    ['a', a],
    ['b', b],
  ] as const)
    made.script = answerEach(({ target }) =>
      target !== '/healthz' && failing.has(name) ? 'HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n' : ok(name),
    )
  const targets = [{ url: a.url }, { url: b.url }]
  await portico.reload(oneService('', {}, { targets, health: { active, passive: { failures: 2, ejectFor: '200ms' } } }))
  await eventually(async () => ((await names()) === 'b' ? true : null), 'the ejection')
  const before = a.requests.length - checksOf(a)
  failing.clear()
  await eventually(async () => ((await call()) === 'a' ? true : null), 'it to come back')
  assert.equal(a.requests.length - checksOf(a), before + 1, 'the first call after the return was a good one')
})

test('a port that takes connections is enough for tcp', async () => {
  const [a, b] = [await origin('a'), await origin('b')]
  const targets = [{ url: a.url }, { url: b.url }]
  await portico.reload(oneService('', {}, { targets, health: { active: { ...active, type: 'tcp' } } }))
  await eventually(async () => (a.connections.length > 3 ? true : null), 'checks')
  assert.equal(await names(), 'ab')
  await a.stop()
  origins.splice(origins.indexOf(a), 1)
  await eventually(async () => ((await names()) === 'b' ? true : null), 'it to go')
})

test('health is seen in the API, in the metrics and by explain', async () => {
  const [a, b] = [await origin('a'), await origin('b')]
  const targets = [{ url: a.url, weight: 2 }, { url: b.url }]
  await portico.reload(oneService('', {}, { targets, balance: 'peak-ewma', health: { active } }))
  sick.add('b')
  await call()
  await eventually(
    async () => (portico.output().includes(`"target":"${b.url}","problem":"status 500"`) ? true : null),
    'it to go',
  )
  const page = (await portico.console('/api/upstreams?name=main')).body as {
    items: { name: string; targets: Record<string, unknown>[] }[]
    nextCursor: null
  }
  const [first = {}, second = {}] = page.items.flatMap(item => item.targets)
  assert.deepEqual([first['url'], first['health'], first['weight'], first['active']], [a.url, 'healthy', 2, 0])
  assert.deepEqual([second['url'], second['health']], [b.url, 'unhealthy'])
  assert.ok((first['latencyMs'] as number) + (second['latencyMs'] as number) > 0)
  assert.ok((second['checks'] as number) >= 3)
  const metrics = String((await portico.console('/metrics')).body)
  assert.match(metrics, new RegExp(`portico_upstream_target_healthy{upstream="main",target="${a.url}"} 1`))
  assert.match(metrics, new RegExp(`portico_upstream_target_healthy{upstream="main",target="${b.url}"} 0`))
  assert.match(metrics, /portico_upstream_panic{upstream="main"} 0/)
  const explained = await portico.console('/api/explain', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ method: 'GET', url: '/x' }),
  })
  const { target } = explained.body as { target: { url: string; out: unknown } }
  assert.equal(target.url, a.url)
  assert.deepEqual(target.out, [{ target: b.url, health: 'unhealthy' }])
})
