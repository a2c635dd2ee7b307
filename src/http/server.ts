import type { Server } from 'node:net'
import { GatewayError } from '#base/errors'
import { ServerConnection } from './http1/server-connection.ts'
import type { ServerContext, ServerLimits, ServerTimeouts } from './http1/server-context.ts'
import type { ServerExchange } from './message.ts'
import { createSocketServer, listen } from './socket-reading.ts'
import type { TimerWheel } from './timer-wheel.ts'

export type { ServerLimits, ServerTimeouts } from './http1/server-context.ts'

export type HttpServerOptions = {
  wheel: TimerWheel
  limits: ServerLimits
  timeouts: ServerTimeouts
  onExchange: (exchange: ServerExchange) => void
  onInvalid: ServerContext['onInvalid']
  /** False reads accepted sockets by `data` events, the way without Node's internals. */
  direct?: boolean
}

/** Connections above the limit that are told so with a 503; the ones above that are closed without a word. */
const refusedAtOnce = 256

/** An HTTP/1.1 listener. */
export type HttpServer = {
  readonly context: ServerContext
  /** Resolves with the port; rejects with the system's error when it cannot be had. */
  listen(options: { host: string; port: number; reusePort?: boolean; backlog?: number }): Promise<number>
  /** Stops accepting, closes idle connections at once and others after their answer; resolves when all are gone. */
  drain(deadlineMs: number): Promise<void>
  /** Ends everything now. */
  close(): void
}

/** Makes an HTTP/1.1 server on the engine; each request arrives at `onExchange` as soon as its head is complete. */
export const createHttpServer = (options: HttpServerOptions): HttpServer => {
  const context: ServerContext = {
    limits: options.limits,
    timeouts: options.timeouts,
    wheel: options.wheel,
    connections: new Set(),
    draining: false,
    requests: 0,
    onExchange: options.onExchange,
    onInvalid: options.onInvalid,
  }
  const server: Server = createSocketServer(open => {
    const connection = new ServerConnection(context, open)
    const excess = context.connections.size - context.limits.connections
    if (excess >= refusedAtOnce) connection.destroy()
    else {
      context.connections.add(connection)
      if (excess >= 0) connection.refuse(new GatewayError('overloaded'))
    }
  }, options.direct)
  return {
    context,
    listen: where => listen(server, { backlog: 1024, ...where }),
    drain: async deadlineMs => {
      context.draining = true
      server.close()
      for (const connection of context.connections) if (connection.idle) connection.destroy()
      const end = performance.now() + deadlineMs
      while (context.connections.size > 0 && performance.now() < end) await new Promise(wake => setTimeout(wake, 20))
      for (const connection of context.connections) connection.destroy()
    },
    close: () => {
      server.close()
      for (const connection of context.connections) connection.destroy()
    },
  }
}
