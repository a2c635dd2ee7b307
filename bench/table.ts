import type { LoadResult } from './load.ts'

/** One measured round of one lane. */
export type Round = LoadResult & { cpuMicros: number; residentBytes: number }

export const median = (numbers: readonly number[]): number => {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}

/** How a lane compares with another round by round: the median of the ratios, and the range they lie in. */
const ratio = (rounds: readonly Round[], base: readonly Round[], pick: (round: Round) => number): string => {
  if (rounds === base) return '1.00'
  const ratios = rounds.map((round, index) => pick(round) / pick(base[index] as Round))
  return `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`
}

type Column = { title: string; cell(rounds: readonly Round[], base: readonly Round[]): string }

const middle = (title: string, digits: number, pick: (round: Round) => number): Column => ({
  title,
  cell: rounds => median(rounds.map(pick)).toFixed(digits),
})

export type TableOptions = {
  /** The lane that the others are compared with, by its name; null when it takes no part. */
  base: string | null
  /** Whether the ratios of the latencies mean anything: at saturation they only compare queues. */
  compareLatency: boolean
}

/** The table of a case: a title line, then one line for each lane. */
export const tableOf = (lanes: ReadonlyMap<string, readonly Round[]>, options: TableOptions): string[][] => {
  const { base, compareLatency } = options
  const baseRounds = base === null ? undefined : lanes.get(base)
  const compared = (of: string, pick: (round: Round) => number): Column[] =>
    baseRounds === undefined ? [] : [{ title: `${of} × ${base}`, cell: rounds => ratio(rounds, baseRounds, pick) }]
  const columns: Column[] = [
    middle('req/s', 0, ({ perSecond }) => perSecond),
    middle('p50 ms', 2, ({ p50Ms }) => p50Ms),
    ...(compareLatency ? compared('p50', ({ p50Ms }) => p50Ms) : []),
    middle('p99 ms', 2, ({ p99Ms }) => p99Ms),
    ...(compareLatency ? compared('p99', ({ p99Ms }) => p99Ms) : []),
    middle('CPU µs/req', 1, ({ cpuMicros }) => cpuMicros),
    ...compared('CPU', ({ cpuMicros }) => cpuMicros),
    middle('RSS MB', 0, ({ residentBytes }) => residentBytes / 1e6),
    { title: 'errors', cell: rounds => String(rounds.reduce((sum, { errors }) => sum + errors, 0)) },
  ]
  return [
    ['subject', ...columns.map(({ title }) => title)],
    ...[...lanes].map(([name, rounds]) => [name, ...columns.map(({ cell }) => cell(rounds, baseRounds ?? []))]),
  ]
}

export const asText = (table: readonly string[][]): string => {
  const widths = (table[0] as string[]).map((_, column) => Math.max(...table.map(line => line[column]!.length)))
  return table
    .map(line =>
      line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  '),
    )
    .join('\n')
}

export const asMarkdown = ([titles = [], ...lines]: readonly string[][]): string =>
  [titles, titles.map((_, column) => (column === 0 ? '---' : '---:')), ...lines]
    .map(line => `| ${line.join(' | ')} |`)
    .join('\n')
