import { ConnectionError, errorCodes } from './error-codes.ts'

/** Frames of one block: what a sender with full frames never needs, and a flood does (RFC 9113 §10.5.1). */
const maxFrames = 64

/** A field block whose HEADERS frame did not hold all of it, until its last CONTINUATION is there (RFC 9113 §4.3). */
export class HeaderBlock {
  streamId = 0
  endStream = false
  readonly #maxBytes: number
  #pieces: Buffer[] = []
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get open(): boolean {
    return this.streamId !== 0
  }

  begin(streamId: number, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    this.streamId = streamId
    this.endStream = endStream
    this.add(bytes, start, end)
  }

  add(bytes: Buffer, start: number, end: number): void {
    this.#bytes += end - start
    if (this.#bytes > this.#maxBytes || this.#pieces.length >= maxFrames)
      throw new ConnectionError(errorCodes.enhanceYourCalm, 'A field block is too large')
    this.#pieces.push(Buffer.from(bytes.subarray(start, end)))
  }

  end(): Buffer {
    const whole = Buffer.concat(this.#pieces)
    this.streamId = 0
    this.#pieces = []
    this.#bytes = 0
    return whole
  }
}
