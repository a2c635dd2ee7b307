import type { Output } from './output.ts'
import type { Stream } from './stream.ts'

/** The streams of a connection that have DATA to send and may not send it now, and whose turn it is. */
export class Sending {
  readonly #session: { readonly output: Output; readonly sendWindow: number }
  /** Streams that wait for a window; their turn comes in the order of the set. */
  readonly #held = new Set<Stream>()
  /** Streams that wait until the socket has taken what was written. */
  #waiting: Stream[] = []

  constructor(session: { readonly output: Output; readonly sendWindow: number }) {
    this.#session = session
    session.output.onRoom = () => this.#onRoom()
  }

  hold(stream: Stream): void {
    this.#held.add(stream)
  }

  forget(stream: Stream): void {
    this.#held.delete(stream)
  }

  awaitRoom(stream: Stream): void {
    this.#waiting.push(stream)
    this.#session.output.awaitRoom()
  }

  /** The window of one stream has grown. */
  pump(stream: Stream): void {
    if (!this.#held.has(stream)) return
    const { output } = this.#session
    while (!output.congested) if (!stream.pump()) return
    output.awaitRoom()
  }

  /** Gives every stream that is held one frame in turn, until nothing moves any more. */
  pumpAll(): void {
    const { output } = this.#session
    for (let moved = this.#held.size > 0; moved; ) {
      moved = false
      for (const stream of this.#held) {
        if (this.#session.sendWindow <= 0) return
        if (output.congested) {
          output.awaitRoom()
          return
        }
        if (stream.pump()) moved = true
      }
    }
  }

  #onRoom(): void {
    const streams = this.#waiting
    this.#waiting = []
    this.pumpAll()
    for (const stream of streams) stream.drained()
  }
}
