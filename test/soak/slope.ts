/** One reading: seconds since the start, and the value. */
export type Reading = readonly [seconds: number, value: number]

const medianOf = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}

/** The median of the readings in a part of the time, from and to as fractions. */
export const levelOf = (readings: readonly Reading[], from: number, to: number): number =>
  medianOf(
    readings.slice(Math.floor(readings.length * from), Math.ceil(readings.length * to)).map(([, value]) => value),
  )

/** The lowest reading of each window: what noise adds is left out, what leaks stays. */
export const lowestOf = (readings: readonly Reading[], windowSize: number): Reading[] => {
  const lowest: Reading[] = []
  for (let start = 0; start + windowSize <= readings.length; start += windowSize)
    lowest.push(readings.slice(start, start + windowSize).reduce((least, next) => (next[1] < least[1] ? next : least)))
  return lowest
}

/**
 * Growth per minute: the median of the slopes between all pairs of readings (Theil, 1950; Sen, 1968). Up to 29 % of them may
 * be outliers without moving it.
 */
export const slopePerMinute = (readings: readonly Reading[]): number => {
  const slopes: number[] = []
  for (const [index, [t0, v0]] of readings.entries())
    for (const [t1, v1] of readings.slice(index + 1)) if (t1 > t0) slopes.push(((v1 - v0) / (t1 - t0)) * 60)
  return slopes.length === 0 ? 0 : medianOf(slopes)
}
