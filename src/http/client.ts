import type { SecureContextOptions } from 'node:tls'
import type { GatewayError } from '#base/errors'
import type { HeaderList } from './headers.ts'
import { ClientConnection } from './http1/client-connection.ts'
import { ClientSessions } from './http2/client-sessions.ts'
import type { BodySink, RawStream } from './message.ts'
import type { TimerWheel } from './timer-wheel.ts'

/** Where requests go. `tls` null is plain TCP; certificates are verified unless the user says otherwise. */
export type Origin = {
  readonly host: string
  readonly port: number
  /** A Unix socket in the place of host and port. */
  readonly socketPath?: string | null
  readonly tls: (SecureContextOptions & { servername: string; rejectUnauthorized: boolean }) | null
}

/** A request for an origin; Host, framing and connection fields are written by the engine. */
export type OutgoingRequest = {
  readonly method: string
  readonly target: string
  readonly host: string
  /** End-to-end field lines, each with its CRLF (`fieldLines`). */
  readonly fields: string
  /** Bytes of the body, 0 for none, -1 for chunked. */
  readonly length: number
  /** The whole body when it is at hand; else it is written with `write` and `end`. */
  readonly body: Buffer | null
  readonly upgrade: string | null
  /** Milliseconds: to connect, to the response head, without a byte in the body, and in all. */
  readonly connectTimeout: number
  readonly responseTimeout: number
  readonly idleTimeout: number
  readonly totalTimeout: number
}

/** What the sender of a request is told. After `onBodyEnd`, `onUpgrade` or `onError` nothing more comes. */
export interface ResponseHandler extends BodySink {
  /** The connection is there: a streamed request body may be written now. May come before `request` returns. */
  onReady(exchange: ClientExchange): void
  onInformational(status: number, headers: HeaderList): void
  /**
   * `length` is the number of body bytes, or -1 when unknown; `onBodyEnd` comes also for bodies of none.
   * `lines`: the same fields as text, for who passes them on as they are (`Fields.lines`), or null.
   */
  onResponse(status: number, headers: HeaderList, length: number, lines: string | null): void
  /** All bytes that were there have been handed over; what is held back should be sent now. */
  onPause(): void
  /** The request body may go on after `write` returned false. */
  onDrain(): void
  onUpgrade(headers: HeaderList, stream: RawStream): void
  onError(error: GatewayError): void
}

/** A running request; of no use after its handler heard the end. */
export interface ClientExchange {
  /** Whether the connection had served another request before. */
  readonly reused: boolean
  readonly connected: boolean
  /** Returns false when the caller should wait for `onDrain`. The chunk may be reused after the call. */
  write(chunk: Buffer): boolean
  end(trailers: HeaderList | null): void
  pause(): void
  resume(): void
  /** Milliseconds that may pass without a byte of the response body, from now on. */
  setIdleTimeout(ms: number): void
  /** Gives up; the handler hears nothing more, and the connection is closed. */
  abort(): void
}

/** What an origin is spoken to in; `auto` is what it chooses in the TLS handshake, and HTTP/1.1 without TLS. */
export type UpstreamProtocol = 'h1' | 'h2' | 'auto'

export type PoolOptions = {
  readonly origin: Origin
  /** `h1` when absent. */
  readonly protocol?: UpstreamProtocol
  readonly wheel: TimerWheel
  /** Hears why a TLS connection could not be made, which callers are not told. */
  readonly onTlsError?: (error: NodeJS.ErrnoException) => void
  /** Milliseconds an unused connection is kept; shortened by `Keep-Alive: timeout` of the origin. */
  readonly idleTimeout: number
  /** Requests, and age in milliseconds, after which an HTTP/1.1 connection is not used again; no limit when absent. */
  readonly maxRequests?: number | undefined
  readonly maxAge?: number | undefined
  readonly maxHead: number
  readonly maxFields: number
}

/** Keep-alive connections to one origin. The most recently used one is taken first, so that the rest can expire. */
export class Pool {
  readonly options: PoolOptions
  readonly connections = new Set<{ abort(): void }>()
  readonly #idle: ClientConnection[] = []
  readonly #sessions: ClientSessions | null
  #tlsSession: Buffer | undefined
  #closed = false

  constructor(options: PoolOptions) {
    const { protocol = 'h1', origin } = options
    this.options = options
    this.#sessions = protocol === 'h2' || (protocol === 'auto' && origin.tls !== null) ? new ClientSessions(this) : null
  }

  get idleCount(): number {
    return this.#idle.length + (this.#sessions?.idleCount ?? 0)
  }

  /** Whether one connection may carry many requests at a time. */
  get multiplexes(): boolean {
    return this.#sessions !== null
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Sends `request`; `fresh` insists on a new connection (for a retry after a reused one died). */
  request(request: OutgoingRequest, handler: ResponseHandler, fresh = false): ClientExchange {
    return this.#sessions?.takes(request) === true
      ? this.#sessions.request(request, handler, fresh)
      : this.requestHttp1(request, handler, fresh)
  }

  /** The same over HTTP/1.1, whatever the origin would rather speak. */
  requestHttp1(request: OutgoingRequest, handler: ResponseHandler, fresh: boolean): ClientExchange {
    const idle = fresh ? undefined : this.#idle.pop()
    const connection = idle ?? new ClientConnection(this)
    if (idle === undefined) this.connections.add(connection)
    connection.start(request, handler)
    return connection
  }

  get tlsSession(): Buffer | undefined {
    return this.#tlsSession
  }

  set tlsSession(session: Buffer | undefined) {
    this.#tlsSession = session
  }

  /** Called by a connection whose exchange ended cleanly; false when it should close. */
  release(connection: ClientConnection): boolean {
    if (this.#closed || this.#worn(connection)) return false
    this.#idle.push(connection)
    return true
  }

  #worn({ requests, openedAt }: ClientConnection): boolean {
    const { maxRequests, maxAge, wheel } = this.options
    return (
      (maxRequests !== undefined && requests >= maxRequests) || (maxAge !== undefined && wheel.now - openedAt >= maxAge)
    )
  }

  /** Called by a connection that closed. */
  forget(connection: ClientConnection): void {
    this.connections.delete(connection)
    const at = this.#idle.lastIndexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
  }

  /** Closes idle connections now and busy ones after their exchange. */
  close(): void {
    this.#closed = true
    for (const connection of this.#idle.slice()) connection.abort()
    this.#sessions?.close()
  }
}
