import type { ByteSocket } from '../byte-socket.ts'
import type { RawStream } from '../message.ts'
import type { SocketWriter } from '../socket-writer.ts'

/** The bytes of a connection after it left HTTP (RFC 9110 §7.8). The owning connection feeds it what it reads. */
export class RawSocketStream implements RawStream {
  onData: ((chunk: Buffer) => void) | null = null
  onEnd: (() => void) | null = null
  onClose: (() => void) | null = null
  onDrain: (() => void) | null = null
  bytesIn = 0
  bytesOut = 0
  readonly #socket: ByteSocket
  readonly #writer: SocketWriter
  readonly #setReading: (reading: boolean) => void

  constructor(socket: ByteSocket, writer: SocketWriter, setReading: (reading: boolean) => void) {
    this.#socket = socket
    this.#writer = writer
    this.#setReading = setReading
  }

  write(chunk: Buffer): boolean {
    this.bytesOut += chunk.length
    return this.#writer.bytes('', chunk, '')
  }

  end(): void {
    this.#writer.end()
  }

  pause(): void {
    this.#setReading(false)
  }

  resume(): void {
    this.#setReading(true)
  }

  destroy(): void {
    // What was written in this turn counts as sent: the last message of a WebSocket, for example.
    this.#writer.flush()
    this.#socket.destroy()
  }
}
