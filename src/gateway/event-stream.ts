import type { GatewayError } from '#base/errors'
import { getHeader, type HeaderList } from '#http/headers'
import { Timer } from '#http/timer-wheel'
import type { GatewayCall } from './gateway-call.ts'
import type { LongCall } from './long-calls.ts'

const carriageReturn = 13
const lineFeed = 10
const isLineEnd = (byte: number): boolean => byte === lineFeed || byte === carriageReturn

const comment = Buffer.from(':\n\n')
/** A call that is no longer allowed ends within this time, even in the middle of an event. */
const revokeMs = 1000

/** Whether a response is a stream of server-sent events whose bytes can be read as they are (HTML standard §9.2). */
export const isEventStream = (headers: HeaderList): boolean => {
  const type = getHeader(headers, 'content-type')
  if (type === undefined || !/^text\/event-stream *(;|$)/i.test(type)) return false
  return getHeader(headers, 'content-encoding') === undefined
}

/** Watches a stream of server-sent events for the places between two events, where it may end and where others may speak. */
export class EventStream implements LongCall {
  readonly call: GatewayCall
  readonly #heartbeat: number
  readonly #end: () => void
  readonly #timer = new Timer(() => this.#onTimer())
  /** The last three bytes; as if an event had just ended at the start. */
  #a = lineFeed
  #b = lineFeed
  #c = lineFeed
  #ending = false
  #revoked: GatewayError | null = null

  /** `end` ends the answer as if the upstream had. */
  constructor(call: GatewayCall, end: () => void) {
    this.call = call
    this.#end = end
    this.#heartbeat = call.heartbeat
    call.snapshot.longCalls.add(this)
    this.#setTimer()
  }

  /** What of the bytes on their way to the client may go; call `passed` when they did. */
  pass(bytes: Buffer): Buffer {
    if (this.#ending) {
      for (let i = 0; i < bytes.length; i++) {
        this.#push(bytes[i] as number)
        if (this.#betweenEvents) return bytes.subarray(0, i + 1)
      }
      return bytes
    }
    for (let i = Math.max(bytes.length - 3, 0); i < bytes.length; i++) this.#push(bytes[i] as number)
    return bytes
  }

  passed(): void {
    if (this.#ending && this.#betweenEvents) this.#end()
    else this.#setTimer()
  }

  /** The answer is over, however it came to that. */
  close(): void {
    const { longCalls } = this.call.snapshot
    longCalls.wheel.remove(this.#timer)
    longCalls.remove(this)
  }

  /**
   * What an EventSource reads (always a GET) goes on elsewhere when it ends. The answer to a POST is one piece, as of a
   * language model, and gets its time like every other call.
   */
  goAway(): void {
    if (this.call.method === 'GET') this.#finish()
  }

  revoke(error: GatewayError): void {
    this.#revoked = error
    this.call.noteError(error)
    this.#finish()
    this.#setTimer()
  }

  #finish(): void {
    this.#ending = true
    if (this.#betweenEvents) this.#end()
  }

  /** A blank line has just ended an event; lines end with CR, LF or both. */
  get #betweenEvents(): boolean {
    if (!isLineEnd(this.#c)) return false
    return this.#c === lineFeed && this.#b === carriageReturn ? isLineEnd(this.#a) : isLineEnd(this.#b)
  }

  #push(byte: number): void {
    this.#a = this.#b
    this.#b = this.#c
    this.#c = byte
  }

  #setTimer(): void {
    const { wheel } = this.call.snapshot.longCalls
    if (this.#revoked !== null) wheel.set(this.#timer, revokeMs)
    else if (this.#heartbeat < Number.POSITIVE_INFINITY) wheel.set(this.#timer, this.#heartbeat)
  }

  #onTimer(): void {
    if (this.call.over) return
    if (this.#revoked !== null) {
      this.call.exchange.abort()
      return
    }
    if (this.#betweenEvents) this.call.exchange.write(comment)
    this.#setTimer()
  }
}
