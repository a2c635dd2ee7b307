import type { RawStream } from '../message.ts'

/** What a tunnel does with its stream. */
export type TunnelEnds = {
  write(chunk: Buffer): boolean
  end(): void
  setReading(reading: boolean): void
  destroy(): void
}

/** The DATA of a stream as raw bytes after an extended CONNECT (RFC 8441 §5). */
export class StreamTunnel implements RawStream {
  onData: ((chunk: Buffer) => void) | null = null
  onEnd: (() => void) | null = null
  onClose: (() => void) | null = null
  onDrain: (() => void) | null = null
  readonly #ends: TunnelEnds

  constructor(ends: TunnelEnds) {
    this.#ends = ends
  }

  write(chunk: Buffer): boolean {
    return this.#ends.write(chunk)
  }

  end(): void {
    this.#ends.end()
  }

  pause(): void {
    this.#ends.setReading(false)
  }

  resume(): void {
    this.#ends.setReading(true)
  }

  destroy(): void {
    this.#ends.destroy()
  }
}
