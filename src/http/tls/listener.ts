import type { HttpServer } from '../server.ts'
import { createSocketServer, listen } from '../socket-reading.ts'
import { tlsSockets } from './accepted-socket.ts'
import { Handshake, type HandshakeOptions } from './handshake.ts'
import { type ServerContexts, serverContexts, type TlsServerSettings } from './server-contexts.ts'

/** Connections above the limit whose handshake is still made, so that they can be told with an answer. */
const refusedPolitely = 256

/** A listener that decrypts, and hands connections to an HttpServer. */
export type TlsListener = {
  listen(options: { host: string; port: number; reusePort?: boolean; backlog?: number }): Promise<number>
  /** New connections get these certificates and rules; throws, and changes nothing, when the default is not usable. */
  update(settings: TlsServerSettings): void
  /** Handshakes that failed, by the code of the error. */
  readonly failures: ReadonlyMap<string, number>
}

const maxFailureCodes = 100

/** Makes the listener; its connections share limits, timeouts and the end of `server`. */
export const createTlsListener = (server: HttpServer, settings: TlsServerSettings): TlsListener => {
  let contexts: ServerContexts = serverContexts(settings)
  const failures = new Map<string, number>()
  const { context } = server
  const onFailure = (code: string): void => {
    if (failures.has(code) || failures.size < maxFailureCodes) failures.set(code, (failures.get(code) ?? 0) + 1)
  }
  let options: HandshakeOptions = { context, settings, accept: server.accept, onFailure }
  const sockets = createSocketServer(
    open => {
      const { connections, limits } = context
      const handshake = new Handshake(open, options)
      if ((connections.total ?? connections.size) >= limits.connections + refusedPolitely) handshake.destroy()
      else connections.add(handshake)
    },
    context.direct,
    tlsSockets(() => contexts, ['h2', 'http/1.1']),
  )
  server.adopt(sockets)
  return {
    failures,
    listen: where => listen(sockets, { backlog: 1024, ...where }),
    update: next => {
      contexts = serverContexts(next)
      options = { ...options, settings: next }
    },
  }
}
