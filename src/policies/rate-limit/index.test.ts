import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UnitContext } from '#gateway/contract'
import { getHeader, getHeaders } from '#http/headers'
import { policyContract } from '#policies/policy-contract'
import { type TestCallInput, testCall, testConsumer, testContext, through } from '#policies/test-call'
import type { Counters, LimitDecision, LimitRule } from '#storage/counters'
import { createCountersMemory, sharedCounters } from '#storage/shared-counters'
import { rateLimit } from './index.ts'

const countersNow = (): Counters => sharedCounters(createCountersMemory({ slots: 1024 }))

const decided = (decision: Partial<LimitDecision>): LimitDecision => ({
  allowed: true,
  remaining: 5,
  retryAfterMs: 0,
  resetMs: 0,
  ...decision,
})

/** Counters that say what a test wants, and keep what they were asked. */
const saying = (answer: () => LimitDecision | Promise<LimitDecision>) => {
  const asked: { rule: LimitRule; key: string; cost: number }[] = []
  const counters: Counters = {
    take(rule, key, cost) {
      asked.push({ rule, key, cost })
      return answer()
    },
  }
  return { asked, counters }
}

const smallest = { limit: 2, window: '1m' }

policyContract(rateLimit, {
  config: smallest,
  wrong: [
    { config: { window: '1m' }, at: 'limit', says: /number/ },
    { config: { limit: 5 }, at: 'window', says: /string/ },
    { config: { limit: 0, window: '1m' }, at: 'limit', says: />=1/ },
    { config: { limit: 1.5, window: '1m' }, at: 'limit', says: /int/ },
    { config: { limit: 1, window: '500ms' }, at: 'window', says: /at least 1s/ },
    { config: { limit: 1, window: '31d' }, at: 'window', says: /at most 30d/ },
    { config: { limit: 1, window: 'minute' }, at: 'window', says: /not a duration/ },
    { config: { ...smallest, by: 'user' }, at: 'by', says: /consumer, ip, route, service or header/ },
    { config: { ...smallest, by: 'header:' }, at: 'by', says: /header:<name>/ },
    { config: { ...smallest, algorithm: 'leaky' }, at: 'algorithm', says: /gcra/ },
    { config: { ...smallest, algorithm: 'fixed-window', burst: 3 }, at: 'burst', says: /only with algorithm: gcra/ },
    { config: { ...smallest, headers: 'all' }, at: 'headers', says: /standard/ },
    { config: { ...smallest, name: 'a "b"' }, at: 'name', says: /letters, digits/ },
    { config: { ...smallest, onStoreError: 'ignore' }, at: 'onStoreError', says: /allow/ },
  ],
  context: { counters: saying(() => decided({})).counters },
})

test('rate-limit: a refused call goes no further', () => {
  const { counters } = saying(() => decided({ allowed: false }))
  const policy = rateLimit.create(rateLimit.schema.parse(smallest), testContext({ counters }))
  assert.throws(() => policy.request?.(testCall(), () => assert.fail('the call went on')), /used up/)
})

const build = (config: object, context: Partial<UnitContext>) =>
  rateLimit.create(rateLimit.schema.parse(config), testContext(context))

const statuses = async (config: object, calls: TestCallInput[], counters = countersNow()): Promise<number[]> => {
  const policy = build(config, { counters })
  const found: number[] = []
  for (const input of calls) found.push((await through(policy, testCall(input))).status)
  return found
}

const alice = testConsumer('alice')
const bob = testConsumer('bob')

for (const algorithm of ['gcra', 'sliding-window', 'fixed-window'])
  test(`with ${algorithm} the calls above the limit are refused`, async () => {
    const config = { limit: 2, window: '30d', algorithm }
    assert.deepEqual(await statuses(config, [{}, {}, {}, {}]), [200, 200, 429, 429])
  })

test('a burst is what may come at once', async () => {
  assert.deepEqual(await statuses({ limit: 100, window: '30d', burst: 1 }, [{}, {}]), [200, 429])
})

for (const [by, calls, expected] of [
  ['consumer', [{ consumer: alice }, { consumer: bob }, { consumer: alice }, {}, {}], [200, 200, 429, 200, 429]],
  ['ip', [{ consumer: alice }, { consumer: bob }, { clientAddress: '192.0.2.2' }], [200, 429, 200]],
  ['route', [{ consumer: alice }, { clientAddress: '192.0.2.2' }], [200, 429]],
  ['service', [{ service: 'orders' }, { service: 'users' }, { service: 'orders' }], [200, 200, 429]],
  [
    'header:X-Tenant',
    [{ headers: { 'x-tenant': 'a' } }, { headers: { 'x-tenant': 'b' } }, { headers: { 'x-tenant': 'a' } }, {}, {}],
    [200, 200, 429, 200, 429],
  ],
] as [string, TestCallInput[], number[]][])
  test(`by ${by} counts what belongs together`, async () => {
    assert.deepEqual(await statuses({ limit: 1, window: '30d', by }, calls), expected)
  })

test('a consumer cannot use up the count of an address by its name', async () => {
  const calls = [{ consumer: testConsumer('192.0.2.1') }, { clientAddress: '192.0.2.1' }]
  assert.deepEqual(await statuses({ limit: 1, window: '30d' }, calls), [200, 200])
})

test('routes below one declaration share a count, other declarations and by: route do not', async () => {
  const counters = countersNow()
  const call = (route: string, scope: string, by = 'ip') =>
    through(build({ limit: 1, window: '30d', by }, { counters, scope }), testCall({ route }))
  assert.equal((await call('orders/get', 'orders')).status, 200)
  assert.equal((await call('orders/post', 'orders')).status, 429)
  assert.equal((await call('users/get', 'users')).status, 200)
  assert.equal((await call('orders/get', 'orders', 'route')).status, 200)
  assert.equal((await call('orders/post', 'orders', 'route')).status, 200)
  assert.equal((await call('orders/get', 'orders', 'route')).status, 429)
})

test('the rule that is asked for is the one of the config', async () => {
  const { asked, counters } = saying(() => decided({}))
  await through(build({ limit: 10, window: '5m' }, { counters }), testCall())
  await through(build({ limit: 10, window: '5m', burst: 3 }, { counters }), testCall())
  const rule = { algorithm: 'gcra', limit: 10, windowMs: 300_000 }
  assert.deepEqual(
    asked.map(question => question.rule),
    [
      { ...rule, burst: 10 },
      { ...rule, burst: 3 },
    ],
  )
})

const announced = async (config: object, decision: Partial<LimitDecision>) => {
  const { counters } = saying(() => decided(decision))
  const response = await through(build({ limit: 100, window: '1m', ...config }, { counters }), testCall())
  const names = ['ratelimit-policy', 'ratelimit', 'x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset']
  const fields = names.flatMap(name => getHeaders(response.headers, name).map(value => `${name}: ${value}`))
  return { fields, status: response.status, retryAfter: getHeader(response.headers, 'retry-after') }
}

const standard = ['ratelimit-policy: "default";q=100;w=60', 'ratelimit: "default";r=50;t=30']
const legacy = ['x-ratelimit-limit: 100', 'x-ratelimit-remaining: 50', 'x-ratelimit-reset: 30']

for (const [headers, fields] of [
  ['standard', standard],
  ['legacy', legacy],
  ['both', [...standard, ...legacy]],
  ['off', []],
] as const)
  test(`headers: ${headers} announces what is left in ${fields.length} fields`, async () => {
    assert.deepEqual((await announced({ headers }, { remaining: 50, resetMs: 29_001 })).fields, fields)
  })

test('a refusal says when to come back, and what the limit is', async () => {
  const { status, retryAfter, fields } = await announced(
    { name: 'per-minute' },
    { allowed: false, remaining: 0, retryAfterMs: 1200, resetMs: 60_000 },
  )
  assert.deepEqual([status, retryAfter], [429, '2'])
  assert.deepEqual(fields, ['ratelimit-policy: "per-minute";q=100;w=60', 'ratelimit: "per-minute";r=0;t=60'])
})

test('nobody is told to come back at once', async () => {
  assert.equal((await announced({}, { allowed: false, retryAfterMs: 0 })).retryAfter, '1')
})

test('a dry run announces and lets everybody pass', async () => {
  const { status, fields } = await announced({ dryRun: true }, { allowed: false, remaining: 0, resetMs: 1 })
  assert.equal(status, 200)
  assert.equal(fields[1], 'ratelimit: "default";r=0;t=1')
})

test('counters behind a network are waited for', async () => {
  const allowed = await statuses(smallest, [{}], saying(async () => decided({})).counters)
  const refused = await statuses(smallest, [{}], saying(async () => decided({ allowed: false })).counters)
  assert.deepEqual([...allowed, ...refused], [200, 429])
})

test('what goes wrong behind a limit that had to wait reaches the caller unchanged', async () => {
  const { counters } = saying(async () => decided({}))
  const behind = new Error('behind')
  let times = 0
  const failing = async () => {
    times++
    throw behind
  }
  await assert.rejects(
    async () => build({ ...smallest, onStoreError: 'deny' }, { counters }).request?.(testCall(), failing),
    error => error === behind,
  )
  assert.equal(times, 1)
})

for (const [how, answer] of [
  [
    'throw',
    () => {
      throw new Error('no store')
    },
  ],
  ['reject', () => Promise.reject(new Error('no store'))],
] as const)
  test(`when the counters ${how} the config decides`, async () => {
    assert.deepEqual(await statuses(smallest, [{}], saying(answer).counters), [200])
    assert.deepEqual(await statuses({ ...smallest, onStoreError: 'deny' }, [{}], saying(answer).counters), [503])
  })
