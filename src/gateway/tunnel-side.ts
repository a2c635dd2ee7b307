import type { RawStream } from '#http/message'
import { FrameReader, type FrameRules, type FrameSink } from '#http/websocket/frame-reader'
import { closeFrame, pingFrame } from '#http/websocket/frames'
import { opcodes } from '#http/websocket/opcodes'

/** What one side of a tunnel tells the whole. */
export interface TunnelEvents {
  /** Coarse monotonic milliseconds. */
  readonly now: number
  /** A message of `side` begins; a close code other than 0 refuses it. */
  onMessage(side: TunnelSide): number
  /** The close frame of `side` came (0), or what it sent is refused with a close code. */
  onLast(side: TunnelSide, refused: number): void
}

/** Marks the gateway's own pings: their pongs go no further, since nobody else asked for them. */
const pingPayload = Buffer.from('portico!')

/** One end of a tunnel: reads the frames that come from there, and sends it those of the other side and our own. */
export class TunnelSide implements FrameSink {
  readonly stream: RawStream
  readonly reader: FrameReader
  /** When the last byte came from here. */
  heardAt: number
  /** When we asked whether it is still there; 0 when there is no question open. */
  pingedAt = 0
  /** A close frame went to this side: nothing may follow it (RFC 6455 §5.5.1). */
  closeSent = false
  /** Its own close frame came, or it can no longer be understood. */
  closeCame = false
  /** It sent the end of its stream. */
  finished = false
  /** It got the end of ours. */
  ended = false
  gone = false
  /** It is not read, because the other side does not take more. */
  paused = false
  #other: TunnelSide | null = null
  /** Frames of our own that wait until the frame on its way to this side is whole. */
  #waiting: Buffer[] = []
  /** The last of them says goodbye. */
  #closing = false
  readonly #server: boolean
  readonly #events: TunnelEvents

  /** `server` is the side of the upstream: what goes there is masked, what comes from there is not. */
  constructor(stream: RawStream, server: boolean, rules: Omit<FrameRules, 'masked'>, events: TunnelEvents) {
    this.stream = stream
    this.#server = server
    this.#events = events
    this.heardAt = events.now
    this.reader = new FrameReader({ ...rules, masked: !server }, this)
    stream.onData = chunk => this.#receive(chunk)
    stream.onDrain = () => this.#other?.resume()
  }

  join(other: TunnelSide): void {
    this.#other = other
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    // Not being read is not being silent.
    this.heardAt = this.#events.now
    this.stream.resume()
  }

  ping(): void {
    this.pingedAt = this.#events.now
    this.#send(pingFrame(pingPayload, this.#server))
  }

  close(code: number, reason: string): void {
    this.#send(closeFrame(code, reason, this.#server), true)
  }

  // ---- FrameSink

  onBytes(bytes: Buffer): void {
    const to = this.#other as TunnelSide
    if (to.closeSent || to.gone || to.stream.write(bytes)) return
    this.paused = true
    this.stream.pause()
  }

  onMessage(): number {
    return this.#events.onMessage(this)
  }

  onControl(opcode: number, payload: Buffer): boolean {
    if (opcode === opcodes.close) this.closeCame = true
    return opcode !== opcodes.pong || this.pingedAt === 0 || !payload.equals(pingPayload)
  }

  // ---- frames in and out

  #receive(chunk: Buffer): void {
    this.heardAt = this.#events.now
    const { remaining } = this.reader
    // What waits for the end of this frame must not wait for that of the next.
    if ((this.#other as TunnelSide).#waiting.length > 0 && remaining > 0 && remaining < chunk.length) {
      this.#read(chunk.subarray(0, remaining))
      this.#read(chunk.subarray(remaining))
    } else this.#read(chunk)
    this.pingedAt = 0
  }

  #read(chunk: Buffer): void {
    const ended = this.reader.ended
    const refused = this.reader.read(chunk)
    const other = this.#other as TunnelSide
    if (!ended && this.reader.ended) this.#events.onLast(this, refused)
    if (other.#waiting.length > 0) other.#flush()
  }

  #send(frame: Buffer, last = false): void {
    if (this.closeSent || this.#closing || this.gone) return
    this.#waiting.push(frame)
    this.#closing = last
    this.#flush()
  }

  #flush(): void {
    if ((this.#other as TunnelSide).reader.remaining > 0) return
    // The goodbye of the other side may have come first.
    if (!this.closeSent) for (const frame of this.#waiting) this.stream.write(frame)
    this.#waiting = []
    if (this.#closing) this.closeSent = true
  }
}
