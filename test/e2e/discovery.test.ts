import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { get } from '../conformance/case-table.ts'
import { type DnsServer, dnsServer } from '../dns-server.ts'
import { eventually, oneService, type Portico, rawCall, rawClient, startPortico } from '../harness.ts'

let portico: Portico
let dns: DnsServer
const servers: Server[] = []

type Origin = { port: number; hosts: Set<string>; count: number }

/** An origin that answers with its name, on one of the many addresses of loopback. */
const origin = async (name: string, address: string, port = 0): Promise<Origin> => {
  const seen: Origin = { port: 0, hosts: new Set(), count: 0 }
  const server = createServer((request, response) => {
    seen.hosts.add(request.headers.host ?? '')
    seen.count++
    response.end(name)
  })
  servers.push(server)
  await new Promise<void>(resolve =>
    server.listen(address.startsWith('/') ? address : { host: address, port }, resolve),
  )
  seen.port = address.startsWith('/') ? 0 : (server.address() as AddressInfo).port
  return seen
}

const call = async (): Promise<string> => (await rawCall(portico.gatewayPort, get('/'))).body.toString()

const calls = async (count: number): Promise<string[]> => {
  const bodies: string[] = []
  for (let i = 0; i < count; i++) bodies.push(await call())
  return bodies
}

const openConnections = (server: Server): Promise<number> =>
  new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))))

const serve = async (url: string, upstream: object = {}): Promise<void> => {
  const settings = { dns: { servers: [`127.0.0.1:${dns.port}`], minTtl: '20ms' } }
  const status = await portico.reload(oneService('', {}, { targets: [{ url }], ...upstream }, settings))
  assert.equal(status.lastReloadError, null)
}

before(async () => {
  dns = await dnsServer({})
  const first = await origin('first', '127.0.0.1')
  portico = await startPortico({ config: oneService(`http://127.0.0.1:${first.port}`), workers: 2 })
})
after(async () => {
  await portico?.stop()
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  await dns?.stop()
})

test('all addresses of a name are called, and a change in DNS is followed without a failed call', async () => {
  const a = await origin('a', '127.0.0.2')
  await origin('b', '127.0.0.3', a.port)
  await origin('c', '127.0.0.4', a.port)
  dns.zone.set('orders.test', [
    { type: 'A', address: '127.0.0.2' },
    { type: 'A', address: '127.0.0.3' },
  ])
  await serve(`http://orders.test:${a.port}`)
  await eventually(async () => (new Set(await calls(8)).size === 2 ? true : null), 'both addresses')
  assert.deepEqual([...a.hosts], [`orders.test:${a.port}`], 'Host stays the name')
  dns.zone.set('orders.test', [
    { type: 'A', address: '127.0.0.3' },
    { type: 'A', address: '127.0.0.4' },
  ])
  const seen: string[] = []
  await eventually(async () => {
    seen.push(await call())
    return seen.slice(-12).every(name => name !== 'a') && seen.includes('c') ? true : null
  }, 'the new addresses')
  assert.deepEqual([...new Set(seen)].sort(), seen.includes('a') ? ['a', 'b', 'c'] : ['b', 'c'], 'no call failed')
})

for (const protocol of ['h1', 'h2'])
  test(`under load no call fails while addresses come and go (${protocol})`, async t => {
    const addresses = ['127.0.0.21', '127.0.0.22', '127.0.0.23']
    let port = 0
    for (const address of addresses) {
      const server =
        protocol === 'h1'
          ? createServer((_, response) => void response.end(address))
          : createHttp2Server((_, response) => void response.end(address))
      await new Promise<void>(resolve => server.listen(port, address, resolve))
      t.after(() => server.close())
      port = (server.address() as AddressInfo).port
    }
    const records = (...chosen: string[]) => chosen.map(address => ({ type: 'A', address }) as const)
    const [one, two, three] = addresses as [string, string, string]
    const sets = [records(one), records(one, two), records(three), records(three, one), records(two)]
    dns.zone.set('busy.test', records(one))
    await serve(`http://busy.test:${port}`, { protocol, retry: { attempts: 0 } })
    const seen = new Map<string, number>()
    let answers = 0
    const client = async (): Promise<void> => {
      const connection = await rawClient(portico.gatewayPort)
      for (let i = 0; i < 150; i++) {
        connection.send(get('/'))
        const { status, body } = await connection.readFinalResponse()
        seen.set(`${status} ${body}`, (seen.get(`${status} ${body}`) ?? 0) + 1)
        if (++answers % 30 === 0) dns.zone.set('busy.test', sets[(answers / 30) % sets.length] ?? [])
      }
      connection.destroy()
    }
    await Promise.all(Array.from({ length: 8 }, client))
    assert.deepEqual(
      [...seen.keys()].filter(answer => !answer.startsWith('200 ')),
      [],
    )
    assert.ok(seen.size > 1, [...seen.keys()].join())
  })

test('a call under way at an address that goes is finished there', async t => {
  let answer: (() => void) | null = null
  const server = createServer((_, response) => {
    if (answer === null) answer = () => void response.end('at last')
    else response.end('old')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.6', resolve))
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  await origin('new', '127.0.0.7', port)
  dns.zone.set('slow.test', [{ type: 'A', address: '127.0.0.6' }])
  await serve(`http://slow.test:${port}`)
  const first = rawCall(portico.gatewayPort, get('/'))
  await eventually(async () => answer, 'the call to arrive')
  dns.zone.set('slow.test', [{ type: 'A', address: '127.0.0.7' }])
  await eventually(async () => (portico.output().includes('"addresses":"127.0.0.7"') ? true : null), 'the change')
  await eventually(async () => ((await call()) === 'new' ? true : null), 'calls to the new address')
  if (answer !== null) (answer as () => void)()
  assert.equal((await first).body.toString(), 'at last')
  await eventually(async () => ((await openConnections(server)) === 0 ? true : null), 'its connection to be closed')
})

test('a resolver that fails leaves the last good addresses, and a name that vanished too', async () => {
  const a = await origin('a', '127.0.0.5')
  dns.zone.set('carts.test', [{ type: 'A', address: '127.0.0.5' }])
  await serve(`http://carts.test:${a.port}`)
  await eventually(async () => ((await call()) === 'a' ? true : null), 'the address')
  for (const state of ['fails', 'gone'] as const) {
    if (state === 'fails') dns.zone.set('carts.test', 'fails')
    else dns.zone.delete('carts.test')
    const asked = dns.questions.length
    await eventually(async () => (dns.questions.length > asked + 4 ? true : null), 'more questions')
    assert.deepEqual([...new Set(await calls(10))], ['a'], state)
  }
  assert.match(portico.output(), /The addresses of a name could not be found/)
})

test('each address of a name has a health of its own', async () => {
  const a = await origin('a', '127.0.0.8')
  // Nothing listens on the other address.
  dns.zone.set('pair.test', [
    { type: 'A', address: '127.0.0.8' },
    { type: 'A', address: '127.0.0.9' },
  ])
  const active = { type: 'tcp', interval: '20ms', unhealthyAfter: 2 }
  await serve(`http://pair.test:${a.port}`, { health: { active }, retry: { attempts: 0 } })
  await eventually(async () => {
    const { body } = await portico.console('/api/upstreams?name=main')
    const [main] = (body as { items: { targets: { address: string; health: string }[] }[] }).items
    const states = main?.targets.map(({ address, health }) => `${address} ${health}`).join()
    return states === '127.0.0.8 healthy,127.0.0.9 unhealthy' ? true : null
  }, 'the states of both')
  assert.deepEqual([...new Set(await calls(20))], ['a'])
})

test('SRV records bring hosts, ports, weights and priorities', async () => {
  const [a, b, c] = [await origin('a', '127.0.0.1'), await origin('b', '127.0.0.1'), await origin('c', '127.0.0.1')]
  dns.zone.set('node.test', [{ type: 'A', address: '127.0.0.1' }])
  const record = ({ port }: Origin, priority: number, weight: number) =>
    ({ type: 'SRV', priority, weight, port, host: 'node.test' }) as const
  dns.zone.set('_http._tcp.shop.test', [record(a, 1, 3), record(b, 1, 1), record(c, 2, 1)])
  const passive = { failures: 1, ejectFor: '60s', maxEjectedPercent: 100 }
  await serve('srv+http://_http._tcp.shop.test', { health: { passive }, panicThreshold: 0, retry: { attempts: 3 } })
  const bodies = await calls(40)
  const share = bodies.filter(name => name === 'a').length
  assert.ok(share >= 26 && share <= 34, `${share} of 40 went to the heavier one`)
  assert.ok(!bodies.includes('c'), 'the second priority waits')
  assert.deepEqual([...a.hosts], ['shop.test'])
  for (const { port } of [a, b]) {
    const server = servers.find(candidate => (candidate.address() as AddressInfo | null)?.port === port) as Server
    server.closeAllConnections()
    server.close()
  }
  assert.deepEqual([...new Set(await calls(10))], ['c'])
  dns.zone.set('_http._tcp.shop.test', [])
  assert.deepEqual([...new Set(await calls(10))], ['c'], 'no answer keeps the last one')
})

test('without an answer a name is left to the system, and localhost always is', async () => {
  const a = await origin('a', '127.0.0.1')
  const asked = dns.questions.length
  await serve(`http://localhost:${a.port}`)
  assert.equal(await call(), 'a')
  assert.ok(!dns.questions.slice(asked).some(question => question.includes('localhost')))
})

test('a Unix socket is a target, with a Host of its own, and is checked too', async () => {
  const path = join(tmpdir(), `portico-${process.pid}.sock`)
  const a = await origin('a', path)
  await serve(`unix:${path}`, { health: { active: { path: '/healthz', interval: '20ms' } } })
  assert.deepEqual([...new Set(await calls(5))], ['a'])
  assert.deepEqual([...a.hosts], ['localhost'])
  await eventually(async () => (a.count > 8 ? true : null), 'checks')
  const targets = [{ url: `unix:${path}`, host: 'app.internal' }]
  await portico.reload(oneService('', {}, { targets }))
  a.hosts.clear()
  await call()
  assert.ok(a.hosts.has('app.internal'))
})
