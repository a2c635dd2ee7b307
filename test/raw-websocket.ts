import { createHash } from 'node:crypto'

/** One frame of RFC 6455 §5.2, its payload unmasked. */
export type SocketFrame = {
  readonly fin: boolean
  /** The three reserved bits, as the number they make. */
  readonly reserved: number
  readonly opcode: number
  readonly masked: boolean
  readonly payload: Buffer
}

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

type Options = { readonly fin?: boolean; readonly reserved?: number; readonly mask?: Buffer | null }

const lengthBytes = (length: number, bit: number): Buffer => {
  if (length < 126) return Buffer.from([bit | length])
  const bytes = Buffer.alloc(length < 65_536 ? 3 : 9)
  bytes[0] = bit | (length < 65_536 ? 126 : 127)
  if (length < 65_536) bytes.writeUInt16BE(length, 1)
  else bytes.writeBigUInt64BE(BigInt(length), 1)
  return bytes
}

const masked = (payload: Buffer, mask: Buffer): Buffer =>
  payload.map((byte, at) => byte ^ (mask[at % 4] as number)) as Buffer

/** A frame as bytes; `mask` null sends it as servers do. */
export const socketFrame = (opcode: number, payload: Buffer | string, options: Options = {}): Buffer => {
  const { fin = true, reserved = 0, mask = null } = options
  const bytes = Buffer.from(payload)
  const head = Buffer.from([(fin ? 0x80 : 0) | (reserved << 4) | opcode])
  const length = lengthBytes(bytes.length, mask === null ? 0 : 0x80)
  return Buffer.concat(mask === null ? [head, length, bytes] : [head, length, mask, masked(bytes, mask)])
}

/** The payload of a close frame (§5.5.1). */
export const closePayload = (code: number, reason = ''): Buffer => {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(code)
  return Buffer.concat([bytes, Buffer.from(reason)])
}

/** All whole frames at the start of `bytes`. */
export const readSocketFrames = (bytes: Buffer): SocketFrame[] => {
  const frames: SocketFrame[] = []
  let at = 0
  while (bytes.length >= at + 2) {
    const [first, second] = [bytes[at] as number, bytes[at + 1] as number]
    const short = second & 0x7f
    let start = at + 2 + (short === 126 ? 2 : short === 127 ? 8 : 0)
    if (bytes.length < start) break
    const length =
      short === 126 ? bytes.readUInt16BE(at + 2) : short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short
    const mask = (second & 0x80) === 0 ? null : bytes.subarray(start, start + 4)
    if (mask !== null) start += 4
    if (bytes.length < start + length) break
    const payload = bytes.subarray(start, start + length)
    frames.push({
      fin: (first & 0x80) !== 0,
      reserved: (first >> 4) & 7,
      opcode: first & 15,
      masked: mask !== null,
      payload: mask === null ? payload : masked(payload, mask),
    })
    at = start + length
  }
  return frames
}

/** What a server answers to a key (§4.2.2). */
export const acceptFor = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
