import type { ByteSocket } from '../byte-socket.ts'
import type { TimerWheel } from '../timer-wheel.ts'
import { ConnectionError, errorCodes, protocolError } from './error-codes.ts'
import { FloodGuard } from './flood-guard.ts'
import { FrameReader, type FrameSink } from './frame-reader.ts'
import { FrameWriter } from './frame-writer.ts'
import { defaultFrameSize, defaultWindow, flags, frameTypes, maxStreamId, maxWindow, settingIds } from './frames.ts'
import { HeaderBlock } from './header-block.ts'
import { HpackDecoder } from './hpack-decoder.ts'
import { Output } from './output.ts'
import { Sending } from './sending.ts'
import type { Stream } from './stream.ts'

/** Bytes of all streams together that a peer may send before somebody has taken them. */
const connectionWindow = 1_048_576
/** Streams that were reset here lately: what is still under way for them is not a mistake of the peer. */
const maxRemembered = 256
/** Unsent bytes above which nothing more is read: a peer that takes no answers gets no more questions answered. */
const readingStops = 1_048_576

/** What costs how much of the budget of control frames; other frames cost one. */
const settingsCost = 50
const pingCost = 4
const emptyDataCost = 20

/** One HTTP/2 connection: frames, tables, windows, and the streams on it. Each side adds what it does with them. */
export abstract class Session implements FrameSink {
  readonly socket: ByteSocket
  readonly output: Output
  readonly streams = new Map<number, Stream>()
  readonly decoder = new HpackDecoder()
  readonly frames: FrameWriter
  protected readonly wheel: TimerWheel
  protected readonly reader = new FrameReader()
  protected readonly block: HeaderBlock
  readonly #control: FloodGuard
  /** Bytes that may still be sent on the connection, and the initial window of its streams. */
  sendWindow = defaultWindow
  peerWindow = defaultWindow
  peerMaxStreams = Number.POSITIVE_INFINITY
  peerConnectProtocol = false
  #settled = false
  #receiveWindow = defaultWindow
  #unacknowledged = 0
  readonly sending: Sending
  readonly #resetHere = new Set<number>()
  protected closing = false

  constructor(socket: ByteSocket, wheel: TimerWheel, maxBlock: number, direct: boolean) {
    this.socket = socket
    this.wheel = wheel
    this.#control = new FloodGuard('control frames', 20_000, 5_000, wheel.now)
    this.block = new HeaderBlock(maxBlock)
    this.output = new Output(socket, direct)
    this.frames = new FrameWriter(this.output)
    this.sending = new Sending(this)
    socket.on('drain', () => this.#onDrain())
    socket.on('end', () => socket.destroy())
    socket.on('error', error => this.onSocketError(error))
    socket.on('close', () => this.onClose())
  }

  /** A whole field block; decoding it is up to the side, but it must be done. */
  protected abstract onHeaders(
    streamId: number,
    endStream: boolean,
    bytes: Buffer,
    start: number,
    end: number,
    size: number,
  ): void
  /** Whether a stream of this number has not been opened yet (RFC 9113 §5.1: idle). */
  protected abstract isIdle(streamId: number): boolean
  protected abstract onStreamReset(stream: Stream, code: number): void
  protected abstract onGoaway(lastStream: number, code: number): void
  protected abstract onPingAnswer(): void
  protected abstract onPeerSettings(first: boolean): void
  /** A stream is no longer known. */
  protected abstract onForget(): void
  protected abstract onClose(): void
  protected abstract onSocketError(error: Error): void
  /** All streams end because of this; the last thing before the connection closes. */
  protected abstract onConnectionError(error: ConnectionError): void
  /** DATA of a stream: checks its length, and hands it on. */
  protected abstract onData(
    stream: Stream,
    bytes: Buffer,
    start: number,
    end: number,
    flow: number,
    endStream: boolean,
  ): void

  // ---- bytes in

  /** Works on what was read; mistakes of the peer end the connection here. */
  protected read(bytes: Buffer, start: number, end: number): void {
    if (this.closing) return
    try {
      this.reader.feed(bytes, start, end, this)
    } catch (error) {
      this.closing = true
      this.onConnectionError(
        error instanceof ConnectionError ? error : new ConnectionError(errorCodes.internalError, 'Internal error'),
      )
      return
    }
    if (this.output.waiting > readingStops) this.socket.pause()
  }

  onFrame(type: number, frameFlags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (this.closing) return
    const { block } = this
    if (block.open && (type !== frameTypes.continuation || streamId !== block.streamId))
      throw protocolError('A field block is interrupted')
    if (!this.#settled && (type !== frameTypes.settings || (frameFlags & flags.ack) !== 0))
      throw protocolError('The first frame is not SETTINGS')
    const length = end - start
    switch (type) {
      case frameTypes.data:
        this.#onDataFrame(frameFlags, streamId, bytes, start, end)
        break
      case frameTypes.headers:
        this.#onHeadersFrame(frameFlags, streamId, bytes, start, end)
        break
      case frameTypes.continuation:
        if (!block.open) throw protocolError('CONTINUATION without HEADERS')
        block.add(bytes, start, end)
        if ((frameFlags & flags.endHeaders) !== 0) this.#endBlock()
        break
      case frameTypes.priority:
        this.#spend(1)
        if (streamId === 0) throw protocolError('PRIORITY on stream 0')
        if (length !== 5) throw new ConnectionError(errorCodes.frameSizeError, 'PRIORITY has a wrong size')
        if ((bytes.readUInt32BE(start) & maxStreamId) === streamId) throw protocolError('A stream depends on itself')
        break
      case frameTypes.rstStream:
        if (length !== 4) throw new ConnectionError(errorCodes.frameSizeError, 'RST_STREAM has a wrong size')
        this.#onRstStream(streamId, bytes.readUInt32BE(start))
        break
      case frameTypes.settings:
        this.#onSettings(frameFlags, streamId, bytes, start, end)
        break
      case frameTypes.pushPromise:
        throw protocolError('PUSH_PROMISE is not allowed here')
      case frameTypes.ping:
        if (streamId !== 0) throw protocolError('PING on a stream')
        if (length !== 8) throw new ConnectionError(errorCodes.frameSizeError, 'PING has a wrong size')
        this.#spend(pingCost)
        if ((frameFlags & flags.ack) !== 0) this.onPingAnswer()
        else this.output.bytes(frameTypes.ping, flags.ack, 0, bytes, start, end)
        break
      case frameTypes.goaway:
        if (streamId !== 0) throw protocolError('GOAWAY on a stream')
        if (length < 8) throw new ConnectionError(errorCodes.frameSizeError, 'GOAWAY has a wrong size')
        this.onGoaway(bytes.readUInt32BE(start) & maxStreamId, bytes.readUInt32BE(start + 4))
        break
      case frameTypes.windowUpdate:
        if (length !== 4) throw new ConnectionError(errorCodes.frameSizeError, 'WINDOW_UPDATE has a wrong size')
        this.#onWindowUpdate(streamId, bytes.readUInt32BE(start) & maxWindow)
        break
      default:
        // RFC 9113 §5.5: frames of unknown types are ignored.
        this.#spend(1)
    }
  }

  #spend(cost: number): void {
    this.#control.spend(this.wheel.now, cost)
  }

  /** Frames that carry something pay for the control frames that go with them. */
  usefulFrames(count: number): void {
    this.#control.refund(2 * count)
  }

  #onDataFrame(frameFlags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    if (streamId === 0) throw protocolError('DATA on stream 0')
    let start = from
    let end = to
    if ((frameFlags & flags.padded) !== 0) {
      if (end === start) throw new ConnectionError(errorCodes.frameSizeError, 'DATA has no room for its padding')
      const padding = bytes[start++] as number
      if (padding > end - start) throw protocolError('DATA has more padding than room')
      end -= padding
    }
    const flow = to - from
    const endStream = (frameFlags & flags.endStream) !== 0
    this.#receiveWindow -= flow
    if (this.#receiveWindow < 0)
      throw new ConnectionError(errorCodes.flowControlError, 'DATA exceeds the window of the connection')
    if (start === end && !endStream) this.#spend(emptyDataCost)
    else this.usefulFrames(1)
    const stream = this.streams.get(streamId)
    if (stream === undefined || stream.remoteEnded) {
      this.consumed(flow)
      if (this.isIdle(streamId)) throw protocolError('DATA on an idle stream')
      if (stream !== undefined) this.failStream(stream, errorCodes.streamClosed)
      else if (!this.#resetHere.has(streamId)) this.#onClosedStream(streamId)
      return
    }
    this.onData(stream, bytes, start, end, flow, endStream)
  }

  /** RFC 9113 §5.1: a frame on a stream that has ended both ways. */
  #onClosedStream(streamId: number): void {
    this.#spend(emptyDataCost)
    this.resetStream(streamId, errorCodes.streamClosed)
  }

  #onHeadersFrame(frameFlags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    if (streamId === 0) throw protocolError('HEADERS on stream 0')
    let start = from
    let end = to
    if ((frameFlags & flags.padded) !== 0) {
      if (end === start) throw new ConnectionError(errorCodes.frameSizeError, 'HEADERS has no room for its padding')
      end -= bytes[start++] as number
    }
    let selfDependent = false
    if ((frameFlags & flags.priority) !== 0) {
      if (end - start < 5) throw new ConnectionError(errorCodes.frameSizeError, 'HEADERS has no room for its priority')
      selfDependent = (bytes.readUInt32BE(start) & maxStreamId) === streamId
      start += 5
    }
    if (end < start) throw protocolError('HEADERS has more padding than room')
    const endStream = (frameFlags & flags.endStream) !== 0
    if ((frameFlags & flags.endHeaders) !== 0) this.onHeaders(streamId, endStream, bytes, start, end, end - start)
    else this.block.begin(streamId, endStream, bytes, start, end)
    if (!selfDependent) return
    const stream = this.streams.get(streamId)
    if (stream === undefined) this.resetStream(streamId, errorCodes.protocolError)
    else this.failStream(stream, errorCodes.protocolError)
  }

  #endBlock(): void {
    const { streamId, endStream } = this.block
    const bytes = this.block.end()
    this.onHeaders(streamId, endStream, bytes, 0, bytes.length, bytes.length)
  }

  #onRstStream(streamId: number, code: number): void {
    if (streamId === 0) throw protocolError('RST_STREAM on stream 0')
    if (this.isIdle(streamId)) throw protocolError('RST_STREAM on an idle stream')
    const stream = this.streams.get(streamId)
    if (stream === undefined) this.#spend(1)
    else this.onStreamReset(stream, code)
  }

  #onSettings(frameFlags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw protocolError('SETTINGS on a stream')
    const length = end - start
    if ((frameFlags & flags.ack) !== 0) {
      if (length !== 0) throw new ConnectionError(errorCodes.frameSizeError, 'An acknowledgement has a payload')
      return
    }
    if (length % 6 !== 0) throw new ConnectionError(errorCodes.frameSizeError, 'SETTINGS has a wrong size')
    this.#spend(settingsCost)
    for (let at = start; at < end; at += 6) this.#applySetting(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2))
    this.frames.acknowledgeSettings()
    const first = !this.#settled
    this.#settled = true
    this.onPeerSettings(first)
    this.sending.pumpAll()
  }

  #applySetting(id: number, value: number): void {
    switch (id) {
      case settingIds.headerTableSize:
        this.frames.encoder.limit(value)
        break
      case settingIds.enablePush:
        if (value > 1) throw protocolError('ENABLE_PUSH is neither 0 nor 1')
        break
      case settingIds.maxConcurrentStreams:
        this.peerMaxStreams = value
        break
      case settingIds.initialWindowSize: {
        if (value > maxWindow) throw new ConnectionError(errorCodes.flowControlError, 'The initial window is too large')
        const change = value - this.peerWindow
        this.peerWindow = value
        for (const stream of this.streams.values())
          if (!stream.growSendWindow(change))
            throw new ConnectionError(errorCodes.flowControlError, 'The window of a stream became too large')
        break
      }
      case settingIds.maxFrameSize:
        if (value < defaultFrameSize || value > 16_777_215) throw protocolError('MAX_FRAME_SIZE is out of range')
        break
      case settingIds.enableConnectProtocol:
        if (value > 1) throw protocolError('ENABLE_CONNECT_PROTOCOL is neither 0 nor 1')
        this.peerConnectProtocol = value === 1
        break
    }
  }

  #onWindowUpdate(streamId: number, bytes: number): void {
    this.#spend(1)
    if (streamId === 0) {
      if (bytes === 0) throw protocolError('A window grows by nothing')
      this.sendWindow += bytes
      if (this.sendWindow > maxWindow)
        throw new ConnectionError(errorCodes.flowControlError, 'The window of the connection became too large')
      this.sending.pumpAll()
      return
    }
    if (this.isIdle(streamId)) throw protocolError('WINDOW_UPDATE on an idle stream')
    const stream = this.streams.get(streamId)
    if (stream === undefined) return
    if (bytes === 0) this.failStream(stream, errorCodes.protocolError)
    else if (!stream.growSendWindow(bytes)) this.failStream(stream, errorCodes.flowControlError)
    else this.sending.pump(stream)
  }

  // ---- windows

  /** Bytes of the connection's window were taken by somebody, or thrown away. */
  consumed(bytes: number): void {
    this.#unacknowledged += bytes
    if (this.#unacknowledged < connectionWindow / 2) return
    this.sendWindowUpdate(0, this.#unacknowledged)
    this.#receiveWindow += this.#unacknowledged
    this.#unacknowledged = 0
  }

  sendWindowUpdate(streamId: number, bytes: number): void {
    if (!this.socket.destroyed) this.output.numbers(frameTypes.windowUpdate, 0, streamId, bytes)
  }

  #onDrain(): void {
    this.socket.resume()
    this.output.drained()
  }

  // ---- frames out

  /** Says how this side wants to be spoken to (RFC 9113 §6.5), and opens the window of the connection. */
  protected sendSettings(settings: readonly (readonly [number, number])[]): void {
    this.frames.settings(settings)
    this.sendWindowUpdate(0, connectionWindow - defaultWindow)
    this.#receiveWindow = connectionWindow
  }

  /** RST_STREAM for a stream of that number; frames that still come for it are ignored. */
  resetStream(streamId: number, code: number): void {
    this.#resetHere.add(streamId)
    if (this.#resetHere.size > maxRemembered)
      for (const oldest of this.#resetHere) {
        this.#resetHere.delete(oldest)
        break
      }
    if (!this.socket.destroyed) this.output.numbers(frameTypes.rstStream, 0, streamId, code)
  }

  wasResetHere(streamId: number): boolean {
    return this.#resetHere.has(streamId)
  }

  /** Resets a stream because of what its peer did, and tells whoever works on it. */
  failStream(stream: Stream, code: number): void {
    this.resetStream(stream.id, code)
    this.forget(stream)
    stream.onReset(code)
  }

  forget(stream: Stream): void {
    if (stream.closed) return
    this.streams.delete(stream.id)
    this.sending.forget(stream)
    stream.release()
    this.onForget()
  }
}
