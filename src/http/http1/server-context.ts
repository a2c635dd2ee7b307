import type { GatewayError } from '#base/errors'
import type { HeaderList } from '../headers.ts'
import type { PeerInfo } from '../message.ts'
import type { TimerWheel } from '../timer-wheel.ts'
import type { ServerConnection } from './server-connection.ts'
import type { Http1Exchange } from './server-exchange.ts'

/** Bytes of a head, number of its fields, bytes of its target, connections of one listener. */
export type ServerLimits = { head: number; headers: number; target: number; connections: number }

/** Milliseconds: for a whole head to arrive, and for a connection or a body on which nothing happens. */
export type ServerTimeouts = { requestHead: number; idle: number }

/** What all connections of one listener share. */
export type ServerContext = {
  limits: ServerLimits
  timeouts: ServerTimeouts
  readonly wheel: TimerWheel
  readonly connections: Set<ServerConnection>
  draining: boolean
  /** Requests whose head was accepted. */
  requests: number
  onExchange(exchange: Http1Exchange): void
  /** Renders the answer to something that never became a request. */
  onInvalid(
    error: GatewayError,
    peer: PeerInfo,
    startedMono: number,
  ): { status: number; headers: HeaderList; body: string }
}
