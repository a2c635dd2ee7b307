import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SplitDocument } from '#config/document'
import { compileSplit as compile, type Split } from './split.ts'

const compileSplit = (document: SplitDocument, salt: string): Split['choose'] => compile(document, salt).choose

const caller = (more: Partial<Parameters<Split['choose']>[0]> = {}) => ({
  headers: [],
  query: '',
  consumer: null,
  clientAddress: '192.0.2.1',
  ...more,
})

const split = (percents: number[], stickyBy: string | null = null): SplitDocument => ({
  to: percents.map((percent, index) => ({ upstream: `u${index}`, percent })),
  stickyBy,
})

test('of 10,000 calls each branch gets exactly its share, and of fewer the nearest to it', () => {
  for (const percents of [[10], [0.01], [33.33, 33.33], [50, 50], [100], [0, 1], [12.5, 0.07, 42.42, 7]]) {
    const choose = compileSplit(split(percents), 's')
    const counts = percents.map(() => 0)
    for (let i = 1; i <= 10_000; i++) {
      const branch = choose(caller())
      if (branch >= 0) counts[branch] = (counts[branch] as number) + 1
      for (const [index, percent] of percents.entries())
        assert.ok(
          Math.abs((counts[index] as number) - (i * percent) / 100) <= percents.length,
          `${percents} after ${i}`,
        )
    }
    assert.deepEqual(
      counts,
      percents.map(percent => Math.round(percent * 100)),
    )
  }
})

test('who is recognised keeps the way, also in another worker, and a share that grows takes nobody back', () => {
  const at = (percent: number) => compileSplit(split([percent], 'header:x-user'), 'orders')
  const [small, large, again] = [at(10), at(30), at(10)]
  let few = 0
  let many = 0
  for (let user = 0; user < 5000; user++) {
    const call = caller({ headers: ['x-user', `user-${user}`] })
    const branch = small(call)
    assert.equal(again(call), branch)
    if (branch === 0) {
      few++
      assert.equal(large(call), 0)
    }
    if (large(call) === 0) many++
  }
  assert.ok(few > 400 && few < 600, `${few} of 5000 are not about 10 percent`)
  assert.ok(many > 1350 && many < 1650, `${many} of 5000 are not about 30 percent`)
})

test('two splits do not choose the same callers', () => {
  const [one, other] = ['orders', 'users'].map(salt => compileSplit(split([50], 'ip'), salt))
  let same = 0
  for (let i = 0; i < 1000; i++) {
    const call = caller({ clientAddress: `192.0.2.${i}` })
    if (one?.(call) === other?.(call)) same++
  }
  assert.ok(same > 400 && same < 600, `${same} of 1000 went the same way`)
})

test('without what it is recognised by a call is counted', () => {
  const choose = compileSplit(split([50], 'cookie:id'), 's')
  const ways = Array.from({ length: 10 }, () => choose(caller()))
  assert.equal(ways.filter(way => way === 0).length, 5)
  const named = caller({ consumer: { name: 'ann', groups: [], keyHashes: [] } })
  const sticky = compileSplit(split([50], 'consumer'), 's')
  assert.equal(sticky(named), sticky({ ...named, clientAddress: '203.0.113.9' }))
})

test('what is certain is foreseen without counting', () => {
  const document: SplitDocument = {
    to: [{ upstream: 'a', percent: 50, when: { headers: { 'x-a': '*' }, cookies: {}, query: {}, groups: [] } }],
    stickyBy: null,
  }
  const { choose, foresee } = compile(document, 's')
  for (let i = 0; i < 5; i++) assert.equal(foresee(caller()), undefined)
  assert.equal(foresee(caller({ headers: ['x-a', ''] })), 0)
  assert.deepEqual([choose(caller()), choose(caller())].toSorted(), [-1, 0])
})
