import { STATUS_CODES } from 'node:http'
import { fieldLines } from '../field-lines.ts'
import type { HeaderList } from '../headers.ts'

const statusLines: (string | undefined)[] = []

/** The status line with its CRLF; the reason phrase is the registered one, since it carries no meaning (RFC 9112 §4). */
export const statusLine = (status: number): string => {
  const known = statusLines[status]
  if (known !== undefined) return known
  const line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`
  statusLines[status] = line
  return line
}

const maxLengthLines = 16_384
const lengthLines: (string | undefined)[] = new Array(maxLengthLines)

/** The Content-Length field; texts of common lengths are made once, since every piece of a head costs when it is sent. */
export const contentLengthLine = (length: number): string => {
  if (length >= maxLengthLines) return `content-length: ${length}\r\n`
  const known = lengthLines[length]
  if (known !== undefined) return known
  const line = `content-length: ${length}\r\n`
  lengthLines[length] = line
  return line
}

/** A chunk-size line (RFC 9112 §7.1). */
export const chunkSize = (length: number): string => `${length.toString(16)}\r\n`

/** The end of a chunked body with its trailers. */
export const lastChunk = (trailers: HeaderList | null): string =>
  trailers === null ? '0\r\n\r\n' : `0\r\n${fieldLines(trailers)}\r\n`
