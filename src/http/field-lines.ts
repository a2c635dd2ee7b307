import type { HeaderList } from './headers.ts'

/** Field lines of a head, each with its CRLF (RFC 9112 §5). Names and values must already be valid. */
export const fieldLines = (headers: HeaderList): string => {
  let text = ''
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`
  return text
}

/** Field lines of our own making as a list again. */
export const splitFieldLines = (text: string): HeaderList => {
  const fields: HeaderList = []
  for (let at = 0; at < text.length; ) {
    const colon = text.indexOf(':', at)
    const end = text.indexOf('\r\n', colon)
    fields.push(text.slice(at, colon), text.slice(colon + 2, end))
    at = end + 2
  }
  return fields
}
