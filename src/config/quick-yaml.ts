/** Fills in the `${…}` of a text; `plain` when it stands without quotes. Undefined when it cannot. */
export type Substitute = (text: string, plain: boolean) => unknown

/** Something that only the full reading can judge. */
const unknown: unique symbol = Symbol('unknown')

const maxDepth = 60

/** A key and its colon. Words that YAML reads as something else than text are left to the full reading. */
const keyPattern = /^(?:([A-Za-z_$][A-Za-z0-9_.$+-]{0,200})|"([^"\\]{1,200})"|'([^']{1,200})'):(?= |$)/
const flowKeyPattern = /(?:([A-Za-z_$][A-Za-z0-9_.$+-]{0,200}): +|(?:"([^"\\]{1,200})"|'([^']{1,200})'): *)/y
const wordKey = /^(?:null|true|false|__proto__)$/i

const smallInteger = /^(?:0|[1-9][0-9]{0,14})$/
// YAML 1.2 §10.3.2: what the core schema takes for a number.
const numeric =
  /^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(?:inf|Inf|INF)|\.nan|\.NaN|\.NAN)$/

const word = (text: string): unknown => {
  switch (text) {
    case '~':
    case 'null':
    case 'Null':
    case 'NULL':
      return null
    case 'true':
    case 'True':
    case 'TRUE':
      return true
    case 'false':
    case 'False':
    case 'FALSE':
      return false
  }
  return text
}

/** Reads the blocks of a file line by line; every method gives `unknown`, by throwing it, where something is unusual. */
class QuickReader {
  readonly #lines: string[]
  readonly #substitute: Substitute | null
  #at = 0
  /** The line at `#at` without its indentation and, for the first entry of a list item, without what stands before. */
  #text = ''
  #indent = -1

  constructor(text: string, substitute: Substitute | null) {
    this.#lines = text.split('\n')
    this.#substitute = substitute
    this.#skip()
  }

  document(): unknown {
    if (this.#indent !== 0 || /^[-%.]/.test(this.#text)) throw unknown
    const value = this.#map(0, 0)
    if (this.#at < this.#lines.length) throw unknown
    return value
  }

  /** Goes to the next line with something on it; `#indent` is -1 at the end. */
  #skip(): void {
    for (; this.#at < this.#lines.length; this.#at++) {
      const line = this.#lines[this.#at] as string
      let indent = 0
      while (line.charCodeAt(indent) === 32) indent++
      if (indent === line.length || line.charCodeAt(indent) === 35) continue
      this.#indent = indent
      this.#text = indent === 0 ? line : line.slice(indent)
      if (indent === 0 && /^(?:---|\.\.\.|%)/.test(line)) throw unknown
      return
    }
    this.#indent = -1
    this.#text = ''
  }

  #next(): void {
    this.#at++
    this.#skip()
  }

  #isItem(): boolean {
    return this.#text === '-' || this.#text.startsWith('- ')
  }

  /** The block below a key or a dash of `indent`; `same` lets a list stand at the indentation of its key. */
  #below(indent: number, same: boolean, depth: number): unknown {
    if (depth > maxDepth) throw unknown
    if (this.#indent > indent) return this.#isItem() ? this.#list(this.#indent, depth) : this.#map(this.#indent, depth)
    if (same && this.#indent === indent && this.#isItem()) return this.#list(indent, depth)
    return null
  }

  #map(indent: number, depth: number): Record<string, unknown> {
    const entries: Record<string, unknown> = {}
    while (this.#indent === indent) {
      const found = keyPattern.exec(this.#text)
      if (found === null) throw unknown
      const key = found[1] ?? found[2] ?? (found[3] as string)
      if (wordKey.test(key) || Object.hasOwn(entries, key)) throw unknown
      entries[key] = this.#value(this.#text.slice(found[0].length), indent, true, depth)
    }
    if (this.#indent > indent) throw unknown
    return entries
  }

  #list(indent: number, depth: number): unknown[] {
    const items: unknown[] = []
    while (this.#indent === indent && this.#isItem()) {
      const text = this.#text
      let start = 1
      while (text.charCodeAt(start) === 32) start++
      const rest = text.slice(start)
      if (keyPattern.test(rest) || rest === '-' || rest.startsWith('- ')) {
        this.#text = rest
        this.#indent = indent + start
        items.push(this.#below(indent, false, depth + 1))
      } else items.push(this.#value(text.slice(1), indent, false, depth))
    }
    if (this.#indent > indent) throw unknown
    return items
  }

  /** What stands behind a colon or a dash, or in the lines below it. Leaves the line. */
  #value(rest: string, indent: number, same: boolean, depth: number): unknown {
    let start = 0
    while (rest.charCodeAt(start) === 32) start++
    if (start === rest.length || rest.charCodeAt(start) === 35) {
      this.#next()
      return this.#below(indent, same, depth + 1)
    }
    const first = rest[start] as string
    let value: unknown
    if (first === '"' || first === "'" || first === '[' || first === '{') {
      const flow = new FlowReader(rest, start, this.#substitute)
      value = flow.value(depth)
      flow.end()
    } else {
      const comment = rest.indexOf(' #', start)
      let end = comment === -1 ? rest.length : comment
      while (rest.charCodeAt(end - 1) === 32) end--
      value = plain(rest.slice(start, end), this.#substitute)
    }
    this.#next()
    // A value that goes on in the next line.
    if (this.#indent > indent) throw unknown
    return value
  }
}

const plain = (text: string, substitute: Substitute | null): unknown => {
  const first = text.charCodeAt(0)
  // Digits, + - and the dot may begin a number, or with what follows something else.
  if ((first >= 48 && first <= 57) || first === 43 || first === 45 || first === 46) {
    if (smallInteger.test(text)) return Number(text)
    if (text === '-' || text.startsWith('- ') || numeric.test(text)) throw unknown
  } else if ('?:,[]{}#&*!|>\'"%@`='.includes(text[0] as string)) throw unknown
  if (text.includes(': ') || text.endsWith(':')) throw unknown
  if (substitute === null || !text.includes('${')) return word(text)
  const filled = substitute(text, true)
  if (filled === undefined) throw unknown
  return filled
}

/** Reads what stands in quotes, brackets and braces within one line. */
class FlowReader {
  readonly #text: string
  readonly #substitute: Substitute | null
  #at: number

  constructor(text: string, start: number, substitute: Substitute | null) {
    this.#text = text
    this.#at = start
    this.#substitute = substitute
  }

  /** Nothing but a comment may follow. */
  end(): void {
    const rest = this.#text.slice(this.#at)
    if (!/^ *(?: #.*)?$/s.test(rest)) throw unknown
  }

  value(depth: number): unknown {
    if (depth > maxDepth) throw unknown
    const first = this.#text[this.#at]
    if (first === '{') return this.#map(depth)
    if (first === '[') return this.#list(depth)
    if (first === '"' || first === "'") return this.#quoted(first)
    return this.#plain()
  }

  #space(): void {
    while (this.#text.charCodeAt(this.#at) === 32) this.#at++
  }

  /** True at a comma, false at the closing bracket; both are passed. */
  #more(close: string): boolean {
    this.#space()
    const char = this.#text[this.#at++]
    if (char === close) return false
    if (char !== ',') throw unknown
    this.#space()
    return true
  }

  #map(depth: number): Record<string, unknown> {
    const entries: Record<string, unknown> = {}
    this.#at++
    this.#space()
    if (this.#text[this.#at] === '}') {
      this.#at++
      return entries
    }
    do {
      flowKeyPattern.lastIndex = this.#at
      const found = flowKeyPattern.exec(this.#text)
      if (found === null) throw unknown
      const key = found[1] ?? found[2] ?? (found[3] as string)
      if (wordKey.test(key) || Object.hasOwn(entries, key)) throw unknown
      this.#at = flowKeyPattern.lastIndex
      entries[key] = this.value(depth + 1)
    } while (this.#more('}'))
    return entries
  }

  #list(depth: number): unknown[] {
    const items: unknown[] = []
    this.#at++
    this.#space()
    if (this.#text[this.#at] === ']') {
      this.#at++
      return items
    }
    do items.push(this.value(depth + 1))
    while (this.#more(']'))
    return items
  }

  #quoted(quote: string): unknown {
    const text = this.#text
    const start = this.#at
    let end = text.indexOf(quote, start + 1)
    if (quote === "'") while (end !== -1 && text[end + 1] === "'") end = text.indexOf("'", end + 2)
    else
      for (;;) {
        let backslashes = 0
        while (text[end - 1 - backslashes] === '\\') backslashes++
        if (end === -1 || backslashes % 2 === 0) break
        end = text.indexOf('"', end + 1)
      }
    if (end === -1) throw unknown
    this.#at = end + 1
    const inside = text.slice(start + 1, end)
    const value = quote === "'" ? inside.replaceAll("''", "'") : inside.includes('\\') ? fromEscapes(inside) : inside
    if (this.#substitute === null || !value.includes('${')) return value
    const filled = this.#substitute(value, false)
    if (filled === undefined) throw unknown
    return filled
  }

  #plain(): unknown {
    const text = this.#text
    const start = this.#at
    let end = start
    while (end < text.length && !',[]{}'.includes(text[end] as string)) end++
    this.#at = end
    while (text.charCodeAt(end - 1) === 32) end--
    const found = text.slice(start, end)
    if (found === '' || found.includes(' #')) throw unknown
    return plain(found, this.#substitute)
  }
}

/** The escapes that JSON has too mean the same in YAML. */
const fromEscapes = (inside: string): string => {
  try {
    return JSON.parse(`"${inside}"`) as string
  } catch {
    throw unknown
  }
}

/**
 * The values of a YAML file of the everyday kind: block maps and lists, values on one line. Undefined where anything is
 * unusual or wrong: then the full reading decides, which also knows the places. What this gives, that gives too.
 */
export const quickYaml = (text: string, substitute: Substitute | null): unknown => {
  if (/[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]/.test(text)) return undefined
  try {
    return new QuickReader(text, substitute).document()
  } catch (thrown) {
    if (thrown === unknown) return undefined
    throw thrown
  }
}
