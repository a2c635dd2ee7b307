import { GatewayError } from '#base/errors'

/** Most heads are far smaller; a longer one is decoded again at its full length. */
const usualHead = 4096

/**
 * A head found in a read: the text that begins with it, where its last field line ends in it, and its `size` with the
 * empty line. What follows in the text is what came behind the head, as far as it was decoded.
 */
export type HeadText = { text: string; end: number; size: number }

/** Finds the head that starts at `start`, or null when its empty line is not there yet within `length`. */
export const findHead = (bytes: Buffer, start: number, length: number): HeadText | null => {
  let text = bytes.latin1Slice(start, Math.min(length, start + usualHead))
  let found = text.indexOf('\r\n\r\n')
  if (found < 0 && length - start > usualHead) {
    text = bytes.latin1Slice(start, length)
    found = text.indexOf('\r\n\r\n')
  }
  return found < 0 ? null : { text, end: found + 2, size: found + 4 }
}

/** Room beside the target in a request line: method, spaces, version. */
const requestLineRest = 64

/** Whether it is the request line or the fields that a head over its limit has too much of. */
export const tooLarge = (bytes: Buffer, start: number, length: number, targetLimit: number): GatewayError => {
  const line = bytes.indexOf('\r\n', start, 'latin1')
  return line < 0 || line > length || line - start > targetLimit + requestLineRest
    ? new GatewayError('target-too-long')
    : new GatewayError('head-too-large')
}

/** Throws for a head that is not complete yet but can no longer become valid, so that nobody waits for the rest. */
export const checkIncompleteHead = (
  bytes: Buffer,
  start: number,
  length: number,
  limits: { readonly head: number; readonly target: number },
): void => {
  if (length - start > limits.head) throw tooLarge(bytes, start, length, limits.target)
  for (let at = bytes.indexOf(10, start); at >= 0 && at < length; at = bytes.indexOf(10, at + 1))
    if (at === start || bytes[at - 1] !== 13)
      throw new GatewayError('bad-request', { detail: 'A line ends without CR' })
}
