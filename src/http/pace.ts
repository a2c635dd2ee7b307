import type { ByteSocket } from './byte-socket.ts'
import { unsentBytes } from './unsent.ts'

/** Bytes per second that a peer must at least send or take, averaged over `grace` milliseconds; 0 asks for nothing. */
export type PaceRules = { readonly request: number; readonly response: number; readonly grace: number }

/** One direction of one connection: whether it moved fast enough while something should have moved. */
export class Pace {
  #since = -1
  #bytes = 0

  /**
   * True when less than `rate` bytes per second have moved for `grace` milliseconds. `bytes` counts what moved so far, or
   * is -1 while nothing is waited for, which begins afresh. To be called about every second.
   */
  tooSlow(bytes: number, rate: number, grace: number, now: number): boolean {
    if (bytes < 0 || rate === 0) {
      this.#since = -1
      return false
    }
    const elapsed = now - this.#since
    const moved = bytes - this.#bytes
    // Fewer bytes than before: the count is that of another message.
    if (this.#since >= 0 && moved >= 0) {
      if (elapsed < grace) return false
      if (moved * 1000 < rate * elapsed) return true
    }
    this.#since = now
    this.#bytes = bytes
    return false
  }
}

/** How fast the peer of one socket sends what is waited for and takes what is written. */
export class SocketPace {
  readonly #socket: ByteSocket
  readonly #request = new Pace()
  readonly #response = new Pace()
  /** Unsent bytes at the last look. */
  #unsent = Number.POSITIVE_INFINITY

  constructor(socket: ByteSocket) {
    this.#socket = socket
  }

  /** Something was written that the peer has yet to take. */
  note(): void {
    this.#unsent = unsentBytes(this.#socket)
  }

  /** Whether the peer has taken some of what waits since the last look. */
  takes(): boolean {
    const before = this.#unsent
    this.note()
    return this.#unsent > 0 && this.#unsent < before
  }

  /** Which direction is too slow. `received` are the bytes of the message that is waited for, -1 when none is. */
  judge(rules: PaceRules, received: number, now: number): 'request' | 'response' | null {
    const { grace, request, response } = rules
    const unsent = unsentBytes(this.#socket)
    const taken = unsent > 0 ? this.#socket.bytesWritten - unsent : -1
    if (this.#response.tooSlow(taken, response, grace, now)) return 'response'
    return this.#request.tooSlow(received, request, grace, now) ? 'request' : null
  }
}
