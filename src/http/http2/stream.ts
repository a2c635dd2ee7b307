import type { HeaderList } from '../headers.ts'
import { errorCodes } from './error-codes.ts'
import { defaultFrameSize, maxWindow } from './frames.ts'
import type { Session } from './session.ts'

/** Bytes that a peer may send on a stream before somebody has taken them (RFC 9113 §5.2). */
export const streamWindow = 262_144

/**
 * One stream of a connection (RFC 9113 §5): windows both ways, what waits for them, and the two ends. Bodies of both
 * sides, requests and responses, go through here.
 */
export abstract class Stream {
  /** 0 until the stream is opened. */
  id = 0
  /** Bytes that may still be sent; negative after the peer made its initial window smaller. */
  sendWindow = 0
  localEnded = false
  remoteEnded = false
  /** No longer known to the session. */
  closed = false
  #receiveWindow = streamWindow
  #unacknowledged = 0
  /** DATA that waits for windows, and how much of the first piece has gone. */
  #queue: Buffer[] | null = null
  #queueOffset = 0
  #ending = false
  #endTrailers: HeaderList | null = null
  /** DATA that arrived while nobody took it. */
  #held: Buffer[] = []
  #heldBytes = 0
  #paused = false
  #endHeld = false
  #trailers: HeaderList | null = null

  /** The connection it is on. */
  abstract get session(): Session

  /** Takes its place on a connection. */
  protected open(id: number): void {
    this.id = id
    this.sendWindow = this.session.peerWindow
    this.session.streams.set(id, this)
  }

  /** Whether somebody is there to take the body. */
  protected abstract get taken(): boolean
  protected abstract deliver(chunk: Buffer): void
  protected abstract deliverEnd(trailers: HeaderList | null): void
  /** Everything written has been handed to the socket after `sendBody` returned false. */
  protected abstract onSendable(): void
  /** What was written waits for the peer; told again with false when it moved. */
  protected abstract onStalled(stalled: boolean): void
  /** The stream is over because of the peer (`code` of RST_STREAM), a mistake in it, or its connection (-1). */
  abstract onReset(code: number): void

  // ---- receiving

  /** A DATA frame; `flow` counts its padding too. The caller has checked what the frame means for HTTP. */
  receiveData(bytes: Buffer, start: number, end: number, flow: number): void {
    this.#receiveWindow -= flow
    if (this.#receiveWindow < 0) {
      this.session.consumed(flow)
      this.session.failStream(this, errorCodes.flowControlError)
      return
    }
    if (end === start) this.#consumed(flow)
    else if (this.taken && !this.#paused && this.#held.length === 0) {
      this.#consumed(flow)
      this.deliver(bytes.subarray(start, end))
    } else {
      this.#consumed(flow - (end - start))
      this.#held.push(Buffer.from(bytes.subarray(start, end)))
      this.#heldBytes += end - start
    }
  }

  receiveEnd(trailers: HeaderList | null): void {
    this.remoteEnded = true
    this.#endHeld = true
    this.#trailers = trailers
    if (this.taken) this.deliverHeld()
    this.closeIfEnded()
  }

  setPaused(paused: boolean): void {
    this.#paused = paused
    if (!paused && this.taken) this.deliverHeld()
  }

  protected get paused(): boolean {
    return this.#paused
  }

  /** Hands over what has been held back, as long as it is wanted. */
  protected deliverHeld(): void {
    while (this.#held.length > 0) {
      if (this.#paused || !this.taken) return
      const chunk = this.#held.shift() as Buffer
      this.#heldBytes -= chunk.length
      this.#consumed(chunk.length)
      this.deliver(chunk)
    }
    if (!this.#endHeld || this.#paused || !this.taken) return
    this.#endHeld = false
    this.deliverEnd(this.#trailers)
  }

  /** True when nothing has arrived that was not taken. */
  protected get nothingHeld(): boolean {
    return this.#heldBytes === 0 && !this.#endHeld
  }

  #consumed(bytes: number): void {
    if (bytes === 0) return
    this.session.consumed(bytes)
    if (this.remoteEnded) return
    this.#unacknowledged += bytes
    if (this.#unacknowledged < streamWindow / 2) return
    this.session.sendWindowUpdate(this.id, this.#unacknowledged)
    this.#receiveWindow += this.#unacknowledged
    this.#unacknowledged = 0
  }

  // ---- sending

  /** Sends bytes that are valid only now, or keeps what no window allows yet; false asks to wait for `onSendable`. */
  protected sendBody(chunk: Buffer): boolean {
    const { session } = this
    let sent = 0
    if (this.#queue === null) {
      sent = Math.max(Math.min(chunk.length, this.sendWindow, session.sendWindow), 0)
      if (sent > 0) this.#sendData(chunk, 0, sent)
      if (sent === chunk.length) {
        if (!session.output.congested) return true
        session.sending.awaitRoom(this)
        this.onStalled(true)
        return false
      }
      this.#queue = []
      session.sending.hold(this)
      this.onStalled(true)
    }
    this.#queue.push(Buffer.from(chunk.subarray(sent)))
    return false
  }

  /** Ends this side, after everything that was written before. */
  protected sendEnd(trailers: HeaderList | null): void {
    if (this.#queue !== null) {
      this.#ending = true
      this.#endTrailers = trailers
      return
    }
    if (this.localEnded || this.closed) return
    this.localEnded = true
    if (trailers === null) this.session.output.endStream(this.id)
    else this.session.frames.fields(this.id, trailers, true)
    this.onLocalEnd()
    this.closeIfEnded()
  }

  /** The last byte of this side was handed to the socket. */
  protected onLocalEnd(): void {}

  /** Sends one frame's worth of what waits; false when nothing could move. */
  pump(): boolean {
    const queue = this.#queue
    if (queue === null) return false
    const first = queue[0] as Buffer
    const room = Math.min(this.sendWindow, this.session.sendWindow, defaultFrameSize)
    const size = Math.min(first.length - this.#queueOffset, room)
    if (size <= 0) return false
    this.#sendData(first, this.#queueOffset, this.#queueOffset + size)
    this.onStalled(true)
    this.#queueOffset += size
    if (this.#queueOffset < first.length) return true
    queue.shift()
    this.#queueOffset = 0
    if (queue.length > 0) return true
    this.#queue = null
    this.session.sending.forget(this)
    this.onStalled(false)
    if (this.#ending) this.sendEnd(this.#endTrailers)
    else this.onSendable()
    return true
  }

  /** The socket has taken what was written. */
  drained(): void {
    if (this.closed || this.#queue !== null) return
    this.onStalled(false)
    this.onSendable()
  }

  /** False when the window grew over its maximum (RFC 9113 §6.9.1). */
  growSendWindow(bytes: number): boolean {
    this.sendWindow += bytes
    return this.sendWindow <= maxWindow
  }

  #sendData(chunk: Buffer, start: number, end: number): void {
    const { session } = this
    this.sendWindow -= end - start
    session.sendWindow -= end - start
    session.output.data(this.id, chunk, start, end)
    session.usefulFrames(1)
  }

  // ---- the end

  closeIfEnded(): void {
    if (this.localEnded && this.remoteEnded && !this.closed) this.session.forget(this)
  }

  /** Called by the session when it forgets the stream: what is held is let go. */
  release(): void {
    this.closed = true
    this.#queue = null
    if (this.#heldBytes > 0 && !this.keepsHeld) {
      this.session.consumed(this.#heldBytes)
      this.#held.length = 0
      this.#heldBytes = 0
    }
  }

  /** Whether a body that has arrived wholly is still wanted after both sides ended. */
  protected get keepsHeld(): boolean {
    return false
  }
}
