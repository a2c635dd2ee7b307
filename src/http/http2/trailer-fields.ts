import type { HeaderList } from '../headers.ts'
import { type HeaderName, nameKinds } from './header-names.ts'
import type { FieldSink } from './hpack-decoder.ts'

const fieldOverhead = 32
const maxFields = 64

/**
 * Collects trailers (RFC 9113 §8.1): no pseudo-headers, nothing that would change framing or routing. `valid` becomes
 * false at the first field that may not stand there.
 */
export class TrailerFields implements FieldSink {
  valid = true
  readonly #headers: HeaderList = []
  readonly #maxBytes: number
  #size = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  onField(name: HeaderName, value: string, valid: boolean): void {
    this.#size += name.text.length + value.length + fieldOverhead
    const plain = name.kind === nameKinds.plain || name.kind === nameKinds.cookie
    if (!valid || !plain || this.#size > this.#maxBytes || this.#headers.length >= 2 * maxFields) this.valid = false
    else this.#headers.push(name.text, value)
  }

  get headers(): HeaderList | null {
    return this.#headers.length === 0 ? null : this.#headers
  }
}

/** Decodes a block that must be decoded although nobody wants its fields. */
export const ignoredFields: FieldSink = { onField: () => {} }
