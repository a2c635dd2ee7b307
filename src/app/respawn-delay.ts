const firstMs = 200
const longestMs = 10_000
const soundMs = 60_000

/**
 * How long to wait before a worker that died is replaced: hardly at all the first time, longer each time while they
 * keep dying, so that a fault that all of them meet does not keep the machine busy with starting threads.
 */
export const respawnDelay = (): ((livedMs: number) => number) => {
  let next = firstMs
  return livedMs => {
    if (livedMs >= soundMs) next = firstMs
    const delay = next
    next = Math.min(next * 2, longestMs)
    return delay
  }
}
