import type { ByteSocket } from '../byte-socket.ts'
import { type DirectWriter, type WriteDirectly, writeDirectly } from '../direct-write.ts'
import { unsentLimit } from '../unsent.ts'
import { defaultFrameSize, flags, frameHeaderSize, frameTypes } from './frames.ts'

const slabSize = 65_536
const maxFreeSlabs = 64
const free: Buffer[] = []

const release = (slab: Buffer): void => {
  if (free.length < maxFreeSlabs) free.push(slab)
}

/** Up to this size bytes leave as a string, which needs no memory of its own (see ../socket-writer.ts). */
const stringLimit = 16_384

const waiting: Output[] = []

/** Everything that was written while one round of input was worked on leaves together. */
const flushAll = (): void => {
  const outputs = waiting.splice(0)
  for (const output of outputs) output.flush()
  for (const output of outputs) output.tellRoom()
}

const noRoomWanted = (): void => {}

/**
 * The frames of one connection on their way out. All of one turn of the event loop, of however many streams, become
 * one write to the socket.
 */
export class Output implements DirectWriter {
  readonly #socket: ByteSocket
  readonly #direct: WriteDirectly | null
  #pending = false
  /** The socket will tell when it has taken all. */
  #full = false
  /** Somebody waits for room. */
  #wanted = false
  onRoom = noRoomWanted
  #slab: Buffer | null = null
  #used = 0
  /** Position of the frame written last, and its stream while END_STREAM may still be added to it; else 0. */
  #lastFrame = 0
  #openStream = 0

  /** `direct` false uses the documented way of writing only. */
  constructor(socket: ByteSocket, direct: boolean) {
    this.#socket = socket
    this.#direct = direct ? writeDirectly : null
  }

  /** Bytes that the socket has not taken yet. */
  get waiting(): number {
    return this.#socket.writableLength + this.#used
  }

  get congested(): boolean {
    return this.waiting >= unsentLimit.bytes
  }

  /** Room for `size` bytes, at most 32 kB; `position` says where it begins. */
  reserve(size: number): Buffer {
    if (this.#slab !== null && this.#used + size <= slabSize) return this.#slab
    if (this.#slab !== null) this.flush()
    this.#slab = free.pop() ?? Buffer.allocUnsafeSlow(slabSize)
    this.#schedule()
    return this.#slab
  }

  #schedule(): void {
    if (waiting.push(this) === 1) setImmediate(flushAll)
  }

  /** Asks for `onRoom` when what was written is on its way. */
  awaitRoom(): void {
    if (this.#wanted) return
    this.#wanted = true
    this.#schedule()
  }

  /**
   * Tells who waits, unless the socket has yet to say `drain`: it says so only for more than it holds by itself, and
   * the limit on unsent bytes may be less than that.
   */
  tellRoom(): void {
    if (!this.#wanted || this.#full) return
    this.#wanted = false
    this.onRoom()
  }

  /** The socket said `drain`. */
  drained(): void {
    this.#full = false
    this.tellRoom()
  }

  get position(): number {
    return this.#used
  }

  /** Writes the header of a frame into reserved room; its payload of `length` bytes stands there or follows. */
  header(length: number, type: number, frameFlags: number, streamId: number): void {
    const slab = this.#slab as Buffer
    const at = this.#used
    slab[at] = length >>> 16
    slab[at + 1] = length >>> 8
    slab[at + 2] = length
    slab[at + 3] = type
    slab[at + 4] = frameFlags
    slab[at + 5] = streamId >>> 24
    slab[at + 6] = streamId >>> 16
    slab[at + 7] = streamId >>> 8
    slab[at + 8] = streamId
    this.#lastFrame = at
    this.#openStream = 0
    this.#used = at + frameHeaderSize + length
  }

  /** A frame whose payload is one number of 32 bits, or two. */
  numbers(type: number, frameFlags: number, streamId: number, first: number, second = -1): void {
    const length = second < 0 ? 4 : 8
    const slab = this.reserve(frameHeaderSize + length)
    const at = this.#used + frameHeaderSize
    slab.writeUInt32BE(first, at)
    if (second >= 0) slab.writeUInt32BE(second, at + 4)
    this.header(length, type, frameFlags, streamId)
  }

  /** A frame with these bytes as payload, at most one frame's worth of them. */
  bytes(type: number, frameFlags: number, streamId: number, payload: Buffer, start = 0, end = payload.length): void {
    const slab = this.reserve(frameHeaderSize + end - start)
    payload.copy(slab, this.#used + frameHeaderSize, start, end)
    this.header(end - start, type, frameFlags, streamId)
  }

  /** Bytes that are no frame. */
  raw(bytes: Buffer): void {
    bytes.copy(this.reserve(bytes.length), this.#used)
    this.#used += bytes.length
    this.#openStream = 0
  }

  /** DATA frames of bytes that are valid only now. */
  data(streamId: number, chunk: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += defaultFrameSize)
      this.bytes(frameTypes.data, 0, streamId, chunk, at, Math.min(end, at + defaultFrameSize))
    this.#openStream = streamId
  }

  /** The HEADERS frame of a block that stands `length` bytes long behind the room for its frame header. */
  headers(streamId: number, length: number): void {
    this.header(length, frameTypes.headers, flags.endHeaders, streamId)
    this.#openStream = streamId
  }

  /** Ends a stream: with the frame that was written last if it is of this stream, else with an empty one. */
  endStream(streamId: number): void {
    if (this.#openStream === streamId) {
      ;(this.#slab as Buffer)[this.#lastFrame + 4]! |= flags.endStream
      this.#openStream = 0
      return
    }
    this.reserve(frameHeaderSize)
    this.header(0, frameTypes.data, flags.endStream, streamId)
  }

  flush(): void {
    const slab = this.#slab
    if (slab === null) return
    const length = this.#used
    this.#slab = null
    this.#used = 0
    this.#openStream = 0
    if (this.#socket.destroyed) release(slab)
    else if (length > stringLimit) this.#full = !this.#socket.write(slab.subarray(0, length), () => release(slab))
    else {
      this.#writeText(slab.latin1Slice(0, length))
      release(slab)
    }
  }

  #writeText(text: string): void {
    const result = this.#direct === null || this.#pending ? 'refused' : this.#direct(this.#socket, text, this)
    if (result === 'refused') this.#full = !this.#socket.write(text, 'latin1')
    else if (result === 'pending') this.#pending = true
  }

  onWritten(): void {
    this.#pending = false
  }
}
