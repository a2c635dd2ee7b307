export type Import = {
  /** What stands between the quotes. */
  specifier: string
  line: number
  /** Erased when the program runs: counts for the law of the rooms, not for cycles. */
  typeOnly: boolean
}

const statement = /^(?:import|export)\b(?:\s+(type)\b(?!\s*(?:,|from\b)))?([^'"`;]*?\bfrom)?\s*(['"])([^'"\n]+)\3/gm
const dynamic = /\bimport\s*\(\s*(['"])([^'"\n]+)\1\s*\)/g

/** `import { type A, type B } from` leaves nothing behind but the evaluation of the module, which cannot make a cycle harmful. */
const namesOnlyTypes = (clause: string): boolean => {
  const names = /\{([^}]*)\}\s*from$/.exec(clause)?.[1]
  if (names === undefined || /^\s*\w/.test(clause)) return false
  const listed = names.split(',').filter(name => name.trim() !== '')
  return listed.length > 0 && listed.every(name => /^\s*type\s/.test(name))
}

/**
 * The imports of one formatted TypeScript file: statements begin in the first column, `import('…')` may stand anywhere
 * but in a line comment. Not a parser: code inside of template texts must be indented not to be taken for an import.
 */
export const findImports = (text: string): Import[] => {
  const found: Import[] = []
  const lineOf = (index: number): number => text.slice(0, index).split('\n').length
  for (const match of text.matchAll(statement)) {
    const [, type, clause, , specifier] = match
    if (match[0].startsWith('export') && clause === undefined) continue
    found.push({
      specifier: specifier as string,
      line: lineOf(match.index),
      typeOnly: type !== undefined || namesOnlyTypes(clause ?? ''),
    })
  }
  for (const match of text.matchAll(dynamic)) {
    const before = text.slice(text.lastIndexOf('\n', match.index) + 1, match.index)
    if (/^\s*(?:\/\/|\*)/.test(before) || /\/\/\s/.test(before)) continue
    found.push({ specifier: match[2] as string, line: lineOf(match.index), typeOnly: /\btypeof\s+$/.test(before) })
  }
  return found
}
