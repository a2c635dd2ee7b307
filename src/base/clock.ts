/**
 * Milliseconds of a clock that never jumps and that all threads of this process share (CLOCK_MONOTONIC).
 * `performance.now()` alone starts at zero in each worker.
 */
const offset = Number(process.hrtime.bigint()) / 1e6 - performance.now()

/** Monotonic time in milliseconds with a fraction; comparable between threads, not with wall-clock time. */
export const monotonicMs = (): number => performance.now() + offset

const wallMaxAge = 100
let wallOffset = 0
let wallReadAt = Number.NEGATIVE_INFINITY

/**
 * The wall clock, in integer milliseconds since the epoch, at a moment of `monotonicMs()` not long ago. Counts on from
 * the last look at the system's clock, which costs more than everything else here: when that is set, it is seen at most
 * 100 ms later.
 */
export const wallAt = (mono: number): number => {
  if (mono - wallReadAt > wallMaxAge) {
    wallReadAt = monotonicMs()
    wallOffset = Date.now() - wallReadAt
  }
  return Math.floor(mono + wallOffset)
}

/** Wall-clock time in integer milliseconds since the epoch. */
export const wallMs = (): number => wallAt(monotonicMs())

/** By how much a coarse timer may be early when the event loop was behind (src/http/timer-wheel.ts). */
const earliness = 250

/** Whether a timeout that was just told of may be the one that was set for `deadline` (monotonicMs()). */
export const mayBeTimeoutOf = (deadline: number): boolean => monotonicMs() + earliness >= deadline
