import { isFieldValue } from '../headers.ts'
import { ConnectionError, errorCodes } from './error-codes.ts'
import { type HeaderName, headerName } from './header-names.ts'
import { decodeHuffman } from './huffman.ts'
import { staticNames, staticSize, staticValues } from './static-table.ts'

/** Takes the fields of a block in order. `valid` says whether the value may stand in a field (RFC 9113 §8.2.1). */
export interface FieldSink {
  onField(name: HeaderName, value: string, valid: boolean): void
}

/** The table size of RFC 7541 §4.2 that both sides begin with; this engine never allows more. */
export const tableSize = 4096
/** RFC 7541 §4.1: what an entry counts beyond its bytes. No table has more entries than this allows. */
const entryOverhead = 32
const slots = tableSize / entryOverhead

const compressionError = (message: string): ConnectionError => new ConnectionError(errorCodes.compressionError, message)

/** RFC 9113 §8.2.1: no control characters, and no white space at either end. */
const isValidValue = (value: string): boolean => {
  if (value.length === 0) return true
  const first = value.charCodeAt(0)
  const last = value.charCodeAt(value.length - 1)
  return first !== 32 && first !== 9 && last !== 32 && last !== 9 && isFieldValue(value)
}

/** Decodes field blocks (RFC 7541); keeps the dynamic table of one direction of a connection. */
export class HpackDecoder {
  readonly #names: HeaderName[] = []
  readonly #values: string[] = []
  readonly #valid: boolean[] = []
  /** Slot of the newest entry. */
  #newest = 0
  #count = 0
  #size = 0
  #limit = tableSize
  #at = 0

  /**
   * Decodes one whole block and hands its fields to `sink`. Throws ConnectionError: after a mistake the tables of both
   * sides differ, and no later block can be read.
   */
  decode(bytes: Buffer, start: number, end: number, sink: FieldSink): void {
    this.#at = start
    let fields = 0
    while (this.#at < end) {
      const byte = bytes[this.#at] as number
      if (byte >= 0x80) this.#indexed(this.#integer(bytes, end, 7), sink)
      else if (byte >= 0x40) this.#literal(bytes, end, 6, true, sink)
      else if (byte >= 0x20) {
        // RFC 7541 §4.2: only in front of the first field.
        if (fields > 0) throw compressionError('A table size update comes late')
        this.#resize(this.#integer(bytes, end, 5))
        continue
      } else this.#literal(bytes, end, 4, false, sink)
      fields++
    }
  }

  #indexed(index: number, sink: FieldSink): void {
    if (index === 0) throw compressionError('Index 0 is no field')
    if (index <= staticSize) {
      sink.onField(staticNames[index - 1] as HeaderName, staticValues[index - 1] as string, true)
      return
    }
    const slot = this.#slot(index)
    sink.onField(this.#names[slot] as HeaderName, this.#values[slot] as string, this.#valid[slot] as boolean)
  }

  #literal(bytes: Buffer, end: number, prefix: number, keep: boolean, sink: FieldSink): void {
    const index = this.#integer(bytes, end, prefix)
    const name =
      index === 0
        ? headerName(this.#text(bytes, end))
        : index <= staticSize
          ? (staticNames[index - 1] as HeaderName)
          : (this.#names[this.#slot(index)] as HeaderName)
    const value = this.#text(bytes, end)
    const valid = isValidValue(value)
    if (keep) this.#add(name, value, valid)
    sink.onField(name, value, valid)
  }

  #slot(index: number): number {
    const age = index - staticSize - 1
    if (age >= this.#count) throw compressionError('An index points behind the table')
    return (this.#newest - age + slots) % slots
  }

  #add(name: HeaderName, value: string, valid: boolean): void {
    const size = name.text.length + value.length + entryOverhead
    // RFC 7541 §4.4: an entry larger than the table empties it.
    this.#evict(this.#limit - size)
    if (size > this.#limit) return
    this.#newest = (this.#newest + 1) % slots
    this.#names[this.#newest] = name
    this.#values[this.#newest] = value
    this.#valid[this.#newest] = valid
    this.#count++
    this.#size += size
  }

  #evict(room: number): void {
    while (this.#count > 0 && this.#size > room) {
      const slot = (this.#newest - this.#count + 1 + slots) % slots
      this.#size -= (this.#names[slot] as HeaderName).text.length + (this.#values[slot] as string).length
      this.#size -= entryOverhead
      this.#values[slot] = ''
      this.#count--
    }
  }

  #resize(limit: number): void {
    if (limit > tableSize) throw compressionError('A table size update exceeds the setting')
    this.#limit = limit
    this.#evict(limit)
  }

  /** RFC 7541 §5.1; four continuation bytes are more than any limit here allows. */
  #integer(bytes: Buffer, end: number, prefix: number): number {
    const mask = (1 << prefix) - 1
    let value = (bytes[this.#at++] as number) & mask
    if (value < mask) return value
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.#at >= end) throw compressionError('A field block ends inside a number')
      const byte = bytes[this.#at++] as number
      value += (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    throw compressionError('A number is too large')
  }

  #text(bytes: Buffer, end: number): string {
    if (this.#at >= end) throw compressionError('A field block ends inside a field')
    const huffman = (bytes[this.#at] as number) >= 0x80
    const length = this.#integer(bytes, end, 7)
    const start = this.#at
    if (length > end - start) throw compressionError('A field block ends inside a string')
    this.#at = start + length
    if (!huffman) return bytes.latin1Slice(start, start + length)
    const text = decodeHuffman(bytes, start, start + length)
    if (text === null) throw compressionError('A Huffman code is not valid')
    return text
  }
}
