import type { HeaderList } from '../headers.ts'
import { parseContentLength } from '../parse-head.ts'
import { type HeaderName, isPseudo, nameKinds } from './header-names.ts'
import type { FieldSink } from './hpack-decoder.ts'

const fieldOverhead = 32

/** Collects the fields of a response (RFC 9113 §8.3.2); one object for all responses of a connection. */
export class ResponseFields implements FieldSink {
  /** Why the head cannot be used, or null. */
  wrong: string | null = null
  status = 0
  /** -1 when absent. */
  contentLength = -1
  headers: HeaderList = []
  readonly #maxBytes: number
  readonly #maxFields: number
  #size = 0

  constructor(maxBytes: number, maxFields: number) {
    this.#maxBytes = maxBytes
    this.#maxFields = maxFields
  }

  begin(): void {
    this.wrong = null
    this.status = 0
    this.contentLength = -1
    this.headers = []
    this.#size = 0
  }

  onField(name: HeaderName, value: string, valid: boolean): void {
    if (this.wrong !== null) return
    this.#size += name.text.length + value.length + fieldOverhead
    this.wrong = this.#size > this.#maxBytes ? 'too large' : valid ? this.#take(name, value) : 'a value is not valid'
  }

  #take({ kind, text }: HeaderName, value: string): string | null {
    if (isPseudo(kind)) {
      if (kind !== nameKinds.status || this.status !== 0 || this.headers.length > 0 || this.contentLength >= 0)
        return 'a pseudo-header is not allowed there'
      if (!/^[1-5][0-9]{2}$/.test(value)) return 'the status is not valid'
      this.status = Number(value)
      return null
    }
    if (this.status === 0) return 'there is no status'
    if (kind === nameKinds.contentLength) {
      if (this.contentLength >= 0) return 'Content-Length is repeated'
      try {
        this.contentLength = parseContentLength(value)
      } catch {
        return 'Content-Length is not a number'
      }
      return null
    }
    if (kind === nameKinds.connectionSpecific || kind === nameKinds.invalid || kind === nameKinds.te)
      return 'a field is not allowed there'
    this.headers.push(text, value)
    return this.headers.length > 2 * this.#maxFields ? 'too many fields' : null
  }
}
