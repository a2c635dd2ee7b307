/** One line of the matrix: a subject at a case, with what the ratios of the case's table say. */
export type Line = readonly [name: string, subject: string, ...ratios: string[]]

const ratios = ['CPU', 'p50', 'p99']

/** The lines of a case from its table; who is compared with itself is left out. */
export const matrixLines = (name: string, [titles = [], ...rows]: readonly string[][]): Line[] => {
  const columns = ratios.map(ratio => titles.findIndex(title => title.startsWith(`${ratio} × `)))
  return rows.flatMap(([subject = '', ...cells]) => {
    const found = columns.map(column => (column < 0 ? '-' : (cells[column - 1] ?? '-')))
    return found.every(cell => cell === '-' || cell === '1.00') ? [] : [[name, subject, ...found] as const]
  })
}

/** All cases at a glance; a case without a line could not be measured. */
export const matrixOf = (names: readonly string[], lines: readonly Line[]): string[][] => [
  ['case', 'subject', ...ratios.map(ratio => `${ratio} ratio`)],
  ...names.flatMap(name => {
    const own = lines.filter(([of]) => of === name)
    return own.length === 0 ? [[name, 'not measured', ...ratios.map(() => '-')]] : own.map(line => [...line])
  }),
]
