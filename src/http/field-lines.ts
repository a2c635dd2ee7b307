import type { HeaderList } from './headers.ts'

/** Field lines of a head, each with its CRLF (RFC 9112 §5). Names and values must already be valid. */
export const fieldLines = (headers: HeaderList): string => {
  let text = ''
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`
  return text
}
