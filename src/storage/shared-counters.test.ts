import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import type { LimitRule } from './counters.ts'
import { countersContract } from './counters-contract.ts'
import { createCountersMemory, sharedCounters } from './shared-counters.ts'

countersContract('shared memory', () => sharedCounters(createCountersMemory()))

/** Hammers one key at one moment, all threads beginning together; tells how many takes were allowed. */
const hammer = `
import { parentPort, workerData } from 'node:worker_threads'
const { sharedCounters } = await import(workerData.module)
const counters = sharedCounters(workerData.memory)
parentPort.once('message', () => {
  Atomics.add(workerData.gate, 0, 1)
  while (Atomics.load(workerData.gate, 0) < workerData.threads) Atomics.wait(workerData.gate, 0, Atomics.load(workerData.gate, 0), 1)
  let allowed = 0
  for (let i = 0; i < workerData.takes; i++) if (counters.take(workerData.rule, 'one key', 1, 5000).allowed) allowed++
  parentPort.postMessage(allowed)
})
parentPort.postMessage('ready')
`

const startHammer = (data: Record<string, unknown>): Worker =>
  new Worker(new URL(`data:text/javascript,${encodeURIComponent(hammer)}`), {
    workerData: { ...data, module: new URL('./shared-counters.ts', import.meta.url).href },
  })

describe('shared counters', () => {
  for (const algorithm of ['gcra', 'sliding-window', 'fixed-window'] as const) {
    it(`${algorithm} lets exactly the limit through when four threads take at once`, async () => {
      const rule: LimitRule = { algorithm, limit: 60_000, windowMs: 60_000, burst: 60_000 }
      const memory = createCountersMemory({ slots: 64 })
      const gate = new Int32Array(new SharedArrayBuffer(4))
      const threads = 4
      const workers = Array.from({ length: threads }, () => startHammer({ memory, gate, threads, rule, takes: 20_000 }))
      await Promise.all(workers.map(worker => once(worker, 'message')))
      const results = workers.map(worker => once(worker, 'message'))
      for (const worker of workers) worker.postMessage('go')
      const allowed = (await Promise.all(results)).map(([count]) => count as number)
      assert.equal(
        allowed.reduce((sum, count) => sum + count),
        60_000,
      )
      assert.equal(sharedCounters(memory).stats().steals, 0)
      await Promise.all(workers.map(worker => worker.terminate()))
    })
  }

  it('goes on when a thread died while it held a lock', () => {
    const memory = createCountersMemory({ slots: 16 })
    const counters = sharedCounters(memory)
    const rule: LimitRule = { algorithm: 'gcra', limit: 5, windowMs: 1000, burst: 5 }
    counters.take(rule, 'k', 2, 0)
    // One bucket only: its lock is the first word after the header.
    Atomics.store(new Int32Array(memory), 16, 0x7654321)
    assert.equal(counters.take(rule, 'k', 1, 0).remaining, 2)
    assert.equal(counters.stats().steals, 1)
    assert.equal(counters.take(rule, 'k', 1, 0).remaining, 1)
    assert.equal(counters.stats().steals, 1, 'the lock is free again')
  })

  it('takes the place of a counter that has run out before that of a live one', () => {
    const counters = sharedCounters(createCountersMemory({ slots: 16 }))
    const rule: LimitRule = { algorithm: 'fixed-window', limit: 2, windowMs: 1000, burst: 2 }
    for (let i = 0; i < 16; i++) counters.take(rule, `old ${i}`, 1, 500)
    for (let i = 0; i < 16; i++) counters.take(rule, `new ${i}`, 1, 1500)
    assert.equal(counters.stats().evictions, 0)
    for (let i = 0; i < 16; i++) assert.equal(counters.take(rule, `new ${i}`, 0, 1500).remaining, 1)
  })

  it('gives up the counter that ends first, and counts it, when all places are live', () => {
    const counters = sharedCounters(createCountersMemory({ slots: 16 }))
    const rule: LimitRule = { algorithm: 'gcra', limit: 100, windowMs: 1000, burst: 100 }
    for (let i = 0; i < 16; i++) counters.take(rule, `key ${i}`, i === 7 ? 1 : 50, 0)
    counters.take(rule, 'one more', 1, 0)
    assert.equal(counters.stats().evictions, 1)
    assert.equal(counters.take(rule, 'key 7', 0, 0).remaining, 100, 'the one that had least to remember')
    for (let i = 0; i < 16; i++) if (i !== 7) assert.equal(counters.take(rule, `key ${i}`, 0, 0).remaining, 50)
  })

  it('holds tens of thousands of live keys in the default memory without giving any up', () => {
    const counters = sharedCounters(createCountersMemory())
    const rule: LimitRule = { algorithm: 'gcra', limit: 100, windowMs: 1000, burst: 100 }
    for (let i = 0; i < 20_000; i++) counters.take(rule, `orders/rate-limit|consumer-${i}`, 10, 0)
    let kept = 0
    for (let i = 0; i < 20_000; i++) {
      if (counters.take(rule, `orders/rate-limit|consumer-${i}`, 0, 0).remaining === 90) kept++
    }
    const { evictions } = counters.stats()
    assert.ok(kept >= 19_990, `${kept} of 20,000 kept`)
    assert.ok(evictions <= 10, `${evictions} given up`)
  })
})
