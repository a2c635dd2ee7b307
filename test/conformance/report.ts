import type { Level } from './cases/case.ts'
import type { Item } from './suite.ts'

/** How one case went at one peer; `failure` is null also where nothing was judged. */
export type Verdict = { readonly peer: string; readonly item: Item; readonly failure: string | null }

const levels: readonly Level[] = ['MUST', 'SHOULD', 'MAY']

type Count = { passed: number; failed: number }

const count = (verdicts: readonly Verdict[]): Count => {
  const failed = verdicts.filter(({ failure }) => failure !== null).length
  return { passed: verdicts.length - failed, failed }
}

const judged = (verdicts: readonly Verdict[]): Verdict[] => verdicts.filter(({ item }) => item.judged)

const cell = (verdicts: readonly Verdict[]): string => {
  const { passed, failed } = count(verdicts)
  return failed === 0 ? `${passed}` : `${passed} of ${passed + failed}`
}

/** The lines for the terminal: counts by level, then what failed and why. */
export const summary = (title: string, verdicts: readonly Verdict[]): string => {
  const own = judged(verdicts)
  const counts = levels.map(level => {
    const { passed, failed } = count(own.filter(({ item }) => item.level === level))
    return `${level} ${passed} passed, ${failed} failed`
  })
  const failures = own
    .filter(({ failure }) => failure !== null)
    .map(({ item, failure }) => `  ${item.level.padEnd(6)} ${item.id} (${item.section}): ${failure}`)
  return [`${title}: ${counts.join('; ')}; ${verdicts.length - own.length} not judged`, ...failures].join('\n')
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

const table = (titles: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(titles), row(titles.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(row)].join('\n')

/** The tables of docs/conformance.md: by level, by area, and the failures of each by id. */
export const asMarkdown = (
  peers: readonly { readonly name: string; readonly version: string }[],
  verdicts: readonly Verdict[],
): string => {
  const all = judged(verdicts)
  const cells = (keep: (item: Item) => boolean): string[] =>
    peers.map(({ name }) => cell(all.filter(({ peer, item }) => peer === name && keep(item))))
  const first = verdicts.filter(({ peer }) => peer === peers[0]?.name)
  const areas = [...new Set(first.map(({ item }) => item.area))]
  const cases = (keep: (item: Item) => boolean): string =>
    String(first.filter(({ item }) => item.judged && keep(item)).length)
  const own = first.filter(({ item }) => !item.judged).length
  const failures = peers.map(({ name }) => {
    const failed = all.filter(({ peer, failure }) => peer === name && failure !== null)
    const lines = levels.flatMap(level => {
      const ids = failed.filter(({ item }) => item.level === level).map(({ item }) => `\`${item.id}\``)
      return ids.length === 0 ? [] : [`- ${level}: ${ids.join(', ')}`]
    })
    return `### ${name}\n${lines.length === 0 ? 'none' : lines.join('\n')}\n`
  })
  return `## Results
${new Date().toISOString().slice(0, 10)}, \`npm run conformance -- --write\`: ${peers.map(({ name, version }) => `${name} ${version}`).join(', ')}.
${first.length} cases; ${own} of them are rules of our own, to which nobody else is held.

${table(
  ['level', 'cases', ...peers.map(({ name }) => name)],
  levels.map(level => [level, cases(item => item.level === level), ...cells(item => item.level === level)]),
)}

${table(
  ['area', 'cases', ...peers.map(({ name }) => name)],
  areas.map(area => [area, cases(item => item.area === area), ...cells(item => item.area === area)]),
)}

## Failures
${failures.join('\n')}`
}
