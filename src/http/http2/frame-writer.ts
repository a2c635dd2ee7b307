import type { HeaderList } from '../headers.ts'
import { defaultFrameSize, flags, frameHeaderSize, frameTypes } from './frames.ts'
import { blockBound, HpackEncoder } from './hpack-encoder.ts'
import type { Output } from './output.ts'

const noBytes = Buffer.alloc(0)

/** Writes the frames of one connection that are more than bytes: field blocks, settings, farewells. */
export class FrameWriter {
  readonly encoder = new HpackEncoder()
  readonly #output: Output
  #bigBlock: Buffer | null = null

  constructor(output: Output) {
    this.#output = output
  }

  /** Starts a field block of at most `bound` bytes; what is encoded until `endBlock` belongs to it. */
  beginBlock(bound: number): void {
    if (bound <= defaultFrameSize) {
      this.#bigBlock = null
      const slab = this.#output.reserve(frameHeaderSize + bound)
      this.encoder.begin(slab, this.#output.position + frameHeaderSize)
    } else {
      this.#bigBlock = Buffer.allocUnsafe(bound)
      this.encoder.begin(this.#bigBlock, 0)
    }
  }

  /** Sends the block (RFC 9113 §4.3); returns the bytes of its frames. */
  endBlock(streamId: number, endStream: boolean): number {
    const output = this.#output
    const end = this.encoder.end()
    const block = this.#bigBlock
    if (block === null) {
      const length = end - output.position - frameHeaderSize
      output.headers(streamId, length)
      if (endStream) output.endStream(streamId)
      return frameHeaderSize + length
    }
    this.#bigBlock = null
    for (let at = 0; at < end; at += defaultFrameSize) {
      const next = Math.min(end, at + defaultFrameSize)
      const type = at === 0 ? frameTypes.headers : frameTypes.continuation
      const ends = (next === end ? flags.endHeaders : 0) | (at === 0 && endStream ? flags.endStream : 0)
      output.bytes(type, ends, streamId, block, at, next)
    }
    return end + frameHeaderSize
  }

  /** A block of plain fields, such as trailers. */
  fields(streamId: number, fields: HeaderList, endStream: boolean): number {
    this.beginBlock(blockBound(fields))
    this.encoder.fields(fields)
    return this.endBlock(streamId, endStream)
  }

  settings(settings: readonly (readonly [number, number])[]): void {
    const payload = Buffer.alloc(settings.length * 6)
    for (const [index, [id, value]] of settings.entries()) {
      payload.writeUInt16BE(id, index * 6)
      payload.writeUInt32BE(value, index * 6 + 2)
    }
    this.#output.bytes(frameTypes.settings, 0, 0, payload)
  }

  acknowledgeSettings(): void {
    this.#output.bytes(frameTypes.settings, flags.ack, 0, noBytes)
  }

  /** GOAWAY; `reason` is for whoever reads the logs of the peer. */
  goaway(lastStream: number, code: number, reason = ''): void {
    const payload = Buffer.alloc(8 + reason.length)
    payload.writeUInt32BE(lastStream, 0)
    payload.writeUInt32BE(code, 4)
    payload.latin1Write(reason, 8)
    this.#output.bytes(frameTypes.goaway, 0, 0, payload)
  }

  ping(): void {
    this.#output.bytes(frameTypes.ping, 0, 0, Buffer.alloc(8))
  }
}
