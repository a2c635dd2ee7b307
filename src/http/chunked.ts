import { GatewayError } from '#base/errors'
import type { HeaderList } from './headers.ts'
import type { BodySink } from './message.ts'
import { parseTrailers } from './parse-head.ts'

const maxSizeDigits = 12
const maxExtensionBytes = 1024
const maxTrailerBytes = 16_384
const maxTrailerFields = 64

type State = 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailer' | 'done'

const invalid = (detail: string): GatewayError => new GatewayError('bad-request', { detail })

const hexDigit = (code: number): number => {
  if (code >= 48 && code <= 57) return code - 48
  const letter = code | 32
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
/** `*( BWS ";" BWS name [ BWS "=" BWS value ] )`, at least one (RFC 9112 §7.1.1). Linear: no part can match in two ways. */
const extensions = new RegExp(`^(?:[ \\t]*;[ \\t]*${token}(?:[ \\t]*=[ \\t]*(?:${token}|"(?:[^"\\\\]|\\\\.)*"))?)+$`)

/**
 * Decodes a chunked body (RFC 9112 §7.1) from bytes in any split. Strict: no white space but in extensions, no bare LF, at
 * most 12 hexadecimal digits. Extensions are checked and ignored, up to 1 kB of them in a body. Data goes to the sink as views into the bytes that were fed.
 */
export class ChunkedDecoder {
  state: State = 'size'
  #remaining = 0
  #digits = 0
  #extension = ''
  #extensionBytes = 0
  #trailer = ''
  /** Set by the owner to stop after the current piece; what was not consumed is fed again later. */
  paused = false

  get done(): boolean {
    return this.state === 'done'
  }

  /** Consumes bytes from `start` to `end` and returns the position after the last consumed one. Throws on bad syntax. */
  feed(bytes: Buffer, start: number, end: number, sink: BodySink): number {
    let position = start
    while (position < end && this.state !== 'done' && !this.paused) {
      switch (this.state) {
        case 'size': {
          const code = bytes[position] as number
          const digit = hexDigit(code)
          if (digit >= 0) {
            if (++this.#digits > maxSizeDigits) throw invalid('A chunk size is too large')
            this.#remaining = this.#remaining * 16 + digit
          } else if (code === 13 && this.#digits > 0) this.state = 'size-lf'
          else if ((code === 59 || code === 32 || code === 9) && this.#digits > 0) {
            this.state = 'extension'
            break
          } else throw invalid('A chunk size is not valid')
          position++
          break
        }
        case 'extension':
          position = this.#feedExtension(bytes, position, end)
          break
        case 'size-lf':
          if (bytes[position++] !== 10) throw invalid('A chunk size does not end with CRLF')
          this.#digits = 0
          this.state = this.#remaining === 0 ? 'trailer' : 'data'
          break
        case 'data': {
          const length = Math.min(this.#remaining, end - position)
          this.#remaining -= length
          if (this.#remaining === 0) this.state = 'data-cr'
          position += length
          sink.onBodyData(bytes.subarray(position - length, position))
          break
        }
        case 'data-cr':
          if (bytes[position++] !== 13) throw invalid('Chunk data does not end with CRLF')
          this.state = 'data-lf'
          break
        case 'data-lf':
          if (bytes[position++] !== 10) throw invalid('Chunk data does not end with CRLF')
          this.state = 'size'
          break
        case 'trailer':
          position = this.#feedTrailer(bytes, position, end, sink)
          break
      }
    }
    return position
  }

  #feedExtension(bytes: Buffer, start: number, end: number): number {
    let position = start
    for (; position < end; position++) {
      const code = bytes[position] as number
      if (code === 13) {
        if (!extensions.test(this.#extension)) throw invalid('A chunk extension is not valid')
        this.#extension = ''
        this.state = 'size-lf'
        return position + 1
      }
      if (code === 127 || (code < 32 && code !== 9)) throw invalid('A chunk extension is not valid')
      if (++this.#extensionBytes > maxExtensionBytes) throw invalid('The chunk extensions are too large')
      this.#extension += String.fromCharCode(code)
    }
    return position
  }

  #feedTrailer(bytes: Buffer, start: number, end: number, sink: BodySink): number {
    const had = this.#trailer.length
    const text = this.#trailer + bytes.latin1Slice(start, Math.min(end, start + maxTrailerBytes - had + 4))
    let fieldsEnd = -1
    let after = 0
    if (text.startsWith('\r\n')) after = 2
    else {
      const found = text.indexOf('\r\n\r\n')
      if (found >= 0) {
        fieldsEnd = found + 2
        after = found + 4
      }
    }
    if (after === 0) {
      if (text.length >= maxTrailerBytes + 4)
        throw new GatewayError('head-too-large', { detail: 'The trailers are too large' })
      // A bare LF can never become valid; refusing it now keeps a waiting reader from being held.
      if (/[^\r]\n|^\n/.test(text)) throw invalid('A trailer field does not end with CRLF')
      this.#trailer = text
      return Math.min(end, start + text.length - had)
    }
    const trailers: HeaderList | null = fieldsEnd < 0 ? null : parseTrailers(text.slice(0, fieldsEnd), maxTrailerFields)
    this.state = 'done'
    sink.onBodyEnd(trailers)
    return start + after - had
  }
}
