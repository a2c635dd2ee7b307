/** Numbers in [0, 1), the same for the same seed, so that a failing random test fails again (xorshift32, Marsaglia 2003). */
export const seededRandom = (seed: number): (() => number) => {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
