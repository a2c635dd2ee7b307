import { isUtf8 } from 'node:buffer'
import { mayTravel } from './close-codes.ts'
import { opcodes } from './opcodes.ts'

export type FrameRules = {
  /** Whether payloads are masked: those of clients must be, those of servers must not (RFC 6455 §5.1). */
  readonly masked: boolean
  /** The reserved bits (of 0x70) that a negotiated extension has given a meaning. */
  readonly reserved: number
  /** Bytes of a message, all its fragments together, as they are on the wire. */
  readonly maxMessage: number
}

/** Takes what a reader lets through. Buffers are valid only during the call. */
export interface FrameSink {
  /** Bytes that may go on. They end with a frame, or inside of the payload of a data frame. */
  onBytes(bytes: Buffer): void
  /** A message begins; a close code other than 0 refuses it. */
  onMessage(): number
  /** A whole control frame with its payload unmasked; false keeps it from going on. */
  onControl(opcode: number, payload: Buffer): boolean
}

/** A close code of RFC 6455 §7.4.1, or 0 when nothing is wrong. */
type CloseCode = number

/**
 * Watches one direction of a WebSocket (RFC 6455 §5): finds the frames without touching or copying their payloads,
 * and lets nothing through that breaks the framing. Only the head of a frame and control frames, at most 139 bytes,
 * are held back until they are complete; however the bytes are cut, the same ones go on.
 */
export class FrameReader {
  /** A close frame went on, or something was refused: whatever else comes goes nowhere. */
  ended = false
  readonly #rules: FrameRules
  readonly #sink: FrameSink
  /** The beginning of a head or of a control frame. */
  #held: Buffer | null = null
  /** Payload bytes of the current data frame that have not come yet. */
  #remaining = 0
  #fragmented = false
  #messageBytes = 0

  constructor(rules: FrameRules, sink: FrameSink) {
    this.#rules = rules
    this.#sink = sink
  }

  /** Bytes until the frame that is going on is whole; at 0 another one may be put in between. */
  get remaining(): number {
    return this.#remaining
  }

  /** Returns 0, or the close code (RFC 6455 §7.4.1) for what is wrong; valid bytes before it have gone on. */
  read(chunk: Buffer): CloseCode {
    if (this.ended) return 0
    if (this.#remaining >= chunk.length) {
      this.#remaining -= chunk.length
      this.#sink.onBytes(chunk)
      return 0
    }
    const bytes = this.#held === null ? chunk : Buffer.concat([this.#held, chunk])
    this.#held = null
    return this.#frames(bytes)
  }

  #frames(bytes: Buffer): CloseCode {
    const { masked } = this.#rules
    const { length } = bytes
    let from = 0
    let position = this.#remaining
    this.#remaining = 0
    while (length - position >= 2) {
      const first = bytes[position] as number
      const second = bytes[position + 1] as number
      const short = second & 0x7f
      const wrong = this.#checkHead(first, second)
      if (wrong !== 0) return this.#refuse(bytes, from, position, wrong)
      const head = 2 + (short < 126 ? 0 : short === 126 ? 2 : 8) + (masked ? 4 : 0)
      if (length - position < head) break
      const opcode = first & 0x0f
      if (opcode >= opcodes.close) {
        const end = position + head + short
        if (length < end) break
        const payload = bytes.subarray(position + head, end)
        const plain = masked ? unmask(payload, bytes, position + head - 4) : payload
        const invalid = opcode === opcodes.close ? checkClose(plain) : 0
        if (invalid !== 0) return this.#refuse(bytes, from, position, invalid)
        if (!this.#sink.onControl(opcode, plain)) {
          this.#pass(bytes, from, position)
          from = end
        }
        position = end
        if (opcode !== opcodes.close) continue
        this.ended = true
        this.#pass(bytes, from, end)
        return 0
      }
      const size = short < 126 ? short : payloadSize(bytes, position + 2, short)
      const refused = size < 0 ? 1002 : this.#account(first, opcode, size)
      if (refused !== 0) return this.#refuse(bytes, from, position, refused)
      position += head + size
    }
    if (position >= length) {
      this.#remaining = position - length
      this.#pass(bytes, from, length)
    } else {
      this.#pass(bytes, from, position)
      this.#held = Buffer.from(bytes.subarray(position))
    }
    return 0
  }

  /** What the first two bytes of a frame can tell (RFC 6455 §5.2, §5.4, §5.5; RFC 7692 §6). */
  #checkHead(first: number, second: number): CloseCode {
    const opcode = first & 0x0f
    const reserved = first & 0x70
    if (second >= 0x80 !== this.#rules.masked) return 1002
    if ((reserved & ~this.#rules.reserved) !== 0) return 1002
    if (opcode >= opcodes.close) {
      const known = opcode <= opcodes.pong
      return known && first >= 0x80 && reserved === 0 && (second & 0x7f) < 126 ? 0 : 1002
    }
    if (opcode > opcodes.binary || (opcode === opcodes.continuation) !== this.#fragmented) return 1002
    // A whole message is compressed or none of it: only its first frame says so.
    return opcode === opcodes.continuation && reserved === 0x40 && this.#rules.reserved === 0x40 ? 1002 : 0
  }

  #account(first: number, opcode: number, size: number): CloseCode {
    if (opcode !== opcodes.continuation) {
      const refused = this.#sink.onMessage()
      if (refused !== 0) return refused
      this.#messageBytes = 0
    }
    this.#messageBytes += size
    if (this.#messageBytes > this.#rules.maxMessage) return 1009
    this.#fragmented = first < 0x80
    return 0
  }

  #pass(bytes: Buffer, from: number, to: number): void {
    if (from === to) return
    this.#sink.onBytes(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to))
  }

  #refuse(bytes: Buffer, from: number, position: number, code: CloseCode): CloseCode {
    this.ended = true
    this.#pass(bytes, from, position)
    return code
  }
}

/** The length after 126 or 127; -1 when fewer bytes would have said it (RFC 6455 §5.2), or when it is beyond sense. */
const payloadSize = (bytes: Buffer, at: number, short: number): number => {
  if (short === 126) {
    const size = bytes.readUInt16BE(at)
    return size < 126 ? -1 : size
  }
  const high = bytes.readUInt32BE(at)
  const size = high * 2 ** 32 + bytes.readUInt32BE(at + 4)
  return size < 65_536 || high > 0x1f_ffff ? -1 : size
}

const unmask = (payload: Buffer, bytes: Buffer, key: number): Buffer => {
  const plain = Buffer.allocUnsafe(payload.length)
  for (let i = 0; i < payload.length; i++) plain[i] = (payload[i] as number) ^ (bytes[key + (i & 3)] as number)
  return plain
}

/** RFC 6455 §5.5.1: no payload, or a code that may travel and a reason in UTF-8. */
const checkClose = (payload: Buffer): CloseCode => {
  if (payload.length === 0) return 0
  if (payload.length === 1 || !mayTravel(payload.readUInt16BE(0))) return 1002
  return isUtf8(payload.subarray(2)) ? 0 : 1007
}
