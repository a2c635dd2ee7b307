import type { Call } from '#gateway/call'
import { editSchema, type FieldEdits } from '#policies/field-edits'
import { encodeBytes, pieceName, splitQuery, toBytes } from '#policies/query-string'
import { compileTemplate, type Template } from '#policies/value-template'

/** The schema of changes to query parameters, whose names may be any text and are case-sensitive. */
export const queryEditSchema = () =>
  editSchema({
    noun: 'parameter',
    problem: name => (name === '' ? 'is not a parameter name' : null),
    identity: name => name,
  })

const compileMap = (map: Readonly<Record<string, string>>): readonly (readonly [string, Template])[] =>
  Object.entries(map).map(([name, text]) => [toBytes(name), compileTemplate(text)])

const renamePieces = (pieces: readonly string[], renames: ReadonlyMap<string, string>): string[] => {
  const taken = new Set<string>()
  for (const piece of pieces) {
    const to = renames.get(pieceName(piece))
    if (to !== undefined) taken.add(to)
  }
  return pieces.flatMap(piece => {
    const name = pieceName(piece)
    const to = renames.get(name)
    if (to === undefined) return taken.has(name) ? [] : [piece]
    const equals = piece.indexOf('=')
    return [encodeBytes(to) + (equals < 0 ? '' : piece.slice(equals))]
  })
}

/**
 * Compiles changes of the query: remove, rename, set, add, in this order; null when there are none. What is not
 * named stays as it was sent, byte for byte.
 */
export const compileQueryEdits = (edits: FieldEdits): ((call: Call) => string) | null => {
  const set = compileMap(edits.set)
  const add = compileMap(edits.add)
  const renames = new Map(Object.entries(edits.rename).map(([from, to]) => [toBytes(from), toBytes(to)] as const))
  const removed = new Set(edits.remove.map(toBytes))
  const replaced = new Set(set.map(([name]) => name))
  if (set.length + add.length + renames.size + removed.size === 0) return null
  return call => {
    let pieces = splitQuery(call.query)
    if (removed.size > 0) pieces = pieces.filter(piece => !removed.has(pieceName(piece)))
    if (renames.size > 0) pieces = renamePieces(pieces, renames)
    if (replaced.size > 0) pieces = pieces.filter(piece => !replaced.has(pieceName(piece)))
    for (const [name, template] of [...set, ...add]) {
      const value = template(call)
      if (value !== null) pieces.push(`${encodeBytes(name)}=${encodeBytes(value)}`)
    }
    return pieces.join('&')
  }
}
