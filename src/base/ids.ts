import { randomBytes } from 'node:crypto'

/** Random digits are drawn in blocks: one call into OpenSSL and one conversion for some hundred ids. */
const blockBytes = 4096
let block = ''
let position = 0

/** `length` random hexadecimal digits: a piece of the block, so nothing is built digit by digit. */
const digits = (length: number): string => {
  if (position + length > block.length) {
    block = randomBytes(blockBytes).toString('hex')
    position = 0
  }
  const start = position
  position += length
  return block.slice(start, position)
}

let prefixTime = -1
let prefix = ''

/** A UUID version 7 (RFC 9562 §5.7): 48 bits of milliseconds, then random bits; sorts by time of birth. */
export const uuidv7 = (): string => {
  const now = Date.now()
  if (now !== prefixTime) {
    prefixTime = now
    const time = now.toString(16).padStart(12, '0')
    prefix = `${time.slice(0, 8)}-${time.slice(8)}-7`
  }
  const random = digits(19)
  // The variant takes two bits of its digit: 8, 9, a or b.
  const variant = '89ab89ab89ab89ab'[Number.parseInt(random[3] as string, 16)]
  return `${prefix + random.slice(0, 3)}-${variant}${random.slice(4, 7)}-${random.slice(7)}`
}

/** `count` random bytes as lower-case hex; used for trace and span ids (W3C Trace Context §3.2.2). */
export const randomHex = (count: number): string => digits(count * 2)

/** The milliseconds a version 7 UUID was born at, or null for any other text. */
export const uuidTime = (id: string): number | null =>
  /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)
    ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
    : null
