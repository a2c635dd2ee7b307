import { ConnectionError, errorCodes } from './error-codes.ts'
import { defaultFrameSize, frameHeaderSize } from './frames.ts'

/** Takes whole frames; the payload is `bytes` from `start` to `end`, valid only during the call. */
export interface FrameSink {
  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void
}

const lengthAt = (bytes: Buffer, at: number): number =>
  ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number)

const checkedLength = (bytes: Buffer, at: number): number => {
  const length = lengthAt(bytes, at)
  if (length > defaultFrameSize) throw new ConnectionError(errorCodes.frameSizeError, 'A frame is too large')
  return length
}

const dispatch = (sink: FrameSink, bytes: Buffer, at: number, end: number): void => {
  const streamId =
    (((bytes[at + 5] as number) & 0x7f) << 24) |
    ((bytes[at + 6] as number) << 16) |
    ((bytes[at + 7] as number) << 8) |
    (bytes[at + 8] as number)
  sink.onFrame(bytes[at + 3] as number, bytes[at + 4] as number, streamId, bytes, at + frameHeaderSize, end)
}

/**
 * Cuts a byte stream into frames (RFC 9113 §4.1), whatever pieces it arrives in. Whole frames are handed over where
 * they lie; one that is split is put together once, in a buffer of its own size.
 */
export class FrameReader {
  readonly #header: Buffer = Buffer.alloc(frameHeaderSize)
  #frame: Buffer | null = null
  #filled = 0

  /** True when a frame has begun and not ended. */
  get partial(): boolean {
    return this.#filled > 0
  }

  feed(bytes: Buffer, start: number, end: number, sink: FrameSink): void {
    let at = this.#filled > 0 ? this.#complete(bytes, start, end, sink) : start
    while (end - at >= frameHeaderSize) {
      const next = at + frameHeaderSize + checkedLength(bytes, at)
      if (next > end) break
      dispatch(sink, bytes, at, next)
      at = next
    }
    if (at < end) this.#keep(bytes, at, end)
  }

  #complete(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    const at = this.#keep(bytes, start, end)
    const frame = this.#frame
    if (frame === null || this.#filled < frame.length) return at
    this.#frame = null
    this.#filled = 0
    dispatch(sink, frame, 0, frame.length)
    return at
  }

  #keep(bytes: Buffer, start: number, end: number): number {
    let at = start
    if (this.#frame === null) {
      const taken = bytes.copy(this.#header, this.#filled, at, Math.min(end, at + frameHeaderSize - this.#filled))
      this.#filled += taken
      at += taken
      if (this.#filled < frameHeaderSize) return at
      this.#frame = Buffer.allocUnsafe(frameHeaderSize + checkedLength(this.#header, 0))
      this.#header.copy(this.#frame)
    }
    const taken = bytes.copy(this.#frame, this.#filled, at, Math.min(end, at + this.#frame.length - this.#filled))
    this.#filled += taken
    return at + taken
  }
}
