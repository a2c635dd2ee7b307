/** A regular expression as a tree. Sets are sorted ranges of UTF-16 code units: `[from, to, from, to, …]`. */
export type PatternNode =
  | { kind: 'set'; ranges: readonly number[] }
  | { kind: 'start' }
  | { kind: 'end' }
  | { kind: 'boundary'; negated: boolean }
  | { kind: 'group'; index: number | null; body: PatternNode }
  | { kind: 'sequence'; parts: PatternNode[] }
  | { kind: 'choice'; parts: PatternNode[] }
  | { kind: 'repeat'; body: PatternNode; minimum: number; maximum: number; greedy: boolean }

export type ParsedPattern = { root: PatternNode; groups: number }

/** What is wrong with a pattern; the message continues "the pattern …". */
export class PatternError extends Error {}

const maxLength = 1000
const maxRepeat = 1000
const maxDepth = 50

const digit = [48, 57]
const wordCharacters = [48, 57, 65, 90, 95, 95, 97, 122]
// ECMA-262 §22.2.2.9: WhiteSpace and LineTerminator.
const space = [
  9, 13, 32, 32, 0xa0, 0xa0, 0x1680, 0x1680, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f, 0x202f, 0x205f, 0x205f, 0x3000,
  0x3000, 0xfeff, 0xfeff,
]
const lineEnds = [10, 10, 13, 13, 0x2028, 0x2029]

const complement = (ranges: readonly number[]): number[] => {
  const result: number[] = []
  let from = 0
  for (let i = 0; i < ranges.length; i += 2) {
    if ((ranges[i] as number) > from) result.push(from, (ranges[i] as number) - 1)
    from = (ranges[i + 1] as number) + 1
  }
  if (from <= 0xffff) result.push(from, 0xffff)
  return result
}

const union = (ranges: readonly number[]): number[] => {
  const pairs: [number, number][] = []
  for (let i = 0; i < ranges.length; i += 2) pairs.push([ranges[i] as number, ranges[i + 1] as number])
  pairs.sort((a, b) => a[0] - b[0])
  const result: number[] = []
  for (const [from, to] of pairs) {
    const last = result.length - 1
    if (last > 0 && from <= (result[last] as number) + 1) result[last] = Math.max(result[last] as number, to)
    else result.push(from, to)
  }
  return result
}

const classes: Record<string, readonly number[]> = {
  d: digit,
  D: complement(digit),
  w: wordCharacters,
  W: complement(wordCharacters),
  s: union(space),
  S: complement(union(space)),
}

const controls: Record<string, number> = { n: 10, r: 13, t: 9, f: 12, v: 11 }

/** Recursive descent over the text of a pattern. */
class PatternParser {
  readonly #text: string
  #at = 0
  #groups = 0
  #depth = 0

  constructor(text: string) {
    this.#text = text
  }

  parse(): ParsedPattern {
    if (this.#text.length > maxLength) throw new PatternError(`is longer than ${maxLength} characters`)
    const root = this.#choice()
    if (this.#at < this.#text.length) throw new PatternError('has a ")" without its "("')
    return { root, groups: this.#groups }
  }

  #choice(): PatternNode {
    if (++this.#depth > maxDepth) throw new PatternError(`is nested deeper than ${maxDepth} levels`)
    const parts = [this.#sequence()]
    while (this.#take('|')) parts.push(this.#sequence())
    this.#depth--
    return parts.length === 1 ? (parts[0] as PatternNode) : { kind: 'choice', parts }
  }

  #sequence(): PatternNode {
    const parts: PatternNode[] = []
    while (this.#at < this.#text.length && this.#text[this.#at] !== '|' && this.#text[this.#at] !== ')')
      parts.push(this.#repeat(this.#atom()))
    return { kind: 'sequence', parts }
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }

  #atom(): PatternNode {
    const char = this.#text[this.#at++] as string
    if (char === '^') return { kind: 'start' }
    if (char === '$') return { kind: 'end' }
    if (char === '.') return { kind: 'set', ranges: complement(lineEnds) }
    if (char === '(') return this.#group()
    if (char === '[') return this.#set()
    if (char === '\\') return this.#escape()
    if ('*+?'.includes(char)) throw new PatternError(`has a "${char}" with nothing before it to repeat`)
    if ('{}]'.includes(char)) throw new PatternError(`has a "${char}" that must be written "\\${char}"`)
    return { kind: 'set', ranges: [char.charCodeAt(0), char.charCodeAt(0)] }
  }

  #group(): PatternNode {
    const plain = this.#take('?:')
    if (!plain && this.#take('?'))
      throw new PatternError('has a group that begins with "(?": there is only (?:…), and no looking ahead or back')
    const index = plain ? null : ++this.#groups
    const body = this.#choice()
    if (!this.#take(')')) throw new PatternError('has a "(" without its ")"')
    return { kind: 'group', index, body }
  }

  /** The code unit or the class that stands behind a backslash. */
  #escaped(): number | readonly number[] {
    const char = this.#text[this.#at++]
    if (char === undefined) throw new PatternError('ends with a "\\"')
    const known = Object.hasOwn(classes, char) ? classes[char] : undefined
    if (known !== undefined) return known
    if (Object.hasOwn(controls, char)) return controls[char] as number
    if (char === 'x' || char === 'u') {
      const digits = this.#text.slice(this.#at, this.#at + (char === 'x' ? 2 : 4))
      if (!/^[0-9A-Fa-f]+$/.test(digits) || digits.length !== (char === 'x' ? 2 : 4))
        throw new PatternError(`has a "\\${char}" without its hexadecimal digits`)
      this.#at += digits.length
      return Number.parseInt(digits, 16)
    }
    if (/[1-9]/.test(char)) throw new PatternError('refers back to a group: no linear search can do that')
    if (/[A-Za-z0-9]/.test(char)) throw new PatternError(`has the unknown escape "\\${char}"`)
    return char.charCodeAt(0)
  }

  #escape(): PatternNode {
    if (this.#take('b')) return { kind: 'boundary', negated: false }
    if (this.#take('B')) return { kind: 'boundary', negated: true }
    const found = this.#escaped()
    return { kind: 'set', ranges: typeof found === 'number' ? [found, found] : found }
  }

  #set(): PatternNode {
    const negated = this.#take('^')
    const ranges: number[] = []
    for (;;) {
      const char = this.#text[this.#at++]
      if (char === undefined) throw new PatternError('has a "[" without its "]"')
      if (char === ']') break
      const from = char === '\\' ? this.#escaped() : char.charCodeAt(0)
      if (typeof from !== 'number') {
        ranges.push(...from)
        continue
      }
      if (this.#text[this.#at] !== '-' || this.#text[this.#at + 1] === ']') {
        ranges.push(from, from)
        continue
      }
      this.#at++
      const last = this.#text[this.#at++]
      const to = last === '\\' ? this.#escaped() : last?.charCodeAt(0)
      if (typeof to !== 'number' || to < from) throw new PatternError('has a range in "[…]" that is not one')
      ranges.push(from, to)
    }
    const sorted = union(ranges)
    return { kind: 'set', ranges: negated ? complement(sorted) : sorted }
  }

  #repeat(body: PatternNode): PatternNode {
    const bounds = this.#bounds()
    if (bounds === null) return body
    if (body.kind === 'start' || body.kind === 'end' || body.kind === 'boundary')
      throw new PatternError('repeats "^", "$", "\\b" or "\\B"')
    const [minimum, maximum] = bounds
    const greedy = !this.#take('?')
    if (this.#bounds() !== null) throw new PatternError('repeats a repetition: put it in (?:…)')
    return { kind: 'repeat', body, minimum, maximum, greedy }
  }

  #bounds(): [number, number] | null {
    if (this.#take('*')) return [0, Number.POSITIVE_INFINITY]
    if (this.#take('+')) return [1, Number.POSITIVE_INFINITY]
    if (this.#take('?')) return [0, 1]
    if (this.#text[this.#at] !== '{') return null
    const found = /^\{(\d{1,5})(?:(,)(\d{1,5})?)?\}/.exec(this.#text.slice(this.#at, this.#at + 14))
    if (found === null) throw new PatternError('has a "{" that must be written "\\{"')
    this.#at += found[0].length
    const minimum = Number(found[1])
    const maximum =
      found[2] === undefined ? minimum : found[3] === undefined ? Number.POSITIVE_INFINITY : Number(found[3])
    if (maximum < minimum) throw new PatternError('has a repetition whose bounds are the wrong way round')
    if (minimum > maxRepeat || (maximum !== Number.POSITIVE_INFINITY && maximum > maxRepeat))
      throw new PatternError(`repeats more than ${maxRepeat} times`)
    return [minimum, maximum]
  }
}

/**
 * Parses the part of ECMAScript's regular expressions that can be searched in linear time: characters, classes, groups,
 * choices, repetitions, `^ $ \b \B`. Throws a PatternError for the rest, such as back references and look-around.
 */
export const parsePattern = (text: string): ParsedPattern => new PatternParser(text).parse()
