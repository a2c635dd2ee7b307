import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BalanceDocument } from '#config/document'
import type { BalanceCall, Target } from '../target.ts'
import { testCall as call, testTarget as target, testUpstream } from '../test-targets.ts'

type Choose = (call: BalanceCall, tried: Target[] | null) => Target | null

const chooser = (balance: BalanceDocument['balance'], targets: Target[]): Choose => {
  const upstream = testUpstream({ balance }, targets)
  return (given, tried) => upstream.choose(given, tried)
}

const balances = ['round-robin', 'least-requests', 'random-two', 'peak-ewma'] as const

const turns = (choose: ReturnType<typeof chooser>, count: number, tried: Target[] | null = null): string[] =>
  Array.from({ length: count }, () => choose(call, tried)?.authority ?? 'none')

const countOf = (names: string[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

test('round robin gives each target exactly its share, in every round', () => {
  for (const weights of [[1], [1, 1, 1], [5, 1, 1], [3, 2, 1], [100, 1], [7, 11, 13, 17]]) {
    const targets = weights.map((weight, index) => target(`t${index}`, weight))
    const choose = chooser('round-robin', targets)
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    const expected = Object.fromEntries(weights.map((weight, index) => [`t${index}`, weight]))
    for (let round = 0; round < 3; round++) assert.deepEqual(countOf(turns(choose, total)), expected, `${weights}`)
  }
})

test('round robin spreads the turns of a heavy target instead of giving them in a row', () => {
  const choose = chooser('round-robin', [target('a', 5), target('b', 1), target('c', 1)])
  assert.deepEqual(turns(choose, 14).join(''), 'aabacaaaabacaa')
  const even = chooser('round-robin', [target('a', 2), target('b', 2)])
  assert.equal(turns(even, 8).join(''), 'abababab')
})

test('least requests takes the target with the least to do for its weight', () => {
  const a = target('a', 1, 3)
  const b = target('b', 1, 2)
  const c = target('c', 4, 9)
  const choose = chooser('least-requests', [a, b, c])
  assert.equal(choose(call, null), c)
  c.load.active = 12
  assert.equal(choose(call, null), b)
  b.load.active = 5
  c.load.active = 30
  assert.equal(choose(call, null), a)
})

test('targets that are equally idle are all used', () => {
  for (const balance of balances) {
    const counts = countOf(turns(chooser(balance, [target('a'), target('b'), target('c')]), 600))
    for (const name of ['a', 'b', 'c']) assert.ok((counts[name] ?? 0) > 100, `${balance}: ${JSON.stringify(counts)}`)
  }
})

test('random two never takes the busier one of its two', () => {
  const busy = target('busy', 1, 1000)
  const choose = chooser('random-two', [busy, target('a'), target('b'), target('c')])
  const counts = countOf(turns(choose, 2000))
  // Only when both draws are the busy one: 1 in 16.
  assert.ok((counts['busy'] ?? 0) < 300, JSON.stringify(counts))
})

for (const balance of balances) {
  test(`${balance}: what was tried already is avoided while there is another`, () => {
    const targets = [target('a', 100), target('b'), target('c')]
    const [a, b, c] = targets as [Target, Target, Target]
    const choose = chooser(balance, targets)
    for (let i = 0; i < 50; i++) {
      assert.notEqual(choose(call, [a]), a)
      assert.equal(choose(call, [c, a]), b)
      assert.ok(targets.includes(choose(call, [a, b, c]) as Target), 'when all were tried, one of them is tried again')
    }
  })

  test(`${balance}: a target of weight 0 gets nothing, not even when all others were tried`, () => {
    const [a, off, b] = [target('a'), target('off', 0), target('b')]
    const choose = chooser(balance, [a, off, b])
    for (const tried of [null, [a], [a, b]])
      assert.equal(turns(choose, 50, tried).includes('off'), false, `${tried?.length ?? 0} tried`)
    const only = chooser(balance, [off, b])
    assert.deepEqual(countOf(turns(only, 10, [b])), { b: 10 })
  })

  test(`${balance}: without a usable target there is none`, () => {
    assert.equal(chooser(balance, [])(call, null), null)
    assert.equal(chooser(balance, [target('off', 0)])(call, null), null)
  })
}

test('retries do not take turns away from the other targets for good', () => {
  const targets = [target('a', 2), target('b', 1), target('c', 1)]
  const choose = chooser('round-robin', targets)
  for (let i = 0; i < 100; i++) choose(call, [targets[0] as Target])
  const counts = countOf(turns(choose, 4000))
  for (const [name, share] of [
    ['a', 2000],
    ['b', 1000],
    ['c', 1000],
  ] as const)
    assert.ok(Math.abs((counts[name] ?? 0) - share) < 10, JSON.stringify(counts))
})
