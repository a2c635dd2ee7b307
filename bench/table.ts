import type { LoadResult } from './load.ts'

/** One measured round of one subject. */
export type Round = LoadResult & { cpuMicros: number; residentBytes: number; ratio: number | null }

export const median = (numbers: readonly number[]): number => {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}

export const columns = ['subject', 'req/s', 'p50 ms', 'p99 ms', 'CPU µs/req', '× nginx', 'RSS MB', 'errors']

/** The line of one subject: medians over its rounds, the ratio as the median of the ratios of each round. */
export const lineOf = (name: string, rounds: readonly Round[]): string[] => {
  const of = (pick: (round: Round) => number, digits: number): string => median(rounds.map(pick)).toFixed(digits)
  const ratios = rounds.flatMap(({ ratio }) => ratio ?? [])
  return [
    name,
    of(({ perSecond }) => perSecond, 0),
    of(({ p50Ms }) => p50Ms, 2),
    of(({ p99Ms }) => p99Ms, 2),
    of(({ cpuMicros }) => cpuMicros, 1),
    ratios.length === 0 ? '–' : median(ratios).toFixed(2),
    of(({ residentBytes }) => residentBytes / 1e6, 0),
    String(rounds.reduce((sum, { errors }) => sum + errors, 0)),
  ]
}

export const asText = (lines: readonly string[][]): string => {
  const all = [columns, ...lines]
  const widths = columns.map((_, column) => Math.max(...all.map(line => (line[column] as string).length)))
  return all
    .map(line =>
      line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  '),
    )
    .join('\n')
}

export const asMarkdown = (lines: readonly string[][]): string =>
  [columns, columns.map((_, column) => (column === 0 ? '---' : '---:')), ...lines]
    .map(line => `| ${line.join(' | ')} |`)
    .join('\n')
