import type { Substitute } from './quick-yaml.ts'

const maxDepth = 60

/** Colons outside of strings: JSON has one for each key, also for those that are there twice. */
const countKeys = (text: string): number => {
  let count = 0
  let position = 0
  for (;;) {
    const quote = text.indexOf('"', position)
    const end = quote === -1 ? text.length : quote
    for (let colon = text.indexOf(':', position); colon !== -1 && colon < end; colon = text.indexOf(':', colon + 1))
      count++
    if (quote === -1) return count
    let close = text.indexOf('"', quote + 1)
    for (;;) {
      let backslashes = 0
      while (text[close - 1 - backslashes] === '\\') backslashes++
      if (backslashes % 2 === 0) break
      close = text.indexOf('"', close + 1)
    }
    position = close + 1
  }
}

/**
 * The values of a JSON file, or undefined when there is anything about it that only the full reading can judge: what is
 * not JSON, keys that are there twice, names with a meaning in YAML. Substitutions are made in place.
 */
export const quickJson = (text: string, substitute: Substitute | null): unknown => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  let keys = 0
  const visit = (node: unknown, depth: number): boolean => {
    if (typeof node === 'number') return Number.isFinite(node) && !Object.is(node, -0)
    if (typeof node !== 'object' || node === null) return true
    if (depth > maxDepth) return false
    const entries = node as Record<string, unknown>
    const names = Object.keys(entries)
    if (!Array.isArray(node)) {
      keys += names.length
      if (Object.hasOwn(entries, '__proto__') || Object.hasOwn(entries, '<<')) return false
    }
    for (const name of names) {
      const one = entries[name]
      if (name.length > 1000) return false
      if (typeof one === 'string') {
        if (substitute === null || !one.includes('${')) continue
        const filled = substitute(one, false)
        if (filled === undefined) return false
        entries[name] = filled
      } else if (!visit(one, depth + 1)) return false
    }
    return true
  }
  return visit(value, 0) && keys === countKeys(text) ? value : undefined
}
