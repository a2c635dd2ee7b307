import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AdaptiveLimit } from './adaptive-limit.ts'

const config = { min: 4, max: 1000, initial: 20, tolerance: 1.5 }

/**
 * A service with `capacity` places that needs `serviceMs` for each call; what finds no place waits in its line.
 * `demand` callers always want something. Advances in steps of one millisecond of its own clock.
 */
class Simulation {
  now = 0
  capacity: number
  serviceMs: number
  demand: number
  readonly limit: AdaptiveLimit
  done = 0
  #line: number[] = []
  #running: { start: number; end: number }[] = []
  #seed = 1

  constructor(capacity: number, serviceMs: number, demand: number) {
    this.capacity = capacity
    this.serviceMs = serviceMs
    this.demand = demand
    this.limit = new AdaptiveLimit(config, 0)
  }

  get inFlight(): number {
    return this.#line.length + this.#running.length
  }

  /** A tenth more or less, always the same way. */
  #jitter(): number {
    this.#seed = (this.#seed * 1103515245 + 12345) % 2147483648
    return 0.9 + (0.2 * this.#seed) / 2147483648
  }

  run(milliseconds: number): void {
    for (let i = 0; i < milliseconds; i++) {
      this.now++
      for (const call of this.#running.filter(({ end }) => end <= this.now)) {
        this.limit.sample(this.now - call.start, this.inFlight, this.now)
        this.#running.splice(this.#running.indexOf(call), 1)
        this.done++
      }
      while (this.inFlight < Math.min(this.demand, this.limit.at(this.now))) this.#line.push(this.now)
      while (this.#line.length > 0 && this.#running.length < this.capacity)
        this.#running.push({ start: this.#line.shift() as number, end: this.now + this.serviceMs * this.#jitter() })
    }
  }

  /** Lowest and highest limit over a while, and calls per second. */
  watch(milliseconds: number): { lowest: number; highest: number; rate: number } {
    const before = this.done
    let lowest = Number.POSITIVE_INFINITY
    let highest = 0
    for (let i = 0; i < milliseconds; i += 10) {
      this.run(10)
      lowest = Math.min(lowest, this.limit.at(this.now))
      highest = Math.max(highest, this.limit.at(this.now))
    }
    return { lowest, highest, rate: ((this.done - before) * 1000) / milliseconds }
  }
}

test('far more demand than capacity: the limit settles a little above the capacity', () => {
  const simulation = new Simulation(50, 20, 2000)
  simulation.run(20_000)
  const { highest, rate } = simulation.watch(100_000)
  assert.ok(highest < 150, `up to ${highest}`)
  // 50 places of 20 ms serve 2,500 per second; probes cost a little of it.
  assert.ok(rate > 2200, `${rate} calls per second`)
})

test('it finds its place within seconds, also when the first calls come all at once', () => {
  const simulation = new Simulation(5, 20, 500)
  simulation.run(6000)
  const { highest } = simulation.watch(10_000)
  assert.ok(highest < 30, `5 places: up to ${highest}`)
})

test('a limit that begins far too low or too high finds its place too', () => {
  for (const capacity of [5, 200]) {
    const simulation = new Simulation(capacity, 20, 3000)
    simulation.run(30_000)
    const { highest, rate } = simulation.watch(60_000)
    assert.ok(highest < capacity * 3 + 20, `${capacity} places: up to ${highest}`)
    assert.ok(rate > capacity * 50 * 0.85, `${capacity} places: ${rate} calls per second`)
  }
})

test('when the service slows down the limit falls, and comes back with it', () => {
  const simulation = new Simulation(50, 20, 2000)
  simulation.run(20_000)
  simulation.capacity = 10
  simulation.run(20_000)
  const slow = simulation.watch(20_000)
  assert.ok(slow.highest < 60, `10 places: up to ${slow.highest}`)
  assert.ok(slow.rate > 400, `10 places: ${slow.rate} calls per second`)
  simulation.capacity = 50
  simulation.run(20_000)
  const { rate } = simulation.watch(60_000)
  assert.ok(rate > 2200, `50 places again: ${rate} calls per second`)
})

test('a service whose every call became slower for good is not throttled for it', () => {
  const simulation = new Simulation(50, 20, 2000)
  simulation.run(20_000)
  simulation.serviceMs = 100
  simulation.run(90_000)
  const { rate } = simulation.watch(60_000)
  // 50 places of 100 ms serve 500 per second.
  assert.ok(rate > 430, `${rate} calls per second`)
})

test('at low load the limit does not collapse, not even when single calls are slow', () => {
  const simulation = new Simulation(50, 20, 3)
  simulation.run(60_000)
  simulation.serviceMs = 400
  simulation.run(10_000)
  simulation.serviceMs = 20
  const { lowest } = simulation.watch(60_000)
  assert.ok(lowest >= 4, `down to ${lowest}`)
  simulation.demand = 2000
  simulation.run(20_000)
  assert.ok(simulation.watch(20_000).rate > 2200)
})

test('it stays within its bounds', () => {
  const limit = new AdaptiveLimit({ min: 4, max: 30, initial: 20, tolerance: 1.5 }, 0)
  for (let now = 1; now < 20_000; now++) limit.sample(10, 30, now)
  assert.equal(limit.at(20_000), 30)
  for (let now = 20_000; now < 29_000; now++) limit.sample(1000, 30, now)
  assert.equal(limit.at(29_000), 4)
})

test('calls that never end do not hold a probe up', () => {
  const limit = new AdaptiveLimit(config, 0)
  let lowest = Number.POSITIVE_INFINITY
  for (let now = 1; now < 3000; now++) {
    limit.sample(10, 20, now)
    lowest = Math.min(lowest, limit.at(now))
  }
  assert.ok(lowest < 10, `${lowest} in the probe`)
  assert.ok(limit.at(5000) >= 20)
})
