/** Where a member of a JSON object stands: its name begins (with the quote) at `name`, its value is `start` to `end`. */
export type Member = { readonly name: number; readonly start: number; readonly end: number }

export type JsonObject = {
  /** The index of the closing brace, before which a further member can be written. */
  readonly close: number
  readonly empty: boolean
  /** Those of the members asked for that are there, by name. */
  readonly members: ReadonlyMap<string, Member>
}

/** Why a text is not the JSON object that was wanted; `at` is the byte where it was seen. */
export class JsonError extends Error {
  readonly at: number
  constructor(message: string, at: number) {
    super(message)
    this.name = 'JsonError'
    this.at = at
  }
}

const deepest = 512

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const colon = 0x3a
const minus = 0x2d
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39
const isHex = (byte: number | undefined): boolean =>
  byte !== undefined && (isDigit(byte) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66))

const skipSpace = (text: Uint8Array, from: number): number => {
  let i = from
  for (;;) {
    const byte = text[i]
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return i
    i++
  }
}

/** The index after a string whose opening quote is at `from`. RFC 8259 §7. */
const skipString = (text: Uint8Array, from: number): number => {
  let i = from + 1
  for (;;) {
    const byte = text[i]
    if (byte === undefined) throw new JsonError('a string does not end', from)
    if (byte === quote) return i + 1
    if (byte < 0x20) throw new JsonError('a control character stands in a string', i)
    if (byte !== backslash) {
      i++
      continue
    }
    const escaped = text[i + 1]
    if (escaped === 0x75) {
      if (!isHex(text[i + 2]) || !isHex(text[i + 3]) || !isHex(text[i + 4]) || !isHex(text[i + 5]))
        throw new JsonError('a \\u escape needs four hexadecimal digits', i)
      i += 6
    } else if (escaped !== undefined && '"\\/bfnrt'.includes(String.fromCharCode(escaped))) i += 2
    else throw new JsonError('an escape in a string is unknown', i)
  }
}

const skipDigits = (text: Uint8Array, from: number): number => {
  let i = from
  while (isDigit(text[i])) i++
  if (i === from) throw new JsonError('a number is not valid', from)
  return i
}

/** The index after a number. RFC 8259 §6: no leading zeros, no bare point, no plus sign. */
const skipNumber = (text: Uint8Array, from: number): number => {
  let i = text[from] === minus ? from + 1 : from
  i = text[i] === 0x30 ? i + 1 : skipDigits(text, i)
  if (text[i] === 0x2e) i = skipDigits(text, i + 1)
  if (text[i] !== 0x65 && text[i] !== 0x45) return i
  i++
  return skipDigits(text, text[i] === 0x2b || text[i] === minus ? i + 1 : i)
}

/** The literals by their first byte. */
const literals: Record<number, Buffer> = {
  116: Buffer.from('true'),
  102: Buffer.from('false'),
  110: Buffer.from('null'),
}

const startsWith = (text: Uint8Array, from: number, word: Buffer): boolean => {
  for (let i = 0; i < word.length; i++) if (text[from + i] !== word[i]) return false
  return true
}

const skipScalar = (text: Uint8Array, from: number): number => {
  const byte = text[from]
  if (byte === quote) return skipString(text, from)
  if (byte === minus || isDigit(byte)) return skipNumber(text, from)
  const word = byte === undefined ? undefined : literals[byte]
  if (word !== undefined && startsWith(text, from, word)) return from + word.length
  throw new JsonError(byte === undefined ? 'the text ends too early' : 'a value is expected', from)
}

/** The index after a member's name, the colon and the white space around it. */
const skipName = (text: Uint8Array, from: number): number => {
  if (text[from] !== quote) throw new JsonError('a member name is expected', from)
  const end = skipSpace(text, skipString(text, from))
  if (text[end] !== colon) throw new JsonError('a colon is expected after the member name', end)
  return skipSpace(text, end + 1)
}

/** The index after any value. Not recursive, so that the depth costs one byte each and no stack. */
const skipValue = (text: Uint8Array, from: number): number => {
  const closers: number[] = []
  let i = from
  for (;;) {
    const byte = text[i]
    if (byte === openBrace || byte === openBracket) {
      const closer = byte === openBrace ? closeBrace : closeBracket
      // The value itself stands in the root object, which counts too.
      if (closers.length + 1 >= deepest) throw new JsonError(`the text is nested deeper than ${deepest} levels`, i)
      i = skipSpace(text, i + 1)
      if (text[i] !== closer) {
        closers.push(closer)
        if (closer === closeBrace) i = skipName(text, i)
        continue
      }
      i++
    } else i = skipScalar(text, i)
    // A value is complete; so may be the ones around it.
    for (;;) {
      if (closers.length === 0) return i
      i = skipSpace(text, i)
      const closer = closers[closers.length - 1] as number
      if (text[i] === closer) {
        closers.pop()
        i++
        continue
      }
      if (text[i] !== comma) throw new JsonError('a comma or the end of the list is expected', i)
      i = skipSpace(text, i + 1)
      if (closer === closeBrace) i = skipName(text, i)
      break
    }
  }
}

/** The name of a member between its quotes; escapes are decoded, because "\u006dodel" is `model` to every parser. */
const readName = (text: Buffer, from: number): string => {
  const end = skipString(text, from) - 1
  // Latin-1 is the fastest to decode, and in it no other name looks like one of ASCII letters.
  const raw = text.latin1Slice(from + 1, end)
  return raw.includes('\\') ? JSON.parse(`"${text.toString('utf8', from + 1, end)}"`) : raw
}

/**
 * Finds the members `wanted` (ASCII names) in `text`, which must be one JSON object (RFC 8259) in UTF-8 and nothing
 * else. The text is checked whole, but no value is built. A wanted name that stands twice is refused: readers differ
 * in which one they take, so the gateway and the provider could mean different values.
 * `from` is where the object begins in `text`, `end` where the text ends.
 * @throws JsonError
 */
export const jsonMembers = (text: Buffer, wanted: readonly string[], from = 0, end = text.length): JsonObject => {
  const bytes = end === text.length ? text : text.subarray(0, end)
  const members = new Map<string, Member>()
  let i = skipSpace(bytes, from)
  if (bytes[i] !== openBrace) throw new JsonError('an object is expected', i)
  i = skipSpace(bytes, i + 1)
  const empty = bytes[i] === closeBrace
  let open = !empty
  while (open) {
    const name = i
    const start = skipName(bytes, name)
    const spelt = readName(bytes, name)
    const end = skipValue(bytes, start)
    if (wanted.includes(spelt)) {
      if (members.has(spelt)) throw new JsonError(`the member "${spelt}" stands twice`, name)
      members.set(spelt, { name, start, end })
    }
    i = skipSpace(bytes, end)
    open = bytes[i] === comma
    if (open) i = skipSpace(bytes, i + 1)
    else if (bytes[i] !== closeBrace) throw new JsonError('a comma or a closing brace is expected', i)
  }
  const after = skipSpace(bytes, i + 1)
  if (after !== bytes.length) throw new JsonError('something follows the object', after)
  return { close: i, empty, members }
}
