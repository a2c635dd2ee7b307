import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GatewayError } from '#base/errors'
import type { Pool } from '#http/client'
import { TargetLoad } from '../balance/target-load.ts'
import { Target } from '../target.ts'
import { Gate, type Waiter } from './gate.ts'
import { createSharedState, releaseWorker } from './shared-state.ts'

const pool = { multiplexes: true, idleCount: 0, connections: new Set() } as unknown as Pool

const targetOf = (name: string): Target =>
  new Target({
    ...{ url: `http://${name}`, authority: name, basePath: '', key: name, weight: 1, priority: 0, address: null },
    ...{ pool, load: new TargetLoad(), health: null },
  })

const limits = { requests: 2, queue: 1000, queueTimeout: 60_000 }

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** Always the same sequence. */
const randomFrom = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return Math.floor((state / 0x80000000) * below)
  }
}

class Caller implements Waiter {
  readonly turnKey: string
  readonly targets: readonly Target[]
  target: Target | null = null
  error: GatewayError | null = null

  constructor(turnKey: string, targets: readonly Target[]) {
    this.turnKey = turnKey
    this.targets = targets
  }

  chooseTarget(full: readonly Target[]): Target | null {
    return this.targets.find(target => !full.includes(target)) ?? this.targets[0] ?? null
  }
  admitted(target: Target): void {
    this.target = target
  }
  refused(error: GatewayError): void {
    this.error = error
  }
  noTarget(): void {
    assert.fail('there are targets')
  }
}

const gatesOf = (memory: SharedArrayBuffer, count: number): Gate[] =>
  Array.from(
    { length: count },
    (_, worker) => new Gate({ name: 'orders', limits, adaptive: null, memory, worker, workers: count }),
  )

test('whatever comes and goes in two workers, no target gets too much and nobody is forgotten', async () => {
  const random = randomFrom(7)
  const memory = createSharedState(256)
  const gates = gatesOf(memory, 2)
  const targets = ['a', 'b', 'c'].map(targetOf)
  const running: { gate: Gate; caller: Caller }[] = []
  const waiting: { gate: Gate; caller: Caller }[] = []
  const settle = (): void => {
    for (const entry of [...waiting]) {
      if (entry.caller.target === null) continue
      waiting.splice(waiting.indexOf(entry), 1)
      running.push(entry)
    }
    for (const target of targets) {
      const count = running.filter(({ caller }) => caller.target === target).length
      assert.ok(count <= limits.requests, `${count} at ${target.authority}`)
    }
  }
  for (let step = 0; step < 3000; step++) {
    const what = random(10)
    if (what < 5) {
      const gate = gates[random(2)] as Gate
      const caller = new Caller(`consumer ${random(4)}`, targets)
      waiting.push({ gate, caller })
      gate.enter(caller)
    } else if (what < 9 && running.length > 0) {
      const [{ gate, caller }] = running.splice(random(running.length), 1) as [{ gate: Gate; caller: Caller }]
      gate.leave(caller.target as Target, -1)
    } else if (waiting.length > 0) {
      const [{ gate, caller }] = waiting.splice(random(waiting.length), 1) as [{ gate: Gate; caller: Caller }]
      gate.remove(caller)
      if (caller.target !== null) gate.leave(caller.target, -1)
    }
    if (step % 3 === 0) await turn()
    settle()
  }
  for (let round = 0; round < 20_000 && waiting.length + running.length > 0; round++) {
    for (const { gate, caller } of running.splice(0)) gate.leave(caller.target as Target, -1)
    await turn()
    settle()
  }
  assert.deepEqual([waiting.length, running.length], [0, 0])
  assert.deepEqual(
    gates.map(({ active, waiting: queued }) => [active, queued]),
    [
      [0, 0],
      [0, 0],
    ],
  )
})

test('what a dead worker held goes to those who wait elsewhere', async () => {
  const memory = createSharedState(256)
  const [dead, alive] = gatesOf(memory, 2) as [Gate, Gate]
  const targets = [targetOf('only')]
  for (let i = 0; i < 2; i++) dead.enter(new Caller('x', targets))
  const caller = new Caller('y', targets)
  alive.enter(caller)
  assert.equal(caller.target, null)
  releaseWorker(memory, 0)
  for (let round = 0; round < 1000 && caller.target === null; round++) await turn()
  assert.equal(caller.target, targets[0])
})
