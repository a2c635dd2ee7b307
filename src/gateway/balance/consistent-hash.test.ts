import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HashDocument } from '#config/document'
import type { BalanceCall, Target } from '../target.ts'
import { testCall, testTarget, testUpstream } from '../test-targets.ts'

const byPath = (loadFactor = Number.POSITIVE_INFINITY): HashDocument => ({ by: { from: 'path' }, loadFactor })

const keys = Array.from({ length: 4000 }, (_, index) => `/things/${index * 7919}`)

const at = (path: string): BalanceCall => ({ ...testCall, path })

const placesOf = (targets: readonly Target[]): Map<string, string> => {
  const upstream = testUpstream({ balance: 'consistent-hash', hash: byPath() }, targets)
  return new Map(keys.map(key => [key, upstream.choose(at(key), null)?.url ?? 'none']))
}

const named = (...names: string[]): Target[] => names.map(name => testTarget(name))

test('a key always comes to the same target, whatever the order of the targets', () => {
  const places = placesOf(named('a', 'b', 'c', 'd'))
  assert.deepEqual(placesOf(named('d', 'b', 'a', 'c')), places)
  assert.deepEqual(placesOf(named('a', 'b', 'c', 'd')), places)
})

test('only the keys of a target that leaves move, and only to others than the one that comes', () => {
  const before = placesOf(named('a', 'b', 'c', 'd', 'e'))
  const after = placesOf(named('a', 'b', 'd', 'e'))
  for (const key of keys) {
    if (before.get(key) === 'http://c') assert.notEqual(after.get(key), 'http://c')
    else assert.equal(after.get(key), before.get(key), key)
  }
  const grown = placesOf(named('a', 'b', 'c', 'd', 'e', 'f'))
  const moved = keys.filter(key => grown.get(key) !== before.get(key))
  assert.ok(moved.every(key => grown.get(key) === 'http://f'))
  assert.ok(moved.length < keys.length / 3, `${moved.length} keys moved to a sixth target`)
})

test('targets get keys by their weight', () => {
  const targets = [testTarget('a', 1), testTarget('b', 2), testTarget('c', 5)]
  const counts = new Map<string, number>()
  for (const place of placesOf(targets).values()) counts.set(place, (counts.get(place) ?? 0) + 1)
  for (const { url, weight } of targets) {
    const share = (counts.get(url) ?? 0) / keys.length
    assert.ok(Math.abs(share - weight / 8) < 0.06, `${url} has ${share} of the keys`)
  }
})

test('no target has more to do than its bounded share', () => {
  const targets = named('a', 'b', 'c', 'd')
  const upstream = testUpstream({ balance: 'consistent-hash', hash: byPath(1.25) }, targets)
  for (let i = 1; i <= 400; i++) {
    // One key alone would fill one target.
    upstream.choose(at('/hot'), null)?.begin()
    const bound = Math.ceil((1.25 * i) / 4)
    for (const { active, url } of targets) assert.ok(active <= bound, `${url} has ${active} of ${i}, bound ${bound}`)
  }
  assert.equal(
    targets.reduce((sum, { active }) => sum + active, 0),
    400,
  )
})

test('the bound holds for any weights while calls come and go', () => {
  let seed = 7
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((seed / 0x1_0000_0000) * below)
  }
  for (let round = 0; round < 10; round++) {
    const loadFactor = 1 + random(100) / 50
    const targets = Array.from({ length: 2 + random(6) }, (_, index) => testTarget(`t${index}`, 1 + random(9)))
    const weight = targets.reduce((sum, target) => sum + target.weight, 0)
    const upstream = testUpstream({ balance: 'consistent-hash', hash: byPath(loadFactor) }, targets)
    const running: Target[] = []
    for (let step = 0; step < 500; step++) {
      if (running.length > 0 && random(5) < 2) running.splice(random(running.length), 1)[0]?.end('ok', 1, 200)
      const target = upstream.choose(at(`/${random(3)}`), null) as Target
      const bound = Math.ceil((loadFactor * (running.length + 1) * target.weight) / weight)
      target.begin()
      running.push(target)
      assert.ok(target.active <= bound, `${target.active} of ${running.length}, bound ${bound}`)
    }
  }
})

test('a call that lacks what is hashed comes anywhere; others by header, cookie, address and consumer', () => {
  const many = (call: () => BalanceCall, by: HashDocument['by']): number => {
    const upstream = testUpstream({ balance: 'consistent-hash', hash: { ...byPath(), by } }, named('a', 'b', 'c', 'd'))
    return new Set(Array.from({ length: 200 }, () => upstream.choose(call(), null)?.url)).size
  }
  let turn = 0
  const cases: [HashDocument['by'], (value: string) => BalanceCall][] = [
    [{ from: 'header', name: 'x-user' }, value => ({ ...testCall, headers: ['x-user', value] })],
    [{ from: 'cookie', name: 'sid' }, value => ({ ...testCall, headers: ['cookie', `a=b; sid=${value}`] })],
    [{ from: 'ip' }, value => ({ ...testCall, clientAddress: value })],
    [{ from: 'consumer' }, value => ({ ...testCall, consumer: { name: value } })],
  ]
  for (const [by, call] of cases) {
    assert.equal(
      many(() => call('same'), by),
      1,
      by.from,
    )
    assert.equal(
      many(() => call(`other-${turn++}`), by),
      4,
      by.from,
    )
  }
  for (const from of ['consumer'] as const)
    assert.equal(
      many(() => testCall, { from }),
      4,
    )
  assert.equal(
    many(() => testCall, { from: 'header', name: 'x-user' }),
    4,
  )
})
