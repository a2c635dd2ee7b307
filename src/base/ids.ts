import { randomFillSync } from 'node:crypto'

/** Random bytes are drawn in blocks: one call into OpenSSL per 256 ids instead of one per id. */
const pool = new Uint8Array(4096)
let position = pool.length

const hex: string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

const take = (bytes: number): number => {
  if (position + bytes > pool.length) {
    randomFillSync(pool)
    position = 0
  }
  const start = position
  position += bytes
  return start
}

const hexAt = (index: number): string => hex[pool[index] as number] as string

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
  const p = take(10)
  const a = pool[p] as number
  const b = pool[p + 2] as number
  return (
    prefix +
    (hex[a & 0x0f] as string)[1] +
    hexAt(p + 1) +
    '-' +
    hex[0x80 | (b & 0x3f)] +
    hexAt(p + 3) +
    '-' +
    hexAt(p + 4) +
    hexAt(p + 5) +
    hexAt(p + 6) +
    hexAt(p + 7) +
    hexAt(p + 8) +
    hexAt(p + 9)
  )
}

/** `count` random bytes as lower-case hex; used for trace and span ids (W3C Trace Context §3.2.2). */
export const randomHex = (count: number): string => {
  const p = take(count)
  let text = ''
  for (let i = 0; i < count; i++) text += hexAt(p + i)
  return text
}

/** The milliseconds a version 7 UUID was born at, or null for any other text. */
export const uuidTime = (id: string): number | null =>
  /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)
    ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
    : null
