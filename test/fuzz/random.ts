/** A small seeded generator (xorshift32), so that a failing round can be run again. */
export type Random = {
  readonly seed: number
  /** An integer from 0 to `below` - 1. */
  int(below: number): number
  pick<T>(list: readonly T[]): T
  chance(share: number): boolean
}

export const seededRandom = (seed: number): Random => {
  let state = seed | 0 || 1
  const next = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  // Neighbouring seeds begin alike; a few rounds part them.
  for (let i = 0; i < 8; i++) next()
  const int = (below: number): number => next() % below
  return {
    seed,
    int,
    pick: list => list[int(list.length)] as never,
    chance: share => next() / 0x1_0000_0000 < share,
  }
}

/** Where a run begins: FUZZ_SEED to repeat one, else fixed, so that every run of the suite is the same. */
export const firstSeed = Number(process.env.FUZZ_SEED ?? 20_260)

/** FUZZ_ROUNDS for a longer run. */
export const rounds = (usual: number): number => Number(process.env.FUZZ_ROUNDS ?? usual)
