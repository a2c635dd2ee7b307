import type { HeaderList } from '../headers.ts'
import { tableSize } from './hpack-decoder.ts'
import { staticIndex, staticSize, staticValues, statusIndex } from './static-table.ts'

const entryOverhead = 32
/** Larger entries would push out too many others. */
const maxIndexed = 512
const maxNames = 128
/** A field whose value was different this many times in a row enters the table only now and then. */
const maxMisses = 4
const retryEvery = 64

/** RFC 7541 §7.1: values that an attacker could guess byte by byte from sizes never enter the table. */
const secrets = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie', 'x-api-key'])

/** RFC 9113 §8.2.2: fields of a connection are never sent, whoever put them into a list. */
const connectionFields = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])

/** What is known of a name: its latest value in the table, with the running number of that entry. */
type Known = { value: string; number: number; misses: number }

const forbidden: Known = { value: '', number: -1, misses: 0 }

/** Bytes beyond names and values that a field can take. */
const fieldOverhead = 12

/** At least as many bytes as the block of these fields. */
export const blockBound = (fields: HeaderList): number => {
  let bound = 32 + (fields.length / 2) * fieldOverhead
  for (let i = 0; i < fields.length; i++) bound += (fields[i] as string).length
  return bound
}

/** The value without the head that it is a slice of: the table may keep it for hours. */
const own = (value: string): string => Buffer.from(value, 'latin1').latin1Slice()

/**
 * Encodes field blocks (RFC 7541) for one direction of a connection. What repeats goes into the dynamic table; strings
 * are written as they are, since Huffman would cost more time than its bytes are worth.
 */
export class HpackEncoder {
  readonly #known = new Map<string, Known>()
  /** Sizes of the entries in the table, oldest first from `#oldest`. */
  readonly #sizes: number[] = new Array(tableSize / entryOverhead).fill(0)
  #inserted = 0
  #count = 0
  #size = 0
  #limit = tableSize
  #resized = false
  #out: Buffer = Buffer.alloc(0)
  #at = 0

  /** Takes the peer's SETTINGS_HEADER_TABLE_SIZE (RFC 7541 §4.2). */
  limit(size: number): void {
    const limit = Math.min(size, tableSize)
    if (limit === this.#limit) return
    this.#limit = limit
    this.#resized = true
    this.#evict(limit)
  }

  /** Starts a block at `at` of `out`, which has room for `blockBound` bytes. */
  begin(out: Buffer, at: number): void {
    this.#out = out
    this.#at = at
    if (!this.#resized) return
    this.#resized = false
    this.#integer(0x20, 5, this.#limit)
  }

  status(status: number): void {
    const index = statusIndex.get(status)
    if (index !== undefined) this.#out[this.#at++] = 0x80 | index
    else {
      this.#out[this.#at++] = 0x08
      this.#text(String(status))
    }
  }

  /** A field with a known static index for exactly this name and value. */
  indexed(index: number): void {
    this.#out[this.#at++] = 0x80 | index
  }

  fields(fields: HeaderList): void {
    for (let i = 0; i < fields.length; i += 2) this.field(fields[i] as string, fields[i + 1] as string)
  }

  /** Ends the block and returns the position after it. */
  end(): number {
    return this.#at
  }

  field(name: string, value: string): void {
    const known = this.#known.get(name) ?? this.#learn(name)
    if (known === forbidden) return
    if (known === null || name.length + value.length > maxIndexed) this.#plain(name, value, known === null)
    else if (known.value === value && known.number >= this.#inserted - this.#count) {
      known.misses = 0
      this.#integer(0x80, 7, staticSize + this.#inserted - known.number)
    } else if (++known.misses > maxMisses && known.misses % retryEvery !== 0) this.#plain(name, value, false)
    else this.#insert(name, own(value), known)
  }

  /** Null for what must not enter the table, or finds no room among what is remembered. */
  #learn(name: string): Known | null {
    if (connectionFields.has(name)) return forbidden
    if (secrets.has(name) || this.#known.size >= maxNames) return null
    const known = { value: '', number: -1, misses: 0 }
    this.#known.set(name, known)
    return known
  }

  /** RFC 7541 §6.2.1 */
  #insert(name: string, value: string, known: Known): void {
    this.#name(name, 0x40, 6)
    this.#text(value)
    known.value = value
    const size = name.length + value.length + entryOverhead
    this.#evict(this.#limit - size)
    if (size > this.#limit) {
      known.number = -1
      return
    }
    known.number = this.#inserted
    this.#sizes[this.#inserted % this.#sizes.length] = size
    this.#inserted++
    this.#count++
    this.#size += size
  }

  /** RFC 7541 §6.2.2, §6.2.3 */
  #plain(name: string, value: string, never: boolean): void {
    this.#name(name, never ? 0x10 : 0, 4)
    this.#text(value)
  }

  #name(name: string, pattern: number, prefix: number): void {
    const index = staticIndex.get(name)
    if (index !== undefined) this.#integer(pattern, prefix, index)
    else {
      this.#out[this.#at++] = pattern
      this.#text(name)
    }
  }

  #evict(room: number): void {
    while (this.#count > 0 && this.#size > room) {
      this.#size -= this.#sizes[(this.#inserted - this.#count) % this.#sizes.length] as number
      this.#count--
    }
  }

  #integer(pattern: number, prefix: number, value: number): void {
    const mask = (1 << prefix) - 1
    if (value < mask) {
      this.#out[this.#at++] = pattern | value
      return
    }
    this.#out[this.#at++] = pattern | mask
    let rest = value - mask
    while (rest >= 0x80) {
      this.#out[this.#at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#out[this.#at++] = rest
  }

  #text(text: string): void {
    this.#integer(0, 7, text.length)
    const out = this.#out
    const length = text.length
    // Short strings are written faster here than by a call out of the JavaScript engine.
    if (length < 24) for (let i = 0; i < length; i++) out[this.#at + i] = text.charCodeAt(i)
    else out.latin1Write(text, this.#at, length)
    this.#at += length
  }
}

/** The static index of `:method`, `:scheme` or `:path` with this value, or 0. */
export const staticPair = (name: string, value: string): number => {
  const first = staticIndex.get(name) as number
  if (staticValues[first - 1] === value) return first
  return staticValues[first] === value ? first + 1 : 0
}
