/** What the engine needs of a connected socket: a part of `net.Socket`, so that one of Node's is one of these. */
export interface ByteSocket {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  /** Bytes that were written and that the kernel has not taken yet. */
  readonly writableLength: number
  /** All bytes that were written so far, also those that wait. */
  readonly bytesWritten: number
  readonly destroyed: boolean
  readonly connecting: boolean
  /** After `false`, `drain` comes when all has been taken. */
  write(text: string, encoding: 'latin1'): boolean
  /** The bytes belong to the socket until `written` is called. */
  write(bytes: Uint8Array, written?: () => void): boolean
  cork(): void
  uncork(): void
  pause(): unknown
  resume(): unknown
  /** FIN after what was written. */
  end(): unknown
  destroy(error?: Error): unknown
  /** Destroys it when what was written is out. */
  destroySoon(): void
  /** RST. */
  resetAndDestroy(): unknown
  on(event: 'drain' | 'end' | 'close', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
}
