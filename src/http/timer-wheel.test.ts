import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Timer, TimerWheel } from './timer-wheel.ts'

const tickMs = 50

/** A wheel whose clock stands still until `pass` moves it, in steps finer than a tick. */
const stoppedWheel = (t: TestContext) => {
  let clock = 1000.25
  t.mock.timers.enable({ apis: ['setInterval'] })
  t.mock.method(performance, 'now', () => clock)
  const wheel = new TimerWheel(tickMs)
  t.after(() => wheel.close())
  return {
    wheel,
    clock: () => clock,
    pass: (ms: number, step = 10) => {
      for (let left = ms; left > 0; left -= step) {
        clock += Math.min(step, left)
        t.mock.timers.tick(Math.min(step, left))
      }
    },
    /** The event loop stands still: time passes, and the wheel hears of it in one tick. */
    stall: (ms: number) => {
      clock += ms
      t.mock.timers.tick(tickMs)
    },
  }
}

test('a timer fires once, never early, and at most three ticks late', t => {
  const { wheel, clock, pass } = stoppedWheel(t)
  for (const ms of [0, 1, 49, 50, 51, 99, 100, 1234, 10_000]) {
    for (const offset of [0, 10, 30, 40]) {
      pass(offset)
      const start = clock()
      const fired: number[] = []
      wheel.set(new Timer(() => fired.push(clock() - start)), ms)
      pass(ms + 1000)
      assert.equal(fired.length, 1, `${ms} ms`)
      const [after = 0] = fired
      assert.ok(after >= ms && after <= ms + 3 * tickMs, `${ms} ms fired after ${after}`)
    }
  }
  assert.equal(wheel.size, 0)
})

test('a deadline longer than a round of the wheel is kept', t => {
  const { wheel, clock, pass } = stoppedWheel(t)
  const start = clock()
  const fired: [number, number][] = []
  const all = [51_150, 51_200, 51_250, 60_000, 102_400, 3_600_000]
  for (const ms of all) wheel.set(new Timer(() => fired.push([ms, clock() - start])), ms)
  pass(3_700_000, tickMs)
  assert.deepEqual(
    fired.map(([ms]) => ms),
    all,
  )
  for (const [ms, after] of fired) assert.ok(after >= ms && after <= ms + 3 * tickMs, `${ms} ms fired after ${after}`)
})

test('a timer that is moved later again and again does not fire, and then fires after the last move', t => {
  const { wheel, clock, pass } = stoppedWheel(t)
  let fired = 0
  const timer = new Timer(() => {
    fired = clock()
  })
  for (let i = 0; i < 100; i++) {
    wheel.set(timer, 300)
    assert.equal(wheel.size, 1, 'one timer is linked once')
    pass(170)
    assert.equal(fired, 0)
  }
  const last = clock() - 170
  pass(1000)
  assert.ok(fired >= last + 300 && fired <= last + 300 + 3 * tickMs)
})

test('a timer can be moved earlier', t => {
  const { wheel, clock, pass } = stoppedWheel(t)
  const start = clock()
  const fired: number[] = []
  const timer = new Timer(() => fired.push(clock() - start))
  wheel.set(timer, 60_000)
  wheel.set(timer, 100)
  pass(61_000)
  assert.equal(fired.length, 1)
  assert.ok((fired[0] as number) >= 100 && (fired[0] as number) <= 250)
})

test('a cleared or removed timer does not fire, and can be set again', t => {
  const { wheel, pass } = stoppedWheel(t)
  for (const stop of ['clear', 'remove'] as const) {
    let fired = 0
    const timer = new Timer(() => fired++)
    wheel[stop](timer)
    wheel.set(timer, 100)
    wheel[stop](timer)
    pass(1000)
    assert.equal(fired, 0, stop)
    wheel.set(timer, 100)
    wheel[stop](timer)
    wheel.set(timer, 100)
    pass(1000)
    assert.equal(fired, 1, stop)
    assert.equal(wheel.size, 0)
  }
})

test('a removed timer is forgotten at once', t => {
  const { wheel } = stoppedWheel(t)
  const timers = Array.from({ length: 10 }, () => new Timer(() => assert.fail('it was removed')))
  for (const timer of timers) wheel.set(timer, 100)
  assert.equal(wheel.size, 10)
  // First, last and one in the middle of their slot.
  for (const at of [0, 9, 4]) wheel.remove(timers[at] as Timer)
  assert.equal(wheel.size, 7)
  for (const timer of timers) wheel.remove(timer)
  assert.equal(wheel.size, 0)
})

test('a callback may remove, clear and move any other timer of its own slot', t => {
  for (const first of [0, 1, 2, 3, 4]) {
    const { wheel, pass } = stoppedWheel(t)
    const fired: number[] = []
    let acted = false
    const timers: Timer[] = Array.from(
      { length: 5 },
      (_, index) =>
        new Timer(() => {
          fired.push(index)
          if (acted) return
          acted = true
          const others = [1, 2, 3, 4].map(step => timers[(index + step) % 5] as Timer)
          wheel.remove(others[0] as Timer)
          wheel.clear(others[1] as Timer)
          wheel.set(others[2] as Timer, 1000)
        }),
    )
    // Set in turned order, so that the acting timer stands everywhere in the slot.
    for (let i = 0; i < 5; i++) wheel.set(timers[(first + i) % 5] as Timer, 200)
    pass(500)
    assert.equal(fired.length, 2, `first ${first}: ${fired}`)
    pass(1000)
    assert.equal(fired.length, 3, `first ${first}: ${fired}`)
    assert.equal(new Set(fired).size, 3)
    assert.equal(wheel.size, 0)
    t.mock.timers.reset()
    t.mock.restoreAll()
  }
})

test('a callback may set its own timer again, also for no time at all, without holding the wheel', t => {
  const { wheel, pass } = stoppedWheel(t)
  let fired = 0
  const timer = new Timer(() => {
    fired++
    wheel.set(timer, 0)
  })
  wheel.set(timer, 0)
  pass(1000)
  assert.ok(fired >= 5 && fired <= 20, `${fired} times in 20 ticks`)
})

test('after the loop stood still, everything that is due fires once and the rest waits', t => {
  for (const pause of [500, 51_200, 51_250, 200_000]) {
    const { wheel, clock, pass, stall } = stoppedWheel(t)
    pass(70)
    const start = clock()
    const fired: [number, number][] = []
    for (const ms of [100, 200, 300, 250_000]) wheel.set(new Timer(() => fired.push([ms, clock() - start])), ms)
    stall(pause)
    assert.deepEqual(fired.map(([ms]) => ms).sort(), [100, 200, 300], `after ${pause} ms`)
    pass(250_000 - pause + 500, tickMs)
    assert.equal(fired.length, 4)
    const [ms, after] = fired[3] as [number, number]
    assert.ok(after >= ms && after <= ms + 3 * tickMs, `${ms} ms fired after ${after}`)
    t.mock.timers.reset()
    t.mock.restoreAll()
  }
})

test('random setting, moving, clearing and removing keeps every promise', t => {
  const { wheel, clock, pass } = stoppedWheel(t)
  let state = 4711
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % below
  }
  const due: number[] = new Array(40).fill(Number.POSITIVE_INFINITY)
  let fired = 0
  const timers: Timer[] = due.map(
    (_, index) =>
      new Timer(() => {
        fired++
        assert.ok(clock() >= (due[index] as number), `timer ${index} fired early`)
        due[index] = Number.POSITIVE_INFINITY
        act()
      }),
  )
  const act = (): void => {
    const index = random(timers.length)
    const timer = timers[index] as Timer
    if (random(4) === 0) {
      due[index] = Number.POSITIVE_INFINITY
      if (random(2) === 0) wheel.clear(timer)
      else wheel.remove(timer)
      return
    }
    const ms = random(10) === 0 ? random(120_000) : random(2000)
    due[index] = clock() + ms
    wheel.set(timer, ms)
  }
  for (let round = 0; round < 20_000; round++) {
    act()
    pass(random(30))
    for (const [index, deadline] of due.entries())
      assert.ok(deadline === Number.POSITIVE_INFINITY || clock() <= deadline + 3 * tickMs, `timer ${index} is overdue`)
  }
  assert.ok(fired > 1000, `${fired} timers fired`)
  for (const timer of timers) wheel.remove(timer)
  assert.equal(wheel.size, 0)
})

test('a wheel runs on the real clock and does not keep the program alive', async () => {
  const wheel = new TimerWheel(5)
  const start = performance.now()
  await new Promise<void>(resolve => {
    // The wheel alone would let the process end before this.
    const alive = setInterval(() => {}, 1000)
    wheel.set(
      new Timer(() => {
        clearInterval(alive)
        resolve()
      }),
      40,
    )
  })
  assert.ok(performance.now() - start >= 40)
  wheel.close()
})
