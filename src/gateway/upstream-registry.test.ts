import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TimerWheel } from '#http/timer-wheel'
import type { ResolvedAddress } from './endpoint.ts'
import { createHealthMemory, HealthTable } from './health/health-table.ts'
import { testConfig } from './test-targets.ts'
import type { BalancedUpstream, UpstreamConfig } from './upstream.ts'
import { UpstreamRegistry } from './upstream-registry.ts'

const wheel = new TimerWheel()

const registry = (): UpstreamRegistry =>
  new UpstreamRegistry(wheel, undefined, { table: new HealthTable(createHealthMemory({ slots: 256 })) })

const load = (upstreams: UpstreamRegistry, config: Partial<UpstreamConfig>): BalancedUpstream => {
  upstreams.begin()
  const upstream = upstreams.create({ ...testConfig, ...config })
  upstreams.commit()
  return upstream
}

const address = (text: string, more: Partial<ResolvedAddress> = {}): ResolvedAddress => ({
  address: text,
  port: null,
  priority: 0,
  weight: 1,
  ...more,
})

const passive = {
  failures: 2,
  failureRate: null,
  statuses: [503],
  ejectFor: 10_000,
  maxEjectFor: 60_000,
  maxEjectedPercent: 50,
}

const namesOf = ({ targets }: BalancedUpstream): string[] => targets.map(({ url, address: at }) => `${url} ${at}`)

test('a reload that still names a target keeps its pool, load, latency and health, whatever its weight is now', () => {
  const upstreams = registry()
  const health = { active: null, passive }
  const urls = ['http://127.0.0.1:1', 'http://127.0.0.1:2']
  const before = load(upstreams, { balance: 'peak-ewma', health, targets: urls.map(url => ({ url, weight: 1 })) })
  const [first] = before.targets
  first?.begin()
  for (let i = 0; i < 2; i++) {
    first?.begin()
    first?.end('ok', 70, 503)
  }
  const targets = [...urls, 'http://127.0.0.1:3'].map(url => ({ url, weight: 5 }))
  const after = load(upstreams, { balance: 'peak-ewma', health, targets })
  const [same, , fresh] = after.targets
  assert.notEqual(same, first)
  assert.equal(same?.pool, first?.pool)
  assert.equal(same?.active, 1)
  assert.ok((same?.load.latency?.at(0) ?? 0) > 0)
  assert.equal(same?.health?.state, 'ejected')
  assert.equal(fresh?.health?.state, 'healthy')
  first?.end('ok', 1, 200)
  assert.equal(same?.active, 0, 'a call that began before ends here')
})

test('a name is one target until it is resolved, then one for each address; those that stay are the same ones', () => {
  const upstreams = registry()
  const upstream = load(upstreams, { targets: [{ url: 'http://orders.test:9000/base', weight: 2 }] })
  assert.deepEqual(namesOf(upstream), ['http://orders.test:9000/base null'])
  upstreams.resolve(new Map([['address:orders.test', [address('10.0.0.1'), address('10.0.0.2')]]]))
  const [one, two] = upstream.targets
  assert.deepEqual([one?.address, two?.address], ['10.0.0.1', '10.0.0.2'])
  assert.deepEqual([one?.authority, one?.basePath, one?.weight], ['orders.test:9000', '/base', 2])
  assert.deepEqual(one?.pool.options.origin.host, '10.0.0.1')
  const gone = one?.pool
  upstreams.resolve(new Map([['address:orders.test', [address('10.0.0.2'), address('::1')]]]))
  assert.equal(upstream.targets[0], two)
  assert.equal(upstream.targets[1]?.address, '::1')
  assert.ok(gone?.closed)
  assert.ok(!two?.pool.closed)
  // What is loaded later knows the addresses from the beginning.
  const later = load(upstreams, { targets: [{ url: 'https://orders.test', weight: 1 }] })
  assert.deepEqual(
    later.targets.map(target => [target.pool.options.origin.host, target.pool.options.origin.tls?.servername]),
    [
      ['10.0.0.2', 'orders.test'],
      ['::1', 'orders.test'],
    ],
  )
})

test('SRV records bring ports, weights and priorities; without them there is no target', () => {
  const upstreams = registry()
  const upstream = load(upstreams, { targets: [{ url: 'srv+http://_http._tcp.shop.test', weight: 2 }] })
  assert.deepEqual(namesOf(upstream), [])
  assert.equal(upstream.choose({ headers: [], clientAddress: '', path: '/', consumer: null }, null), null)
  const records = [
    address('10.0.0.1', { port: 8001, weight: 3, priority: 1 }),
    address('::1', { port: 8002, priority: 2 }),
  ]
  upstreams.resolve(new Map([['srv:_http._tcp.shop.test', records]]))
  assert.deepEqual(namesOf(upstream), [
    'srv+http://_http._tcp.shop.test 10.0.0.1:8001',
    'srv+http://_http._tcp.shop.test [::1]:8002',
  ])
  assert.deepEqual(
    upstream.targets.map(({ weight, priority, authority, pool }) => [
      weight,
      priority,
      authority,
      pool.options.origin.port,
    ]),
    [
      [6, 1, 'shop.test', 8001],
      [2, 2, 'shop.test', 8002],
    ],
  )
})

test('addresses that come while a configuration is compiled reach the old one and the new one', () => {
  const upstreams = registry()
  const old = load(upstreams, { targets: [{ url: 'http://a.test', weight: 1 }] })
  upstreams.begin()
  const next = upstreams.create({ ...testConfig, targets: [{ url: 'http://a.test', weight: 1 }] })
  upstreams.resolve(new Map([['address:a.test', [address('10.0.0.1')]]]))
  assert.deepEqual([namesOf(old), namesOf(next)], [['http://a.test 10.0.0.1'], ['http://a.test 10.0.0.1']])
  upstreams.commit()
  assert.ok(!next.targets[0]?.pool.closed)
})
