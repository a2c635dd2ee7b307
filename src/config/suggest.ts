const longest = 64

/** Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`; anything above `limit` is `limit + 1`. */
const distance = (a: string, b: string, limit: number): number => {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const line = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      let cost = Math.min(last[column]! + 1, line[column - 1]! + 1, last[column - 1]! + (same ? 0 : 1))
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) cost = Math.min(cost, before[column - 2]! + 1)
      line.push(cost)
    }
    before = last
    last = line
  }
  return last[b.length]!
}

/** Case and word separators do not count: `rate_limit` and `RateLimit` mean `rate-limit`. */
const plain = (text: string): string => text.toLowerCase().replaceAll(/[-_ .]/g, '')

/** The candidate that `text` was most likely meant to be, or null when none is near. */
export const suggest = (text: string, candidates: Iterable<string>): string | null => {
  if (text.length === 0 || text.length > longest) return null
  const wanted = plain(text)
  let best: string | null = null
  let bestCost = Math.min(3, Math.ceil(wanted.length / 3)) + 1
  for (const candidate of candidates) {
    if (candidate === text || candidate.length > longest) continue
    const cost = distance(wanted, plain(candidate), bestCost - 1)
    if (cost >= bestCost) continue
    best = candidate
    bestCost = cost
  }
  return best
}
