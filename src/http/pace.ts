import type { ByteSocket } from './byte-socket.ts'
import { takenBytes, waitsForPeer } from './unsent.ts'

/** Bytes per second that a peer must at least send or take, averaged over `grace` milliseconds; 0 asks for nothing. */
export type PaceRules = { readonly request: number; readonly response: number; readonly grace: number }

/** One direction of one connection: whether it moved fast enough while something should have moved. */
export class Pace {
  #since = -1
  #bytes = 0

  /**
   * True when less than `rate` bytes per second have moved for `grace` milliseconds or longer, by more than `slack` bytes.
   * `bytes` counts what moved so far, or is -1 while nothing is waited for, which begins afresh. To be called about every
   * second.
   */
  tooSlow(bytes: number, { rate, grace, slack = 0 }: PaceLimit, now: number): boolean {
    if (bytes < 0 || rate === 0) {
      this.#since = -1
      return false
    }
    const elapsed = now - this.#since
    const moved = bytes - this.#bytes
    // Fewer bytes than before: the count is that of another message.
    if (this.#since >= 0 && moved >= 0) {
      if (elapsed < grace) return false
      const missing = (rate * elapsed) / 1000 - moved
      if (missing > 0) return missing > slack
    }
    this.#since = now
    this.#bytes = bytes
    return false
  }
}

type PaceLimit = { readonly rate: number; readonly grace: number; readonly slack?: number }

/**
 * What a socket takes comes in lumps: the kernel asks for more when a third of its buffer is free, and that may be a
 * megabyte. A peer is not slow for what waits in there.
 */
const kernelSlack = 1_048_576

/** How fast the peer of one socket sends what is waited for and takes what is written. */
export class SocketPace {
  readonly #socket: ByteSocket
  readonly #request = new Pace()
  readonly #response = new Pace()
  /** Bytes taken at the last look. */
  #taken = -1

  constructor(socket: ByteSocket) {
    this.#socket = socket
  }

  /** Something was written that the peer has yet to take. */
  note(): void {
    this.#taken = takenBytes(this.#socket)
  }

  /** Whether the peer has taken some of what waits since the last look. */
  takes(): boolean {
    const before = this.#taken
    this.note()
    return waitsForPeer(this.#socket) && this.#taken > before
  }

  /** Which direction is too slow. `received` are the bytes of the message that is waited for, -1 when none is. */
  judge(rules: PaceRules, received: number, now: number): 'request' | 'response' | null {
    const { grace, request, response } = rules
    const taken = waitsForPeer(this.#socket) ? Math.max(0, takenBytes(this.#socket)) : -1
    if (this.#response.tooSlow(taken, { rate: response, grace, slack: kernelSlack }, now)) return 'response'
    return this.#request.tooSlow(received, { rate: request, grace }, now) ? 'request' : null
  }
}
