import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Counters, LimitRule } from './counters.ts'

const gcra: LimitRule = { algorithm: 'gcra', limit: 10, windowMs: 1000, burst: 10 }
const fixed: LimitRule = { algorithm: 'fixed-window', limit: 10, windowMs: 1000, burst: 10 }
const sliding: LimitRule = { algorithm: 'sliding-window', limit: 10, windowMs: 1000, burst: 10 }
const all = [gcra, fixed, sliding]

/** What each implementation of Counters must do. `open` gives empty counters; times are chosen by the suite. */
export const countersContract = (name: string, open: () => Counters | Promise<Counters>): void => {
  describe(`counters: ${name}`, () => {
    for (const rule of all) {
      describe(rule.algorithm, () => {
        it('lets exactly the limit through at one moment and then says how long to wait', async () => {
          const counters = await open()
          for (let i = 0; i < 10; i++) {
            const decision = await counters.take(rule, 'k', 1, 5000)
            assert.equal(decision.allowed, true)
            assert.equal(decision.remaining, 9 - i)
            assert.ok(decision.resetMs > 0)
          }
          const refused = await counters.take(rule, 'k', 1, 5000)
          assert.equal(refused.allowed, false)
          assert.equal(refused.remaining, 0)
          assert.ok(refused.retryAfterMs > 0 && refused.retryAfterMs <= 2000)
          const early = await counters.take(rule, 'k', 1, 5000 + refused.retryAfterMs - 1)
          assert.equal(early.allowed, false, 'one millisecond earlier is too early')
          const later = await counters.take(rule, 'k', 1, 5000 + refused.retryAfterMs)
          assert.equal(later.allowed, true, 'the wait was long enough')
        })

        it('has the full limit again after resetMs', async () => {
          const counters = await open()
          const { resetMs } = await counters.take(rule, 'k', 7, 5300)
          const look = await counters.take(rule, 'k', 0, 5300 + resetMs)
          assert.equal(look.remaining, 10)
          assert.equal(look.resetMs, 0)
          assert.equal((await counters.take(rule, 'k', 10, 5300 + resetMs)).allowed, true)
        })

        it('takes a cost as a whole or not at all', async () => {
          const counters = await open()
          assert.equal((await counters.take(rule, 'k', 7, 5000)).remaining, 3)
          const refused = await counters.take(rule, 'k', 4, 5000)
          assert.deepEqual([refused.allowed, refused.remaining], [false, 3])
          assert.ok(refused.retryAfterMs > 0, 'the wait is for the cost that was refused')
          assert.equal((await counters.take(rule, 'k', 3, 5000)).allowed, true)
        })

        it('never lets a cost above the limit pass', async () => {
          const counters = await open()
          const decision = await counters.take(rule, 'k', 11, 5000)
          assert.deepEqual([decision.allowed, decision.remaining], [false, 10])
          assert.equal((await counters.take(rule, 'k', 10, 5000)).allowed, true, 'and takes nothing for it')
        })

        it('looks without taking when the cost is 0', async () => {
          const counters = await open()
          const first = await counters.take(rule, 'k', 0, 5000)
          assert.deepEqual({ ...first }, { allowed: true, remaining: 10, retryAfterMs: 0, resetMs: 0 })
          await counters.take(rule, 'k', 10, 5000)
          const second = await counters.take(rule, 'k', 0, 5000)
          assert.deepEqual([second.allowed, second.remaining], [false, 0])
          assert.ok(second.retryAfterMs > 0)
        })

        it('gives back what a negative cost says, up to the limit', async () => {
          const counters = await open()
          await counters.take(rule, 'k', 10, 5000)
          const refund = await counters.take(rule, 'k', -4, 5000)
          assert.deepEqual([refund.allowed, refund.remaining], [true, 4])
          assert.equal((await counters.take(rule, 'k', -100, 5000)).remaining, 10)
          assert.equal((await counters.take(rule, 'never seen', -5, 5000)).remaining, 10)
        })

        it('counts fractions of a unit', async () => {
          const counters = await open()
          for (let i = 0; i < 40; i++) assert.equal((await counters.take(rule, 'k', 0.25, 5000)).allowed, true)
          assert.equal((await counters.take(rule, 'k', 0.25, 5000)).allowed, false)
        })

        it('keeps keys and rules apart', async () => {
          const counters = await open()
          await counters.take(rule, 'a', 10, 5000)
          assert.equal((await counters.take(rule, 'b', 10, 5000)).allowed, true)
          assert.equal((await counters.take({ ...rule, limit: 20, burst: 20 }, 'a', 20, 5000)).allowed, true)
          for (const other of all) {
            if (other !== rule) assert.equal((await counters.take(other, 'a', 10, 5000)).allowed, true)
          }
          assert.equal((await counters.take(rule, 'a', 1, 5000)).allowed, false)
        })

        it('takes keys of any text and length', async () => {
          const counters = await open()
          const keys = ['', ' ', 'ü', '\u0000', '👋', 'x'.repeat(10_000), `${'x'.repeat(10_000)}y`, 'a|b', 'a|b|']
          for (const key of keys) assert.equal((await counters.take(rule, key, 10, 5000)).allowed, true)
          for (const key of keys) assert.equal((await counters.take(rule, key, 1, 5000)).allowed, false)
        })

        it('gives nothing back to a clock that runs a little behind', async () => {
          const counters = await open()
          await counters.take(rule, 'k', 10, 5001)
          assert.equal((await counters.take(rule, 'k', 1, 4999)).allowed, false)
        })
      })
    }

    it('gcra refills evenly and lets at most the burst through at once', async () => {
      const counters = await open()
      const rule = { ...gcra, burst: 3 }
      assert.equal((await counters.take(rule, 'k', 4, 0)).allowed, false)
      assert.equal((await counters.take(rule, 'k', 3, 0)).allowed, true)
      assert.equal((await counters.take(rule, 'k', 1, 99)).allowed, false)
      assert.equal((await counters.take(rule, 'k', 1, 100)).allowed, true)
      assert.equal((await counters.take(rule, 'k', 1, 199)).allowed, false)
      assert.equal((await counters.take(rule, 'k', 3, 500)).allowed, true)
    })

    it('fixed-window begins anew at each multiple of the window', async () => {
      const counters = await open()
      await counters.take(fixed, 'k', 10, 5999)
      assert.equal((await counters.take(fixed, 'k', 1, 5999)).retryAfterMs, 1)
      assert.equal((await counters.take(fixed, 'k', 10, 6000)).allowed, true)
    })

    it('sliding-window counts the part of the last window that still matters', async () => {
      const counters = await open()
      await counters.take(sliding, 'k', 10, 5500)
      assert.equal((await counters.take(sliding, 'k', 1, 6000)).allowed, false)
      assert.equal((await counters.take(sliding, 'k', 0, 6300)).remaining, 3)
      assert.equal((await counters.take(sliding, 'k', 4, 6300)).allowed, false)
      assert.equal((await counters.take(sliding, 'k', 3, 6300)).allowed, true)
      assert.equal((await counters.take(sliding, 'k', 0, 8000)).remaining, 10)
    })

    it('decides like exact arithmetic over random calls', async () => {
      let seed = 42
      const random = (below: number): number => {
        seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
        return Math.floor((seed / 0x1_0000_0000) * below)
      }
      for (const { algorithm } of all) {
        for (let round = 0; round < 12; round++) {
          const counters = await open()
          const limit = 1 + random(50)
          const windowMs = 100 + random(3000)
          const burst = algorithm === 'gcra' ? 1 + random(60) : limit
          const model = exactModel[algorithm](BigInt(limit), BigInt(windowMs), BigInt(burst))
          let now = 1_000_000 + random(100_000)
          for (let step = 0; step < 150; step++) {
            if (random(3) === 0) now += random(random(2) === 0 ? 10 : windowMs)
            const cost = 1 + random(random(4) === 0 ? limit : 2)
            const decision = await counters.take({ algorithm, limit, windowMs, burst }, 'k', cost, now)
            const expected = model(BigInt(cost), BigInt(now))
            const where = `${algorithm} ${limit}/${windowMs} burst ${burst}, step ${step}, cost ${cost} at ${now}`
            assert.deepEqual([decision.allowed, decision.remaining], [expected.allowed, Number(expected.left)], where)
          }
        }
      }
    })
  })
}

type Model = (cost: bigint, now: bigint) => { allowed: boolean; left: bigint }

/** The same algorithms in whole numbers: everything is multiplied by the window, so that nothing is rounded. */
const exactModel: Record<LimitRule['algorithm'], (limit: bigint, windowMs: bigint, burst: bigint) => Model> = {
  gcra: (limit, windowMs, burst) => {
    let level = 0n
    let last = 0n
    return (cost, now) => {
      const drained = level - (now - last) * limit
      level = drained > 0n ? drained : 0n
      last = now
      const allowed = level + cost * windowMs <= burst * windowMs
      if (allowed) level += cost * windowMs
      return { allowed, left: (burst * windowMs - level) / windowMs }
    }
  },
  'fixed-window': (limit, windowMs) => {
    const used = new Map<bigint, bigint>()
    return (cost, now) => {
      const before = used.get(now / windowMs) ?? 0n
      const allowed = before + cost <= limit
      if (allowed) used.set(now / windowMs, before + cost)
      return { allowed, left: limit - (used.get(now / windowMs) ?? 0n) }
    }
  },
  'sliding-window': (limit, windowMs) => {
    const used = new Map<bigint, bigint>()
    return (cost, now) => {
      const index = now / windowMs
      const weighted = (): bigint =>
        (used.get(index) ?? 0n) * windowMs + (used.get(index - 1n) ?? 0n) * (windowMs - (now % windowMs))
      const allowed = weighted() + cost * windowMs <= limit * windowMs
      if (allowed) used.set(index, (used.get(index) ?? 0n) + cost)
      const left = limit * windowMs - weighted()
      return { allowed, left: left > 0n ? left / windowMs : 0n }
    }
  },
}
