import { randomBytes, randomFillSync } from 'node:crypto'

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

const recordsPerBlock = 256
const hexCodes = Uint8Array.from(Buffer.from('0123456789abcdef'))
/** RFC 9562 §4.1: the variant takes two bits of its digit. */
const variantCodes = Uint8Array.from(Buffer.from('89ab'))

/**
 * Texts of one shape, made many at a time: `x` in the template is a random digit, `v` that of a variant. Each is a piece
 * of one flat string, so that nothing is put together when it is needed.
 */
const textMaker = (template: string): (() => string) => {
  const bytes = Buffer.from(template.repeat(recordsPerBlock))
  const places = Uint16Array.from([...bytes.keys()].filter(place => bytes[place] === 120))
  const variants = Uint16Array.from([...bytes.keys()].filter(place => bytes[place] === 118))
  const random = new Uint8Array(Math.ceil(places.length / 2) + variants.length)
  let texts = ''
  let next = bytes.length
  const refill = (): void => {
    randomFillSync(random)
    let drawn = variants.length
    for (let i = 0; i < places.length; i += 2) {
      const draw = random[drawn++] as number
      bytes[places[i] as number] = hexCodes[draw & 15] as number
      bytes[places[i + 1] as number] = hexCodes[draw >> 4] as number
    }
    for (let i = 0; i < variants.length; i++)
      bytes[variants[i] as number] = variantCodes[(random[i] as number) & 3] as number
    texts = bytes.latin1Slice()
    next = 0
  }
  return () => {
    if (next === bytes.length) refill()
    const start = next
    next += template.length
    return texts.slice(start, next)
  }
}

let prefixTime = -1
let prefix = ''
const uuidTail = textMaker('7xxx-vxxx-xxxxxxxxxxxx')

/** A UUID version 7 (RFC 9562 §5.7): 48 bits of milliseconds (`now`), then random bits; sorts by time of birth. */
export const uuidv7 = (now = Date.now()): string => {
  if (now !== prefixTime) {
    prefixTime = now
    const time = now.toString(16).padStart(12, '0')
    prefix = `${time.slice(0, 8)}-${time.slice(8)}-`
  }
  return prefix + uuidTail()
}

/** A traceparent that begins a trace: random trace id and span id, sampled (W3C Trace Context §3.2). */
export const newTraceparent: () => string = textMaker(`00-${'x'.repeat(32)}-${'x'.repeat(16)}-01`)

/** `count` random bytes as lower-case hex; used for trace and span ids (W3C Trace Context §3.2.2). */
export const randomHex = (count: number): string => digits(count * 2)

/** The milliseconds a version 7 UUID was born at, or null for any other text. */
export const uuidTime = (id: string): number | null =>
  /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)
    ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
    : null
