const beatMs = 250
const lookMs = 1000

/** What a worker and the main thread share, so that the one can see that the other is alive without asking. */
export const createBeat = (): SharedArrayBuffer => new SharedArrayBuffer(4)

/** Counts in `memory` as long as the event loop of the calling thread turns. */
export const keepBeating = (memory: SharedArrayBuffer): void => {
  const beat = new Int32Array(memory)
  setInterval(() => Atomics.add(beat, 0, 1), beatMs).unref()
}

/** A thread that should beat. */
export type Watched = {
  readonly beat: SharedArrayBuffer
  /** The last count, and for how many looks it has stood. */
  seen: number
  still: number
}

/**
 * Calls `onStall` for a thread whose event loop has not turned for `limitMs()` (0 for never). Time is counted in looks
 * and not by the clock: a machine that slept has slept for all threads.
 */
export const watchBeats = <Thread extends Watched>(
  threads: () => Iterable<Thread>,
  limitMs: () => number,
  onStall: (thread: Thread) => void,
): { close(): void } => {
  const look = (): void => {
    const limit = limitMs()
    for (const thread of threads()) {
      const count = Atomics.load(new Int32Array(thread.beat), 0)
      thread.still = count === thread.seen ? thread.still + 1 : 0
      thread.seen = count
      // The first look may come right after a beat.
      if (limit > 0 && (thread.still - 1) * lookMs >= limit) {
        thread.still = 0
        onStall(thread)
      }
    }
  }
  const timer = setInterval(look, lookMs)
  timer.unref()
  return { close: () => clearInterval(timer) }
}
