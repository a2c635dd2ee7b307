import { GatewayError } from '#base/errors'
import { ServerConnection } from './http1/server-connection.ts'
import { openServerSession, ServerSession } from './http2/server-session.ts'
import type { ServerExchange } from './message.ts'
import type {
  Connection,
  ConnectionSet,
  OpenSocket,
  ServerContext,
  ServerLimits,
  ServerTimeouts,
} from './server-context.ts'
import { createSocketServer, listen, type SocketServer, stopListening } from './socket-reading.ts'
import type { TimerWheel } from './timer-wheel.ts'

export type { Connection, ConnectionSet, ServerLimits, ServerTimeouts } from './server-context.ts'

export type HttpServerOptions = {
  wheel: TimerWheel
  limits: ServerLimits
  timeouts: ServerTimeouts
  onExchange: (exchange: ServerExchange) => void
  onInvalid: ServerContext['onInvalid']
  /** Where connections are kept; another one counts those of several servers. */
  connections?: ConnectionSet
  /** False reads and writes by the documented ways only, without the internals of Node. */
  direct?: boolean
}

/** Connections above the limit that are told so with an answer; the ones above that are closed without a word. */
const refusedAtOnce = 256

/** What a connection speaks: what ALPN chose, or on cleartext what its first bytes say (RFC 9113 §3.3). */
export type Protocol = 'http/1.1' | 'h2' | 'detect'

/** Listeners whose connections share limits, timeouts and the life of one server. */
export type HttpServer = {
  readonly context: ServerContext
  /** Serves a connection that somebody else accepted, within the limits of this server. */
  accept(open: OpenSocket, protocol: Protocol): void
  /**
   * Opens a cleartext listener; may be called again for another address. Resolves with the port; rejects with the
   * system's error when it cannot be had.
   */
  listen(options: { host: string; port: number; reusePort?: boolean; backlog?: number }): Promise<number>
  /** Asks clients to go elsewhere from now on (`Connection: close`, GOAWAY), but still serves whoever comes. */
  announce(): void
  /** Stops accepting; whoever is connected is served as before. */
  stopListening(): Promise<void>
  /** Makes a listener of another kind, whose connections come by `accept`, end with this server. */
  adopt(server: SocketServer): void
  /** Stops accepting, closes idle connections at once and others after their answers; resolves when all are gone. */
  drain(deadlineMs: number): Promise<void>
  /** Ends everything now. */
  close(): void
}

const connectionFor = (context: ServerContext, open: OpenSocket, protocol: Protocol): Connection => {
  if (protocol === 'h2') return openServerSession(context, open)
  if (protocol === 'http/1.1') return new ServerConnection(context, open, null)
  return new ServerConnection(context, open, socket => {
    const session = new ServerSession(context, socket)
    context.connections.add(session)
    return (bytes, length) => session.onBytes(bytes, length)
  })
}

/** Makes an HTTP server on the engine; each request arrives at `onExchange` as soon as its head is complete. */
export const createHttpServer = (options: HttpServerOptions): HttpServer => {
  const context: ServerContext = {
    limits: options.limits,
    timeouts: options.timeouts,
    wheel: options.wheel,
    connections: options.connections ?? new Set(),
    draining: false,
    direct: options.direct ?? true,
    requests: 0,
    onExchange: options.onExchange,
    onInvalid: options.onInvalid,
  }
  const accept = (open: OpenSocket, protocol: Protocol): void => {
    const { connections, limits } = context
    const connection = connectionFor(context, open, protocol)
    connections.add(connection)
    const excess = (connections.total ?? connections.size) - limits.connections
    if (excess > refusedAtOnce) {
      connections.delete(connection)
      connection.destroy()
    } else if (excess > 0) connection.refuse(new GatewayError('overloaded'))
  }
  const servers: SocketServer[] = []
  const announce = (): void => {
    context.draining = true
    for (const connection of context.connections) if (!connection.idle) connection.drain()
  }
  const stopAll = async (): Promise<void> => {
    await Promise.all(servers.map(stopListening))
  }
  return {
    context,
    accept,
    listen: async where => {
      const server = createSocketServer(open => accept(open, 'detect'), context.direct)
      const port = await listen(server, { backlog: 1024, ...where })
      servers.push(server)
      return port
    },
    announce,
    stopListening: stopAll,
    adopt: server => void servers.push(server),
    drain: async deadlineMs => {
      announce()
      await stopAll()
      // What clients have already sent is read first: a connection is idle only when it is so after that.
      await new Promise(resolve => setImmediate(resolve))
      for (const connection of context.connections) connection.drain()
      const end = performance.now() + deadlineMs
      while (context.connections.size > 0 && performance.now() < end) await new Promise(wake => setTimeout(wake, 20))
      for (const connection of context.connections) connection.destroy()
    },
    close: () => {
      for (const server of servers) server.close()
      for (const connection of context.connections) connection.destroy()
    },
  }
}
