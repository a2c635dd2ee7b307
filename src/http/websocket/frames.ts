import { randomBytes } from 'node:crypto'
import { opcodes } from './opcodes.ts'

/** A whole control frame (RFC 6455 §5.5); what goes to a server is masked with a fresh key (§5.3). */
const controlFrame = (opcode: number, payload: Buffer, masked: boolean): Buffer => {
  const head = Buffer.from([0x80 | opcode, (masked ? 0x80 : 0) | payload.length])
  if (!masked) return Buffer.concat([head, payload])
  const key = randomBytes(4)
  return Buffer.concat([head, key, payload.map((byte, i) => byte ^ (key[i & 3] as number))])
}

/** `reason` is ASCII of at most 123 characters. */
export const closeFrame = (code: number, reason: string, masked: boolean): Buffer => {
  const payload = Buffer.alloc(2 + reason.length)
  payload.writeUInt16BE(code)
  payload.write(reason, 2, 'latin1')
  return controlFrame(opcodes.close, payload, masked)
}

export const pingFrame = (payload: Buffer, masked: boolean): Buffer => controlFrame(opcodes.ping, payload, masked)
