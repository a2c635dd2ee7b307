import type { GatewayError } from '#base/errors'
import type { ByteSocket } from './byte-socket.ts'
import type { HeaderList } from './headers.ts'
import type { PeerInfo, ServerExchange } from './message.ts'
import type { PaceRules } from './pace.ts'
import type { OnBytes } from './socket-reading.ts'
import type { TimerWheel } from './timer-wheel.ts'

/**
 * Bytes of a head, number of its fields, bytes of its target, connections of one listener; of a connection of HTTP/2 the
 * streams at a time, and those per second that it may reset or break.
 */
export type ServerLimits = {
  head: number
  headers: number
  target: number
  connections: number
  http2?: { readonly streams: number; readonly resets: number } | undefined
}

/** Milliseconds: for a whole head to arrive, and for a connection or a body on which nothing happens. */
export type ServerTimeouts = { requestHead: number; idle: number }

/** One accepted connection of any protocol, as its server sees it. */
export interface Connection {
  /** True when it could be closed now without anybody missing an answer. */
  readonly idle: boolean
  destroy(): void
  /** Finishes what runs and takes nothing new; closes at once when idle. */
  drain(): void
  /** Answers with an error before anything was asked, and closes. */
  refuse(error: GatewayError): void
  /** Ends what has been too slow; called about every second where minimum rates are set. */
  checkPace(rules: PaceRules, now: number): void
}

/** The connections of one server; `total` counts also those of other servers that share its limit. */
export interface ConnectionSet extends Set<Connection> {
  readonly total?: number
}

/** Makes the socket of an accepted connection; its bytes go to `onBytes`. */
export type OpenSocket = (onBytes: OnBytes) => ByteSocket

/** What all connections of one server share. */
export type ServerContext = {
  limits: ServerLimits
  timeouts: ServerTimeouts
  readonly wheel: TimerWheel
  readonly connections: ConnectionSet
  draining: boolean
  /** False writes and reads by the documented ways of Node only. */
  readonly direct: boolean
  /** Requests whose head was accepted. */
  requests: number
  onExchange(exchange: ServerExchange): void
  /** Renders the answer to something that never became a request. */
  onInvalid(
    error: GatewayError,
    peer: PeerInfo,
    startedMono: number,
  ): { status: number; headers: HeaderList; body: string }
}
