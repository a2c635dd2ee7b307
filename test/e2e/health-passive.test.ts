import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { get, head } from '../conformance/case-table.ts'
import {
  answerEach,
  eventually,
  headerOf,
  headersOf,
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

/** An origin that answers with its name, or fails while `sick` names it. */
const sick = new Set<string>()
const origin = async (name: string): Promise<ScriptedOrigin> => {
  const made = await scriptedOrigin(
    answerEach(() => (sick.has(name) ? 'HTTP/1.1 503 Sick\r\nContent-Length: 4\r\n\r\nsick' : ok(name))),
  )
  origins.push(made)
  return made
}

const call = async (fields: string[] = []): Promise<string> =>
  (await rawCall(portico.gatewayPort, head('GET / HTTP/1.1', ...fields))).body.toString()

const calls = async (count: number): Promise<string[]> => {
  const bodies: string[] = []
  for (let i = 0; i < count; i++) bodies.push(await call())
  return bodies
}

const serve = async (made: ScriptedOrigin[], upstream: object, more: object = {}): Promise<void> => {
  const targets = made.map(({ url }) => ({ url }))
  const status = await portico.reload(oneService('', more, { targets, ...upstream }))
  assert.equal(status.lastReloadError, null)
}

before(async () => {
  const first = await origin('first')
  portico = await startPortico({ config: oneService(first.url), workers: 2 })
})
afterEach(() => sick.clear())
after(async () => {
  await portico?.stop()
  for (const made of origins) await made.stop()
})

test('failures are counted over all workers: exactly that many calls fail, and the target comes back by one call', async () => {
  const [a, b] = [await origin('a'), await origin('b')]
  await serve([a, b], { health: { passive: { failures: 16, ejectFor: '300ms' } } })
  sick.add('a')
  const bodies = await calls(80)
  assert.equal(bodies.filter(body => body === 'sick').length, 16)
  assert.ok(bodies.slice(-40).every(body => body === 'b'))
  const { workers } = await portico.status()
  assert.ok(
    workers.every(({ load }) => load.requests > 0),
    'both workers took part',
  )
  const before = a.requests.length
  await eventually(async () => {
    await call()
    return a.requests.length > before ? true : null
  }, 'a trial')
  assert.deepEqual([...new Set(await calls(10))], ['b'], 'the trial failed')
  sick.clear()
  await eventually(async () => ((await call()) === 'a' ? true : null), 'the target to come back')
  assert.deepEqual([...new Set(await calls(16))].sort(), ['a', 'b'])
  assert.match(portico.output(), /A target is left out because its calls fail","upstream":"main","target":"http/)
  assert.match(portico.output(), /A target is back/)
})

test('an ejection survives a reload that still names the target, with other weights and policies', async () => {
  const [a, b] = [await origin('a'), await origin('b')]
  const passive = { failures: 3, ejectFor: '60s' }
  await serve([a, b], { health: { passive } })
  sick.add('a')
  await calls(12)
  sick.clear()
  const targets = [
    { url: a.url, weight: 9 },
    { url: b.url, weight: 1 },
  ]
  await portico.reload(
    oneService(
      '',
      { policies: { 'body-limit': { max: '1mb' } } },
      { targets, health: { passive }, balance: 'random-two' },
    ),
  )
  assert.deepEqual([...new Set(await calls(20))], ['b'])
})

test('with every target out and no panic, calls are refused at once and told when to come back', async () => {
  const [a, b] = [await origin('a'), await origin('b')]
  sick.add('a').add('b')
  const health = { passive: { failures: 2, ejectFor: '60s', maxEjectedPercent: 100 } }
  await serve([a, b], { health, panicThreshold: 0 })
  await calls(12)
  const seen = a.requests.length + b.requests.length
  assert.equal(seen, 4)
  const refused = await rawCall(portico.gatewayPort, get('/'))
  assert.equal(refused.status, 503)
  assert.equal(JSON.parse(refused.body.toString()).code, 'no-healthy-target')
  assert.equal(headerOf(refused, 'retry-after'), '60')
  assert.equal(a.requests.length + b.requests.length, seen)
})

test('with most targets out all are used', async () => {
  const [a, b] = [await origin('a'), await origin('b')]
  sick.add('a').add('b')
  await serve([a, b], { health: { passive: { failures: 2, ejectFor: '50s', maxEjectedPercent: 100 } } })
  await calls(12)
  sick.clear()
  assert.deepEqual([...new Set(await calls(20))].sort(), ['a', 'b'])
  assert.match(portico.output(), /Too few targets are healthy/)
})

test('a sticky cookie keeps a client with its target, hides the address, and lets go of a target that is out', async () => {
  const [a, b, c] = [await origin('a'), await origin('b'), await origin('c')]
  const passive = { failures: 2, ejectFor: '60s' }
  await serve([a, b, c], { sticky: { cookie: 'srv', ttl: '1h' }, health: { passive } })
  const first = await rawCall(portico.gatewayPort, get('/'))
  const name = first.body.toString()
  const [cookie = ''] = headersOf(first, 'set-cookie')
  assert.match(cookie, /^srv=[0-9a-f]{20}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=3600$/)
  const sent = `Cookie: x=1; ${cookie.split(';')[0]}`
  for (let i = 0; i < 20; i++) {
    const again = await rawCall(portico.gatewayPort, head('GET / HTTP/1.1', sent))
    assert.equal(again.body.toString(), name)
    assert.deepEqual(headersOf(again, 'set-cookie'), [])
  }
  sick.add(name)
  for (let i = 0; i < 2; i++) assert.equal(await call([sent]), 'sick')
  const moved = await rawCall(portico.gatewayPort, head('GET / HTTP/1.1', sent))
  assert.notEqual(moved.body.toString(), name)
  assert.match(headersOf(moved, 'set-cookie')[0] ?? '', /^srv=/)
})

test('a target of weight 0 gets no new clients, but keeps those it has', async () => {
  const [a, b] = [await origin('a'), await origin('b')]
  await serve([a, b], { sticky: {} })
  let cookie = ''
  await eventually(async () => {
    const answer = await rawCall(portico.gatewayPort, get('/'))
    cookie = (headersOf(answer, 'set-cookie')[0] ?? '').split(';')[0] ?? ''
    return answer.body.toString() === 'a' ? true : null
  }, 'a cookie of a')
  const targets = [{ url: a.url, weight: 0 }, { url: b.url }]
  await portico.reload(oneService('', {}, { targets, sticky: {} }))
  for (let i = 0; i < 10; i++) assert.equal(await call([`Cookie: ${cookie}`]), 'a')
  assert.deepEqual([...new Set(await calls(10))], ['b'])
})
