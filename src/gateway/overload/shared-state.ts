import { createHash } from 'node:crypto'

/** Workers that one process may have; state of more is not kept apart. */
export const maxWorkers = 64

const wordsPerSlot = 256
const ways = 16

/** Words of a slot. */
export const word = {
  low: 0,
  high: 1,
  breakerState: 2,
  breakerEpoch: 3,
  openedAt: 4,
  trialsAt: 5,
  trials: 6,
  successes: 7,
  opened: 8,
  held: 9,
  waiting: 10,
  signal: 11,
  /** Ten times: number of the interval, calls, failures. */
  window: 16,
  /** What each worker holds, and how many calls wait there: given back when it dies. */
  heldBy: 64,
  waitingAt: 128,
} as const

/** Memory for what all workers know together about `slots` upstreams and targets. */
export const createSharedState = (slots = 4096): SharedArrayBuffer =>
  new SharedArrayBuffer(Math.ceil(slots / ways) * ways * wordsPerSlot * 4)

/** One named place in the memory, seen by one worker. */
export type SharedSlot = { readonly words: Int32Array; readonly worker: number }

/**
 * Finds or makes the slot of `key`. Slots are never given back: 4096 names in the life of a process are more than anybody
 * configures, and where there is no room a worker counts for itself.
 */
export const openSlot = (memory: SharedArrayBuffer, key: string, worker: number): SharedSlot => {
  const digest = createHash('sha256').update(key).digest()
  const low = digest.readInt32LE(0)
  const high = digest.readInt32LE(4) || 1
  const buckets = memory.byteLength / (ways * wordsPerSlot * 4)
  const first = (digest.readUInt32LE(8) % buckets) * ways
  for (let slot = first; slot < first + ways; slot++) {
    const words = new Int32Array(memory, slot * wordsPerSlot * 4, wordsPerSlot)
    const found = Atomics.compareExchange(words, word.high, 0, high)
    if (found === 0) Atomics.store(words, word.low, low)
    // Two keys that share 32 bits of their hash share a slot in the moment between the two stores; nothing else can.
    if (found === 0 || (found === high && (Atomics.load(words, word.low) === low || words[word.low] === 0)))
      return { words, worker }
  }
  return { words: new Int32Array(new SharedArrayBuffer(wordsPerSlot * 4)), worker }
}

/** Gives back what a worker held when it died. */
export const releaseWorker = (memory: SharedArrayBuffer, worker: number): void => {
  const words = new Int32Array(memory)
  for (let at = 0; at < words.length; at += wordsPerSlot) {
    if (words[at + word.high] === 0) continue
    Atomics.sub(words, at + word.held, Atomics.exchange(words, at + word.heldBy + worker, 0))
    Atomics.sub(words, at + word.waiting, Atomics.exchange(words, at + word.waitingAt + worker, 0))
    Atomics.add(words, at + word.signal, 1)
    Atomics.notify(words, at + word.signal)
  }
}
