import { GatewayError } from '#base/errors'
import type { ClientExchange, OutgoingRequest, Pool, ResponseHandler } from '../client.ts'
import type { TimerWheel } from '../timer-wheel.ts'
import { type ClientSession, openClientSession } from './client-session.ts'
import { ClientStream } from './client-stream.ts'

/** The HTTP/2 connections of a pool: as few as the origin's limit of streams allows. */
export class ClientSessions {
  readonly pool: Pool
  #sessions: ClientSession[] = []
  /** Set when the origin turned out to speak HTTP/1.1. */
  #http1 = false

  constructor(pool: Pool) {
    this.pool = pool
  }

  get wheel(): TimerWheel {
    return this.pool.options.wheel
  }

  get idleCount(): number {
    return this.#sessions.filter(session => session.idle).length
  }

  /** Whether a request goes over HTTP/2. What switches protocols does so only where HTTP/2 was asked for. */
  takes(request: OutgoingRequest): boolean {
    return !this.#http1 && (request.upgrade === null || this.pool.options.protocol === 'h2')
  }

  request(request: OutgoingRequest, handler: ResponseHandler, fresh: boolean): ClientExchange {
    const stream = new ClientStream(this, request, handler)
    this.dispatch(stream, fresh)
    return stream
  }

  /** Gives a request to the first connection with room, or to a new one. */
  dispatch(stream: ClientStream, fresh: boolean): void {
    // Many requests lose their connection at the same time: the new one of the first will do for all.
    const found = this.#sessions.find(session => session.room > 0 && (!fresh || session.young))
    if (found !== undefined) {
      found.take(stream)
      return
    }
    const session = openClientSession(this)
    this.#sessions.push(session)
    this.pool.connections.add(session)
    session.take(stream)
  }

  /** Called by a connection that takes no more requests. */
  remove(session: ClientSession): void {
    const at = this.#sessions.indexOf(session)
    if (at >= 0) this.#sessions.splice(at, 1)
  }

  useHttp1(): void {
    if (this.pool.options.protocol === 'auto') this.#http1 = true
  }

  /** The TLS handshake ended without HTTP/2: `waiting` go on in HTTP/1.1, and so does what follows. */
  onHttp1(waiting: readonly ClientStream[]): void {
    this.useHttp1()
    for (const stream of waiting)
      if (this.#http1) stream.startHttp1((request, handler) => this.pool.requestHttp1(request, handler, false))
      else stream.fail(new GatewayError('upstream-tls', { detail: 'The upstream does not speak HTTP/2' }))
  }

  close(): void {
    for (const session of [...this.#sessions]) session.leave()
  }
}
