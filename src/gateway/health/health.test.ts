import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PassiveHealthDocument } from '#config/document'
import type { Target } from '../target.ts'
import { testCall, testTarget, testUpstream } from '../test-targets.ts'
import { Ejection, type EjectionEvent } from './ejection.ts'
import { createHealthMemory, HealthTable } from './health-table.ts'
import { TargetHealth } from './target-health.ts'

const rules: PassiveHealthDocument = {
  failures: 3,
  failureRate: null,
  statuses: [502, 503, 504],
  ejectFor: 1000,
  maxEjectFor: 2500,
  maxEjectedPercent: 50,
}

type Given = {
  names?: string[]
  rules?: Partial<PassiveHealthDocument>
  slowStart?: number
  panicThreshold?: number
  checked?: boolean
  memory?: SharedArrayBuffer
}

/** One worker's view of an upstream, on a clock that only the test moves. */
const worker = (given: Given, clock: { now: number }) => {
  const table = new HealthTable(given.memory ?? createHealthMemory({ slots: 64 }))
  const events: [string, EjectionEvent, number][] = []
  const targets = (given.names ?? ['a', 'b']).map((name): Target => {
    const slot = table.open(name, clock.now)
    const check = given.checked === true ? table.open(`check ${name}`, clock.now) : null
    assert.ok(slot !== null)
    const ejection = new Ejection({
      slot,
      rules: { ...rules, ...given.rules },
      checked: check !== null,
      mayEject: () => upstream.mayEject(given.rules?.maxEjectedPercent ?? rules.maxEjectedPercent),
      onEvent: (event, milliseconds) => events.push([name, event, milliseconds]),
      clock: () => clock.now,
    })
    return testTarget(name, 1, 0, { health: new TargetHealth(slot, check, ejection) })
  })
  const { slowStart = 0, panicThreshold = 0 } = given
  const upstream = testUpstream({ slowStart, panicThreshold }, targets, table, () => clock.now)
  const [a, b] = targets as [Target, Target]
  return { table, targets, upstream, events, a, b }
}

const fail = (target: Target, times: number): void => {
  for (let i = 0; i < times; i++) {
    target.begin()
    target.end('ok', 1, 503)
  }
}

const turns = (upstream: ReturnType<typeof worker>['upstream'], count: number): string =>
  Array.from({ length: count }, () => upstream.choose(testCall, null)?.authority ?? '-').join('')

test('failures in a row, counted over all workers, eject a target everywhere', () => {
  const clock = { now: 1000 }
  const memory = createHealthMemory({ slots: 64 })
  const one = worker({ memory }, clock)
  const two = worker({ memory }, clock)
  fail(one.a, 2)
  assert.equal(turns(two.upstream, 4), 'abab')
  fail(two.a, 1)
  assert.deepEqual([turns(one.upstream, 4), turns(two.upstream, 4)], ['bbbb', 'bbbb'])
  assert.deepEqual([...one.events, ...two.events], [['a', 'ejected', 1000]])
})

test('a good answer begins the count anew; what says nothing of the target changes nothing', () => {
  const { a, upstream } = worker({}, { now: 1000 })
  fail(a, 2)
  a.begin()
  a.end('ok', 1, 500)
  fail(a, 2)
  a.begin()
  a.end('cancelled', 1, 0)
  assert.equal(turns(upstream, 4), 'abab')
  for (const outcome of ['error', 'timeout', 'connect'] as const) {
    const { a: other, upstream: second } = worker({}, { now: 1000 })
    fail(other, 2)
    other.begin()
    other.end(outcome, 1, 0)
    assert.equal(turns(second, 4), 'bbbb', outcome)
  }
})

test('when the time is over one call decides: a good one brings the target back, a bad one puts it off for longer', () => {
  const clock = { now: 1000 }
  const { a, upstream, events } = worker({}, clock)
  fail(a, 3)
  clock.now += 999
  assert.equal(turns(upstream, 3), 'bbb')
  clock.now += 1
  const first = upstream.choose(testCall, null) as Target
  assert.equal(first.owner, a)
  assert.equal(turns(upstream, 3), 'bbb', 'no second call while the first is under way')
  first.begin()
  first.end('timeout', 1, 0)
  clock.now += 1999
  assert.equal(turns(upstream, 3), 'bbb', 'twice as long')
  clock.now += 1
  const second = upstream.choose(testCall, null) as Target
  assert.equal(second.owner, a)
  second.begin()
  second.answered(200)
  assert.match(turns(upstream, 4), /^(ab){2}|(ba){2}$/, 'the head of a good answer is enough')
  second.end('ok', 1, 200)
  assert.equal(a.active, 0)
  assert.deepEqual(
    events.map(([, event]) => event),
    ['ejected', 'returned'],
  )
})

test('an ejection is never longer than the limit, and its length is forgiven with time', () => {
  const clock = { now: 1000 }
  const { a, upstream, events } = worker({}, clock)
  for (let round = 0; round < 4; round++) {
    fail(a, 3)
    clock.now += 2500
    const trial = upstream.choose(testCall, null) as Target
    assert.equal(trial.owner, a)
    trial.begin()
    trial.end('ok', 1, 200)
  }
  clock.now += 60_000
  fail(a, 3)
  const lengths = events.filter(([, event]) => event === 'ejected').map(([, , milliseconds]) => milliseconds)
  assert.deepEqual(lengths, [1000, 2000, 2500, 2500, 1000])
})

test('a trial that the client left gives way to another', () => {
  const clock = { now: 1000 }
  const { a, upstream } = worker({}, clock)
  fail(a, 3)
  clock.now += 1000
  const first = upstream.choose(testCall, null) as Target
  first.begin()
  first.end('cancelled', 1, 0)
  assert.equal(upstream.choose(testCall, null)?.owner, a)
})

test('a trial that never tells its end makes room for another one, also in another worker', () => {
  const clock = { now: 1000 }
  const memory = createHealthMemory({ slots: 64 })
  const one = worker({ memory }, clock)
  const two = worker({ memory }, clock)
  fail(one.a, 3)
  clock.now += 1000
  assert.equal(one.upstream.choose(testCall, null)?.owner, one.a)
  assert.equal(turns(two.upstream, 2), 'bb')
  clock.now += 30_000
  assert.equal(two.upstream.choose(testCall, null)?.owner, two.a)
  assert.equal(turns(one.upstream, 2), 'bb')
})

test('a trial that fails is not taken again by the same call', () => {
  const clock = { now: 1000 }
  const { a, b, upstream } = worker({}, clock)
  fail(a, 3)
  clock.now += 1000
  const trial = upstream.choose(testCall, null) as Target
  trial.begin()
  trial.end('error', 1, 0)
  clock.now += 5000
  assert.equal(upstream.choose(testCall, [trial]), b)
})

test('no more targets are ejected than the limit says', () => {
  const names = ['a', 'b', 'c', 'd', 'e']
  const { targets, upstream } = worker({ names, rules: { maxEjectedPercent: 40 } }, { now: 1000 })
  for (const target of targets) fail(target, 5)
  assert.equal(turns(upstream, 6), 'cdecde')
  const alone = worker({ names: ['a'] }, { now: 1000 })
  fail(alone.a, 10)
  assert.equal(turns(alone.upstream, 2), 'aa')
})

test('with active checks no call brings a target back', () => {
  const clock = { now: 1000 }
  const { a, upstream } = worker({ checked: true }, clock)
  fail(a, 3)
  clock.now += 5000
  assert.equal(turns(upstream, 3), 'bbb')
  a.health?.ejection?.readmit(1)
  assert.match(turns(upstream, 4), /a/)
})

test('a rate of failures ejects when there were enough calls in the window', () => {
  const clock = { now: 100_000 }
  const failureRate = { percent: 50, window: 1000, minimumCalls: 10 }
  const { a, upstream } = worker({ rules: { failures: null, failureRate } }, clock)
  const mixed = (count: number): void => {
    for (let i = 0; i < count; i++) {
      a.begin()
      a.end('ok', 1, i % 2 === 0 ? 200 : 503)
    }
  }
  mixed(8)
  clock.now += 1001
  mixed(8)
  assert.equal(turns(upstream, 4), 'abab', 'eight in each window')
  mixed(2)
  assert.equal(turns(upstream, 4), 'bbbb')
})

test('with too few usable targets all are used, below the threshold only', () => {
  const names = ['a', 'b', 'c', 'd']
  const panicking = worker({ names, panicThreshold: 50, rules: { maxEjectedPercent: 100 } }, { now: 1000 })
  const [a, b, c] = panicking.targets as [Target, Target, Target]
  fail(a, 3)
  fail(b, 3)
  assert.equal(turns(panicking.upstream, 4), 'cdcd')
  assert.equal(panicking.upstream.panic, false)
  fail(c, 3)
  assert.equal([...turns(panicking.upstream, 4)].sort().join(''), 'abcd')
  assert.equal(panicking.upstream.panic, true)
  const never = worker({ names: ['a', 'b'], panicThreshold: 0, rules: { maxEjectedPercent: 100 } }, { now: 1000 })
  fail(never.a, 3)
  fail(never.b, 3)
  assert.equal(never.upstream.choose(testCall, null), null)
  assert.equal(never.upstream.waitSeconds, 1)
})

test('a target that comes back starts slowly and linearly', () => {
  const clock = { now: 1000 }
  const { a, b, upstream } = worker({ slowStart: 10_000 }, clock)
  clock.now += 60_000
  assert.equal(turns(upstream, 4), 'abab')
  fail(a, 3)
  clock.now += 1000
  const trial = upstream.choose(testCall, null) as Target
  trial.begin()
  trial.end('ok', 1, 200)
  const shares = [0, 1000, 4000, 5000].map(later => {
    clock.now += later
    const counts = [...turns(upstream, 1100)].filter(name => name === 'a').length
    return counts / (1100 - counts)
  })
  for (const [index, expected] of [0.1, 0.1, 0.5, 1].entries())
    assert.ok(Math.abs((shares[index] as number) - expected) < 0.02, `${shares[index]} instead of ${expected}`)
  assert.equal(a.share, b.share)
})

test('a target that was taken out of the configuration starts slowly when it is there again', () => {
  const clock = { now: 1000 }
  const { table, a, b, upstream } = worker({ slowStart: 10_000 }, clock)
  const both = new Set([a.health?.slot.index, b.health?.slot.index] as number[])
  clock.now += 60_000
  table.sweep(both, clock.now)
  turns(upstream, 1)
  assert.deepEqual([a.share, b.share], [1, 1])
  table.sweep(new Set([b.health?.slot.index as number]), clock.now)
  clock.now += 60_000
  table.sweep(both, clock.now)
  clock.now += 2000
  turns(upstream, 1)
  assert.deepEqual([a.share, b.share], [0.2, 1])
})

test('slots are found again by their key, given back when unnamed for long, and never mixed up when full', () => {
  const table = new HealthTable(createHealthMemory({ slots: 16 }))
  const slots = Array.from({ length: 16 }, (_, index) => table.open(`key ${index}`, 1))
  assert.equal(new Set(slots.map(slot => slot?.index)).size, 16)
  assert.equal(table.open('one more', 1), null)
  assert.equal(table.open('key 3', 2)?.index, slots[3]?.index)
  const named = new Set(slots.slice(1).map(slot => slot?.index as number))
  table.sweep(named, 1000)
  assert.equal(table.open('one more', 1), null)
  table.sweep(named, 1000 + 600_001)
  assert.equal(table.open('one more', 1)?.index, slots[0]?.index)
})
