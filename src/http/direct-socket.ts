import { EventEmitter } from 'node:events'
import type { ByteSocket } from './byte-socket.ts'
import type { OnBytes } from './socket-reading.ts'
import { type StreamHandle, type StreamWrap, statusError } from './stream-wrap.ts'

/** As in Node's streams: above it `write` says false, and `drain` follows. */
const highWater = 65_536
const endOfFile = -4095

/**
 * An accepted connection without the two streams that `net.Socket` is: a fifth of the memory and of the work to make
 * one, and nothing between a read and the parser. Behaves as a `net.Socket` with `allowHalfOpen` would.
 */
export class DirectSocket extends EventEmitter implements ByteSocket {
  /** As in `net.Socket`: the handle, null when closed; small writes go to it at once (direct-write.ts). */
  _handle: StreamHandle | null
  writableLength = 0
  destroyed = false
  readonly connecting = false
  readonly #wrap: StreamWrap
  readonly #onBytes: OnBytes
  readonly #buffer: Buffer
  #corked: unknown[] | null = null
  #needsDrain = false
  #ending = false
  #ended = false
  #endRead = false
  #destroyWhenEnded = false
  #peer: { address?: string; port?: number } | null = null

  /** `noDelay` is for a handle that has not inherited it from its listener. */
  constructor(wrap: StreamWrap, handle: StreamHandle, buffer: Buffer, onBytes: OnBytes, noDelay = true) {
    super()
    this.#wrap = wrap
    this._handle = handle
    this.#buffer = buffer
    this.#onBytes = onBytes
    if (noDelay) handle.setNoDelay(true)
    handle.useUserBuffer(buffer)
    handle.onread = () => this.#onRead()
    handle.readStart()
  }

  get remoteAddress(): string | undefined {
    return this.#peerName().address
  }

  get remotePort(): number | undefined {
    return this.#peerName().port
  }

  #peerName(): { address?: string; port?: number } {
    if (this.#peer === null) {
      this.#peer = {}
      this._handle?.getpeername(this.#peer)
    }
    return this.#peer
  }

  get bytesWritten(): number {
    return this._handle?.bytesWritten ?? 0
  }

  // ---- reading

  #onRead(): void {
    const length = this.#wrap.streamBaseState[this.#wrap.kReadBytesOrError] as number
    if (length > 0) {
      if (!this.destroyed) this.#onBytes(this.#buffer, length)
    } else if (length === endOfFile) this.#onEnd()
    else if (length < 0) this.destroy(statusError(length, 'read'))
  }

  #onEnd(): void {
    if (this.#endRead || this.destroyed) return
    this.#endRead = true
    this._handle?.readStop()
    this.emit('end')
    if (this.#ended) this.destroy()
  }

  pause(): void {
    this._handle?.readStop()
  }

  resume(): void {
    if (!this.#endRead) this._handle?.readStart()
  }

  // ---- writing

  write(data: string | Uint8Array, encodingOrWritten?: 'latin1' | (() => void)): boolean {
    const written = typeof encodingOrWritten === 'function' ? encodingOrWritten : null
    if (this.destroyed || this.#ending) {
      written?.()
      return false
    }
    if (this.#corked !== null) {
      this.#corked.push(data, written)
      this.writableLength += data.length
    } else this.#send(data, written)
    return this.#accepts()
  }

  #accepts(): boolean {
    if (this.writableLength < highWater) return true
    this.#needsDrain = true
    return false
  }

  #send(data: string | Uint8Array, written: (() => void) | null): void {
    const handle = this._handle as StreamHandle
    const request = new this.#wrap.WriteWrap()
    const status =
      typeof data === 'string' ? handle.writeLatin1String(request, data) : handle.writeBuffer(request, data)
    this.#sent(request, status, data.length, data, written)
  }

  /** `data` is kept in the closure until the kernel has it. */
  #sent(
    request: InstanceType<StreamWrap['WriteWrap']>,
    status: number,
    length: number,
    data: unknown,
    written: (() => void) | null,
  ): void {
    if (status !== 0) {
      written?.()
      this.destroy(statusError(status, 'write'))
      return
    }
    if (this.#wrap.streamBaseState[this.#wrap.kLastWriteWasAsync] === 0) {
      written?.()
      return
    }
    this.writableLength += length
    request.handle = data
    request.oncomplete = late => {
      this.writableLength -= length
      written?.()
      if (late < 0) this.destroy(statusError(late, 'write'))
      else this.#onWritten()
    }
  }

  #onWritten(): void {
    if (this.destroyed || this.writableLength > 0) return
    if (this.#needsDrain) {
      this.#needsDrain = false
      this.emit('drain')
    }
  }

  cork(): void {
    this.#corked ??= []
  }

  uncork(): void {
    const corked = this.#corked
    this.#corked = null
    if (corked === null || corked.length === 0) return
    const chunks: unknown[] = []
    const callbacks: (() => void)[] = []
    let length = 0
    for (let i = 0; i < corked.length; i += 2) {
      const data = corked[i] as string | Uint8Array
      length += data.length
      chunks.push(data, typeof data === 'string' ? 'latin1' : 'buffer')
      if (corked[i + 1] !== null) callbacks.push(corked[i + 1] as () => void)
    }
    this.writableLength -= length
    const written =
      callbacks.length === 0
        ? null
        : () => {
            for (const callback of callbacks) callback()
          }
    if (this._handle === null) {
      written?.()
      return
    }
    const request = new this.#wrap.WriteWrap()
    this.#sent(request, this._handle.writev(request, chunks, false), length, chunks, written)
  }

  // ---- the end

  end(): void {
    if (this.#ending || this._handle === null) return
    if (this.#corked !== null) this.uncork()
    const handle = this._handle
    if (handle === null) return
    this.#ending = true
    const request = new this.#wrap.ShutdownWrap()
    request.handle = handle
    request.oncomplete = () => this.#onEnded()
    const status = handle.shutdown(request)
    // 1: the handle did it at once. Not connected any more: there is nobody to tell.
    if (status !== 0) process.nextTick(() => this.#onEnded())
  }

  #onEnded(): void {
    this.#ended = true
    if (this.#endRead || this.#destroyWhenEnded) this.destroy()
  }

  destroySoon(): void {
    this.#destroyWhenEnded = true
    if (this.#ended) this.destroy()
    else this.end()
  }

  destroy(error?: Error): void {
    const handle = this._handle
    if (handle === null) return
    this.#release(handle)
    handle.close(() => this.#onClosed(error))
  }

  resetAndDestroy(): void {
    const handle = this._handle
    if (handle === null) return
    this.#release(handle)
    if (handle.reset(() => this.#onClosed()) !== 0) handle.close(() => this.#onClosed())
  }

  #release(handle: StreamHandle): void {
    this.destroyed = true
    this._handle = null
    this.#corked = null
    handle.onread = () => {}
  }

  #onClosed(error?: Error): void {
    if (error !== undefined) this.emit('error', error)
    this.emit('close')
  }
}
