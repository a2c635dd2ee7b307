import type { HeaderList } from '../headers.ts'

const prefixBytes = 5

/** Set in the first byte of a frame that holds trailers (gRPC-Web, "Message framing" 2). */
export const trailerFlag = 0x80

const frame = (flags: number, payload: Buffer): Buffer => {
  const bytes = Buffer.allocUnsafe(prefixBytes + payload.length)
  bytes[0] = flags
  bytes.writeUInt32BE(payload.length, 1)
  payload.copy(bytes, prefixBytes)
  return bytes
}

/** A Length-Prefixed-Message that is not compressed (gRPC over HTTP2, "Requests"). */
export const messageFrame = (message: Buffer): Buffer => frame(0, message)

/** Trailers as the last frame of a body (gRPC-Web, "Message framing"): a block of field lines without the empty one. */
export const trailerFrame = (trailers: HeaderList): Buffer => {
  let text = ''
  for (let i = 0; i < trailers.length; i += 2) text += `${trailers[i]}: ${trailers[i + 1]}\r\n`
  return frame(trailerFlag, Buffer.from(text, 'latin1'))
}

export type GrpcFrame = { readonly flags: number; readonly payload: Buffer }

/** The frames of a whole body; null when it does not end with the end of one. */
export const readFrames = (body: Buffer): GrpcFrame[] | null => {
  const frames: GrpcFrame[] = []
  let at = 0
  while (at < body.length) {
    const start = at + prefixBytes
    if (start > body.length) return null
    const end = start + body.readUInt32BE(at + 1)
    if (end > body.length) return null
    frames.push({ flags: body[at] as number, payload: body.subarray(start, end) })
    at = end
  }
  return frames
}

/** Tells where a body stands between its messages, by their lengths alone; nothing is kept or copied. */
export class FrameTracker {
  #prefix = 0
  #length = 0
  #remaining = 0

  /** Whether all bytes so far are whole messages. */
  get whole(): boolean {
    return this.#prefix === 0 && this.#remaining === 0
  }

  data(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#remaining > 0) {
        const take = Math.min(this.#remaining, chunk.length - at)
        this.#remaining -= take
        at += take
        continue
      }
      if (this.#prefix > 0) this.#length = this.#length * 256 + (chunk[at] as number)
      this.#prefix++
      at++
      if (this.#prefix < prefixBytes) continue
      this.#remaining = this.#length
      this.#prefix = 0
      this.#length = 0
    }
  }
}
