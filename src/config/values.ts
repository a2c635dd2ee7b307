import type { Node, Scalar } from 'yaml'
import { isAlias, isMap, isNode, isScalar, isSeq } from 'yaml'
import { quote } from './errors.ts'
import type { Source, SourceProblem } from './source.ts'
import { coreScalar, type Surroundings, substitute } from './substitute.ts'

/** Aliases may repeat this many values in all; a few lines of them can otherwise stand for billions. */
const maxAliased = 100_000

export type Values = {
  readonly value: unknown
  readonly problems: readonly SourceProblem[]
  /** Values whose substitution failed; they stand as empty text. */
  readonly unfilled: ReadonlySet<Node>
  /** False when parts are missing, so that a schema would only find what is wrong already. */
  readonly complete: boolean
}

/** The plain values of a source, with substitutions made and aliases copied. */
export const readValues = (source: Source, surroundings: Surroundings): Values => {
  const problems: SourceProblem[] = []
  const unfilled = new Set<Node>()
  const open = new Set<Node>()
  let complete = true
  let aliasDepth = 0
  let aliased = 0

  const report = (node: Node, message: string) => {
    problems.push({ offset: node.range?.[0] ?? 0, message, suggestion: null })
  }

  const giveUp = (node: Node, message: string) => {
    complete = false
    report(node, message)
    return null
  }

  const scalar = (node: Scalar): unknown => {
    const { value } = node
    if (typeof value !== 'string' || !value.includes('${')) return value
    const result = substitute(value, surroundings)
    if (!result.ok) {
      // In plain text the place inside of the value is known; quotes and folding shift it.
      const shift = node.type === 'PLAIN' && node.source === value && !value.includes('\n') ? result.offset : 0
      problems.push({ offset: (node.range?.[0] ?? 0) + shift, message: result.message, suggestion: null })
      unfilled.add(node)
      return ''
    }
    return result.whole && node.type === 'PLAIN' ? coreScalar(result.text) : result.text
  }

  const map = (node: Node & { items: { key: unknown; value: unknown }[] }): Record<string, unknown> => {
    const entries: Record<string, unknown> = {}
    const seen = new Set<string>()
    for (const { key, value } of node.items) {
      const place = isNode(key) ? key : node
      if (!isScalar(key) || key.value === null || typeof key.value === 'object') {
        report(place, 'a key must be plain text')
        continue
      }
      const name = String(key.value)
      if (name === '<<') giveUp(place, 'merge keys ("<<") are not part of YAML 1.2: write the entries out')
      else if (name === '__proto__') report(place, `${quote(name)} cannot be a key`)
      else if (seen.has(name)) report(place, `the key ${quote(name)} is already there above`)
      else entries[name] = convert(value)
      seen.add(name)
    }
    return entries
  }

  const convert = (written: unknown): unknown => {
    const node = source.follow(written)
    if (isAlias(written) && node === null) {
      return giveUp(written, `no anchor "&${written.source}" stands before this alias`)
    }
    if (node === null) return null
    if (aliasDepth > 0 && ++aliased > maxAliased) {
      return aliased === maxAliased + 1 ? giveUp(node, `aliases repeat more than ${maxAliased} values`) : null
    }
    if (isScalar(node)) return scalar(node)
    if (open.has(node)) {
      return giveUp(written as Node, 'an alias cannot stand inside of its own anchor')
    }
    open.add(node)
    if (isAlias(written)) aliasDepth++
    let value: unknown
    if (isMap(node)) value = map(node)
    else if (isSeq(node)) value = node.items.map(convert)
    if (isAlias(written)) aliasDepth--
    open.delete(node)
    return value
  }

  const value = convert(source.root)
  return { value, problems, unfilled, complete }
}
