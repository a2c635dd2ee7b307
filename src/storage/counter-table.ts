import { randomFillSync } from 'node:crypto'
import type { LimitRule } from './counters.ts'
import { stateSize } from './limit-algorithms.ts'

/** Places in a bucket: their hashes fill one cache line, and a half full table has next to no full bucket. */
const ways = 16
const headerWords = 16
const [slotsWord, seedLowWord, seedHighWord, evictionsWord, stealsWord, holdersWord] = [0, 1, 2, 3, 4, 5] as const

const spins = 100
/** A holder that does not let go for this long was terminated in the middle; a live one needs less than 1 µs. */
const stealAfterMs = 500

const stateOffset = (slots: number): number => Math.ceil((4 * (headerWords + slots / ways + 2 * slots)) / 8) * 8

/** Memory for `slots` counters (rounded up to a power of two), to be given to every worker. */
export const createCountersMemory = (options: { slots?: number } = {}): SharedArrayBuffer => {
  const slots = Math.max(ways, 2 ** Math.ceil(Math.log2(options.slots ?? 65_536)))
  const memory = new SharedArrayBuffer(stateOffset(slots) + 8 * stateSize * slots)
  const header = new Int32Array(memory, 0, headerWords)
  header[slotsWord] = slots
  // A random seed keeps clients from choosing keys that fall into one bucket.
  header.set(randomFillSync(new Int32Array(2)), seedLowWord)
  return memory
}

/**
 * A hash table in shared memory: buckets of 16 counters, one lock per bucket. A counter is known by a 64-bit hash of
 * rule and key; the key itself is not kept. One object per thread.
 */
export class CounterTable {
  readonly state: Float64Array
  /** Bucket of the last `hash`, and the two halves of that hash. */
  #bucket = 0
  #low = 0
  #high = 0
  readonly #header: Int32Array
  readonly #locks: Int32Array
  readonly #lows: Int32Array
  readonly #highs: Int32Array
  readonly #bucketMask: number
  readonly #seedLow: number
  readonly #seedHigh: number
  /** Marks each acquisition with thread and turn, so that a holder that lives on is not mistaken for a dead one. */
  readonly #holder: number
  #turn = 0

  constructor(memory: SharedArrayBuffer) {
    this.#header = new Int32Array(memory, 0, headerWords)
    const slots = this.#header[slotsWord] as number
    const buckets = slots / ways
    this.#locks = new Int32Array(memory, 4 * headerWords, buckets)
    this.#lows = new Int32Array(memory, 4 * (headerWords + buckets), slots)
    this.#highs = new Int32Array(memory, 4 * (headerWords + buckets + slots), slots)
    this.state = new Float64Array(memory, stateOffset(slots), slots * stateSize)
    this.#bucketMask = buckets - 1
    this.#seedLow = this.#header[seedLowWord] as number
    this.#seedHigh = this.#header[seedHighWord] as number
    this.#holder = ((Atomics.add(this.#header, holdersWord, 1) & 0x7ff) + 1) << 20
  }

  get slots(): number {
    return this.#header[slotsWord] as number
  }
  /** Live counters that were given up because their bucket was full. */
  get evictions(): number {
    return Atomics.load(this.#header, evictionsWord)
  }
  /** Locks taken over from threads that died while they held them. */
  get steals(): number {
    return Atomics.load(this.#header, stealsWord)
  }

  /** Chooses the bucket of `key` under `rule` for the calls that follow. */
  hash(rule: LimitRule, key: string): void {
    const length = key.length
    let low = this.#seedLow ^ length
    // The three names of algorithms differ in length, which is cheaper to mix in than their letters.
    let high = this.#seedHigh ^ (rule.algorithm.length << 8)
    low = Math.imul(low ^ rule.limit, 0x85ebca6b) ^ (rule.limit / 0x1_0000_0000)
    high = Math.imul(high ^ rule.windowMs, 0xc2b2ae35) ^ (rule.windowMs / 0x1_0000_0000)
    low = Math.imul(low ^ rule.burst, 0x27d4eb2f) ^ (low >>> 15)
    for (let i = 0; i < length; i++) {
      const unit = key.charCodeAt(i)
      low = Math.imul((low << 5) ^ (low >>> 27) ^ unit, 0x9e3779b1)
      high = Math.imul(high ^ unit, 0x85ebca77) ^ (high >>> 13)
    }
    low = Math.imul(low ^ (low >>> 16) ^ high, 0x7feb352d)
    low ^= low >>> 15
    high = Math.imul(high ^ (high >>> 16) ^ low, 0x846ca68b)
    high ^= high >>> 16
    this.#bucket = high & this.#bucketMask
    this.#low = low
    this.#high = high === 0 ? 1 : high
  }

  /** Locks the bucket; the result is handed to `unlock`. */
  lock(): number {
    const mark = this.#holder | (this.#turn = (this.#turn + 1) & 0xfffff)
    for (let i = 0; i < spins; i++) {
      if (Atomics.compareExchange(this.#locks, this.#bucket, 0, mark) === 0) return mark
    }
    return this.#lockSlowly(mark)
  }

  unlock(mark: number): void {
    // Not a plain store: who was taken for dead must not open a lock that is another's by now.
    Atomics.compareExchange(this.#locks, this.#bucket, mark, 0)
  }

  /** Index of the counter's state, or -1. Only under the lock. */
  find(): number {
    const first = this.#bucket * ways
    for (let slot = first; slot < first + ways; slot++) {
      if (this.#lows[slot] === this.#low && this.#highs[slot] === this.#high) return slot * stateSize
    }
    return -1
  }

  /** Makes a fresh counter, in place of one that has run out or, with none such, of the one that does so first. */
  insert(now: number): number {
    const first = this.#bucket * ways
    let chosen = first
    let earliest = Number.POSITIVE_INFINITY
    for (let slot = first; slot < first + ways; slot++) {
      const end = this.state[slot * stateSize] as number
      if (end < earliest) {
        earliest = end
        chosen = slot
      }
      if (end === 0) break
    }
    if (earliest > now) Atomics.add(this.#header, evictionsWord, 1)
    this.#lows[chosen] = this.#low
    this.#highs[chosen] = this.#high
    const at = chosen * stateSize
    for (let i = 0; i < stateSize; i++) this.state[at + i] = 0
    return at
  }

  #lockSlowly(mark: number): number {
    let seen = 0
    let since = 0
    for (;;) {
      const holder = Atomics.compareExchange(this.#locks, this.#bucket, 0, mark)
      if (holder === 0) return mark
      const now = performance.now()
      if (holder !== seen) {
        seen = holder
        since = now
      } else if (now - since > stealAfterMs) {
        if (Atomics.compareExchange(this.#locks, this.#bucket, holder, mark) !== holder) continue
        Atomics.add(this.#header, stealsWord, 1)
        return mark
      }
      // Nobody wakes us: this only gives the core to the holder, which another thread may have pushed off it.
      Atomics.wait(this.#locks, this.#bucket, holder, 0.2)
    }
  }
}
