import { createHash } from 'node:crypto'

const ways = 16
const slotBytes = 128
const wordsPerSlot = slotBytes / 4
const numbersPerSlot = slotBytes / 8
const headerBytes = 64
const [slotsWord, epochWord, lockWord] = [0, 1, 2] as const

/** Words of a slot. */
export const word = {
  low: 0,
  high: 1,
  /** 0 is usable; what else there is depends on the kind of slot. */
  state: 2,
  /** Failures in a row. */
  failures: 3,
  /** Ejections that count for the length of the next one. */
  streak: 4,
  ejections: 5,
  windowCalls: 6,
  windowFailures: 7,
  checks: 8,
} as const

/** Numbers of a slot, behind its words; times are monotonicMs(). */
export const number = {
  /** When the target became usable. */
  since: 8,
  /** When its ejection, or its trial, is over. */
  until: 9,
  windowStart: 10,
  /** When a sweep first found the slot unnamed; 0 while it is named. */
  unnamedAt: 11,
} as const

/** A slot that no configuration has named for this long is given to another target. */
const forgetAfterMs = 600_000

/** Memory for the state of `slots` targets (rounded up to a power of two), to be given to every thread. */
export const createHealthMemory = (options: { slots?: number } = {}): SharedArrayBuffer => {
  const slots = Math.max(ways, 2 ** Math.ceil(Math.log2(options.slots ?? 16_384)))
  const memory = new SharedArrayBuffer(headerBytes + slots * slotBytes)
  new Int32Array(memory, 0, 4)[slotsWord] = slots
  return memory
}

/**
 * The state of all targets in memory that all threads of this process share. A slot is found by the hash of a key.
 * Whoever changes what may be called moves the epoch, so that one plain load tells everybody else that nothing changed.
 */
export class HealthTable {
  readonly words: Int32Array
  readonly numbers: Float64Array
  readonly #header: Int32Array
  readonly #buckets: number

  constructor(memory: SharedArrayBuffer) {
    this.#header = new Int32Array(memory, 0, headerBytes / 4)
    const slots = this.#header[slotsWord] as number
    this.#buckets = slots / ways
    this.words = new Int32Array(memory, headerBytes, slots * wordsPerSlot)
    this.numbers = new Float64Array(memory, headerBytes, slots * numbersPerSlot)
  }

  get epoch(): number {
    return this.#header[epochWord] as number
  }

  moveEpoch(): void {
    Atomics.add(this.#header, epochWord, 1)
  }

  /** The slot of `key`, made when it is new; null when there is no room. `now` is when a new one became usable. */
  open(key: string, now: number, state = 0): Slot | null {
    const digest = createHash('sha256').update(key).digest()
    const low = digest.readInt32LE(0)
    const high = digest.readInt32LE(4) || 1
    const bucket = (digest.readUInt32LE(8) % this.#buckets) * ways
    return this.#locked(() => {
      let free = -1
      for (let index = bucket; index < bucket + ways; index++) {
        const at = index * wordsPerSlot
        if (this.words[at + word.low] === low && this.words[at + word.high] === high) return new Slot(this, index)
        if (free < 0 && this.words[at + word.high] === 0) free = index
      }
      if (free < 0) return null
      const slot = new Slot(this, free)
      slot.clear()
      slot.numbers[slot.number + number.since] = now
      Atomics.store(this.words, slot.word + word.state, state)
      Atomics.store(this.words, slot.word + word.low, low)
      Atomics.store(this.words, slot.word + word.high, high)
      return slot
    })
  }

  /** Gives back slots that have not been among the `named` ones for a while; those that are again begin anew. */
  sweep(named: ReadonlySet<number>, now: number): void {
    this.#locked(() => {
      for (let index = 0; index < this.#buckets * ways; index++) {
        if (this.words[index * wordsPerSlot + word.high] === 0) continue
        const at = index * numbersPerSlot + number.unnamedAt
        const unnamedAt = this.numbers[at] as number
        if (named.has(index)) {
          this.numbers[at] = 0
          if (unnamedAt !== 0) new Slot(this, index).announce(now)
        } else if (unnamedAt === 0) this.numbers[at] = now
        else if (now - unnamedAt > forgetAfterMs) new Slot(this, index).clear()
      }
    })
  }

  /** Only where slots are made or given back: no call waits for it. */
  #locked<Result>(work: () => Result): Result {
    // A thread that was terminated in the middle leaves the lock; its half-made slot has no key yet.
    for (let i = 0; i < 1_000_000 && Atomics.compareExchange(this.#header, lockWord, 0, 1) !== 0; i++);
    try {
      return work()
    } finally {
      Atomics.store(this.#header, lockWord, 0)
    }
  }
}

/** The place of one target in the table, seen from one thread. */
export class Slot {
  readonly table: HealthTable
  readonly index: number
  readonly words: Int32Array
  readonly numbers: Float64Array
  /** Where its words and numbers begin. */
  readonly word: number
  readonly number: number

  constructor(table: HealthTable, index: number) {
    this.table = table
    this.index = index
    this.words = table.words
    this.numbers = table.numbers
    this.word = index * wordsPerSlot
    this.number = index * numbersPerSlot
  }

  clear(): void {
    this.words.fill(0, this.word, this.word + wordsPerSlot)
  }

  get state(): number {
    return this.words[this.word + word.state] as number
  }

  get since(): number {
    return this.numbers[this.number + number.since] as number
  }

  get until(): number {
    return this.numbers[this.number + number.until] as number
  }

  set until(time: number) {
    this.numbers[this.number + number.until] = time
  }

  count(name: 'failures' | 'streak' | 'ejections' | 'checks'): number {
    return this.words[this.word + word[name]] as number
  }

  /** Takes the slot from one state to another; false when another thread was first. */
  change(from: number, to: number): boolean {
    return Atomics.compareExchange(this.words, this.word + word.state, from, to) === from
  }

  /** Tells everybody; a target that became usable begins its slow start `now`. */
  announce(now: number): void {
    if (this.state === 0) this.numbers[this.number + number.since] = now
    this.table.moveEpoch()
  }
}
