import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Target } from '../target.ts'
import { testCall, testTarget, testUpstream } from '../test-targets.ts'
import { PeakEwma } from './peak-ewma.ts'

const at = (clock: { now: number }): PeakEwma => new PeakEwma(() => clock.now)

test('a slow answer counts at once, faster ones only by and by', () => {
  const clock = { now: 0 }
  const latency = at(clock)
  latency.observe(10, false)
  assert.equal(latency.at(clock.now), 10)
  latency.observe(500, false)
  assert.equal(latency.at(clock.now), 500)
  clock.now += 1000
  latency.observe(10, false)
  const soon = latency.at(clock.now)
  assert.ok(soon > 400 && soon < 500, `${soon}`)
  for (let i = 0; i < 60; i++) {
    clock.now += 1000
    latency.observe(10, false)
  }
  const later = latency.at(clock.now)
  assert.ok(later >= 10 && later < 13, `${later}`)
})

test('what is not asked is forgotten, so that it is asked again', () => {
  const clock = { now: 0 }
  const latency = at(clock)
  latency.observe(1000, false)
  clock.now += 60_000
  assert.ok(latency.at(clock.now) < 5)
})

test('a quick failure is not a quick answer', () => {
  const latency = at({ now: 0 })
  latency.observe(1, true)
  assert.ok(latency.at(0) >= 1000)
})

test('calls under way make a target dearer, those of an unknown one above all', () => {
  const latency = at({ now: 0 })
  assert.equal(latency.cost(0, 0), 0)
  assert.ok(latency.cost(0, 1) > 1000)
  latency.observe(20, false)
  assert.deepEqual([latency.cost(0, 0), latency.cost(0, 4)], [20, 100])
})

test('a slow target gets few calls', () => {
  const targets = ['slow', 'a', 'b'].map(name => {
    const target = testTarget(name)
    target.load.measureLatency()
    return target
  })
  const upstream = testUpstream({ balance: 'peak-ewma' }, targets)
  const counts = new Map<Target, number>()
  const under: { target: Target; left: number }[] = []
  for (let step = 0; step < 3000; step++) {
    const target = upstream.choose(testCall, null) as Target
    counts.set(target, (counts.get(target) ?? 0) + 1)
    target.begin()
    under.push({ target, left: target.authority === 'slow' ? 40 : 2 })
    for (const call of [...under]) {
      if (--call.left > 0) continue
      under.splice(under.indexOf(call), 1)
      call.target.end('ok', call.target.authority === 'slow' ? 400 : 20, 200)
    }
  }
  const [slow, a, b] = targets.map(target => counts.get(target) ?? 0) as [number, number, number]
  assert.ok(slow < 300 && Math.min(a, b) > 1000, `${slow} ${a} ${b}`)
})
