import { monotonicMs } from '#base/clock'
import { GatewayError } from '#base/errors'
import type { HeaderList } from '#http/headers'
import type { RawStream } from '#http/message'
import { Timer } from '#http/timer-wheel'
import { closeCodes } from '#http/websocket/close-codes'
import { reservedBits } from '#http/websocket/handshake'
import type { GatewayCall } from './gateway-call.ts'
import type { LongCall } from './long-calls.ts'
import { type TunnelEvents, TunnelSide } from './tunnel-side.ts'

/** What a WebSocket may do; milliseconds and bytes, Infinity for no limit. */
export type WebSocketLimits = {
  /** Bytes of one message as sent (compressed, where that was negotiated), in both directions. */
  readonly maxMessage: number
  /** Messages of the client: `limit` at once, and again per `window`. */
  readonly rate: { readonly limit: number; readonly window: number } | null
  /** Without a message in either direction. */
  readonly idle: number
  /** How long a side may be silent before it is asked, and then again before it is given up. */
  readonly ping: number
}

const unlimited: WebSocketLimits = {
  maxMessage: Number.POSITIVE_INFINITY,
  rate: null,
  idle: Number.POSITIVE_INFINITY,
  ping: Number.POSITIVE_INFINITY,
}

/** How long the last bytes and the closing handshake of a side may take when the other one is over. */
const lingerMs = 5_000

/**
 * A WebSocket between a client and an upstream. Bytes go across as they come, with back-pressure both ways, while
 * both directions are watched, so that the gateway can say a word of its own between two frames: a ping, or goodbye.
 */
class Tunnel implements LongCall, TunnelEvents {
  readonly call: GatewayCall
  readonly #limits: WebSocketLimits
  readonly #client: TunnelSide
  readonly #upstream: TunnelSide
  readonly #timer = new Timer(() => this.#onTimer())
  #messageAt: number
  /** When the next message of the client would be exactly on time (GCRA), in monotonic milliseconds. */
  #nextMessageAt = 0
  /** Set when the end has begun: what the timer then means is that it took too long. */
  #closing = false

  constructor(call: GatewayCall, client: RawStream, upstream: RawStream, reserved: number) {
    this.call = call
    this.#limits = call.webSocket ?? unlimited
    this.#messageAt = this.now
    const rules = { reserved, maxMessage: this.#limits.maxMessage }
    this.#client = new TunnelSide(client, false, rules, this)
    this.#upstream = new TunnelSide(upstream, true, rules, this)
    this.#join(this.#client, this.#upstream)
    this.#join(this.#upstream, this.#client)
    call.snapshot.longCalls.add(this)
    if (!this.#closing) this.#setTimer()
  }

  get now(): number {
    return this.call.snapshot.longCalls.wheel.now
  }

  #join(from: TunnelSide, to: TunnelSide): void {
    from.join(to)
    from.stream.onEnd = () => {
      from.finished = true
      to.stream.end()
    }
    from.stream.onClose = () => this.#onClose(from, to)
  }

  // ---- TunnelEvents

  onMessage(side: TunnelSide): number {
    this.#messageAt = this.now
    return side === this.#client && this.#limits.rate !== null && !this.#inTime(this.#limits.rate)
      ? closeCodes.policyViolation
      : 0
  }

  #inTime({ limit, window }: { limit: number; window: number }): boolean {
    const now = monotonicMs()
    const next = Math.max(this.#nextMessageAt, now) + window / limit
    if (next - now > window) return false
    this.#nextMessageAt = next
    return true
  }

  onLast(side: TunnelSide, refused: number): void {
    if (refused !== 0) {
      // Its frames have no end that could be found: it is not waited for.
      side.closeCame = true
      this.#refuse(side, refused)
    } else (side === this.#client ? this.#upstream : this.#client).closeSent = true
    this.#settle()
  }

  #refuse(side: TunnelSide, code: number): void {
    const client = side === this.#client
    if (code === closeCodes.messageTooBig) this.#close(code, 'message too big', new GatewayError('body-too-large'))
    else if (code === closeCodes.policyViolation)
      this.#close(code, 'too many messages', new GatewayError('rate-limited'))
    else this.#close(code, 'invalid frame', new GatewayError(client ? 'bad-request' : 'upstream-invalid'))
  }

  // ---- LongCall

  goAway(): void {
    this.#close(closeCodes.goingAway, 'the gateway is shutting down', null)
  }

  revoke(error: GatewayError): void {
    this.#close(closeCodes.policyViolation, 'no longer allowed', error)
  }

  // ---- the end

  #close(code: number, reason: string, error: GatewayError | null): void {
    if (error !== null) this.call.noteError(error)
    this.#linger()
    for (const side of [this.#client, this.#upstream]) {
      side.close(code, reason)
      // Its close frame, which is waited for, may stand behind bytes that were held up.
      side.resume()
    }
    this.#settle()
  }

  /** A side that has both sent and got a close frame is done (RFC 6455 §7.1.1). */
  #settle(): void {
    for (const side of [this.#client, this.#upstream]) {
      if (!side.closeSent || !side.closeCame || side.ended) continue
      side.ended = true
      side.stream.end()
      this.#linger()
    }
  }

  #linger(): void {
    if (this.#closing) return
    this.#closing = true
    this.call.snapshot.longCalls.wheel.set(this.#timer, lingerMs)
  }

  #onClose(from: TunnelSide, to: TunnelSide): void {
    from.gone = true
    if (to.gone) {
      this.call.snapshot.longCalls.wheel.remove(this.#timer)
      this.call.snapshot.longCalls.remove(this)
    } else if (from.finished || this.#closing) {
      // What it sent last may still be on its way.
      to.stream.end()
      this.#linger()
    } else to.stream.destroy()
  }

  // ---- time

  #setTimer(): void {
    const { idle, ping } = this.#limits
    const silent = (side: TunnelSide): number => (side.pingedAt === 0 ? side.heardAt : side.pingedAt) + ping
    const at = Math.min(this.#messageAt + idle, silent(this.#client), silent(this.#upstream))
    if (at < Number.POSITIVE_INFINITY) this.call.snapshot.longCalls.wheel.set(this.#timer, Math.max(at - this.now, 0))
  }

  #onTimer(): void {
    if (this.#closing) {
      this.#client.stream.destroy()
      this.#upstream.stream.destroy()
      return
    }
    const { idle, ping } = this.#limits
    if (this.now - this.#messageAt >= idle) {
      this.#close(closeCodes.goingAway, 'no messages', null)
      return
    }
    for (const side of [this.#client, this.#upstream]) {
      if (side.paused || this.now - side.heardAt < ping) continue
      if (side.pingedAt === 0) side.ping()
      else if (this.now - side.pingedAt >= ping) {
        this.#giveUp(side)
        return
      }
    }
    this.#setTimer()
  }

  /** A side that does not answer gets no goodbye; the other one is told. */
  #giveUp(side: TunnelSide): void {
    const client = side === this.#client
    side.closeSent = true
    const error = new GatewayError(client ? 'client-closed' : 'upstream-timeout')
    if (client) this.#close(closeCodes.goingAway, 'the client is gone', error)
    else this.#close(closeCodes.internalError, 'the service does not answer', error)
    side.stream.destroy()
  }
}

/**
 * Completes a protocol switch (RFC 6455 §4.2.2, RFC 8441 §5): the answer of the upstream goes to the client, then
 * frames go both ways until one side closes.
 */
export const openTunnel = (call: GatewayCall, headers: HeaderList, upstream: RawStream): void => {
  const { exchange } = call
  if (exchange.responseEnded) {
    upstream.destroy()
    return
  }
  const reserved = reservedBits(headers)
  headers.push('x-request-id', call.requestId)
  call.noteStatus(101)
  call.forward = null
  const client = exchange.upgrade(101, headers)
  new Tunnel(call, client, upstream, reserved)
  client.resume()
}
