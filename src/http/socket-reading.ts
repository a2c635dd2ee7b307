import { createServer, type ListenOptions, type Server, type Socket } from 'node:net'
import type { ByteSocket } from './byte-socket.ts'
import { DirectSocket } from './direct-socket.ts'
import { isStreamHandle, streamWrap } from './stream-wrap.ts'

/**
 * One read buffer for all sockets of a worker. Every reader consumes or copies its bytes before it returns, so the
 * next read may overwrite them: no allocation per read.
 */
export const readBuffer: Buffer = Buffer.allocUnsafeSlow(65_536)

/** Gets `length` bytes at the start of `bytes`; they are valid only during the call. */
export type OnBytes = (bytes: Buffer, length: number) => void

/** The `onread` option of `net.connect`, `tls.connect` and `new Socket`: reads into the shared buffer. */
export const onreadInto = (onBytes: OnBytes) => ({
  buffer: readBuffer,
  callback: (length: number, bytes: Uint8Array): boolean => {
    onBytes(bytes as Buffer, length)
    return true
  },
})

export type SocketServer = Server & {
  /** Whether accepted connections read into the shared buffer. */
  direct: boolean
  /** Connections accepted so far. */
  accepted: number
}

type Acceptor = (open: (onBytes: OnBytes) => ByteSocket) => void

/** What an accepted connection is made into when it is not a plain one (src/http/tls). */
export type SocketKind = {
  /** Around a handle that Node accepted, reading by `onread`. */
  ofHandle(handle: unknown, onread: ReturnType<typeof onreadInto>): Socket
  ofSocket(socket: Socket): Socket
}

type ListeningHandle = {
  onconnection?: (error: number, handle: unknown) => void
  setNoDelay?: (on: boolean) => number
}

/** A socket made with `onread` keeps the buffer under a symbol; one that does not would never deliver a byte. */
const usesOnread = (socket: Socket): boolean =>
  Object.getOwnPropertySymbols(socket).some(
    symbol => symbol.description === 'kBuffer' && (socket as unknown as Record<symbol, unknown>)[symbol] === readBuffer,
  )

/** Reads a socket into the shared buffer, or where its kind cannot do that by `data` events; false in that case. */
const openKind = (socket: Socket, onBytes: OnBytes): boolean => {
  socket.setNoDelay(true)
  if (usesOnread(socket)) return true
  socket.on('data', (chunk: Buffer) => onBytes(chunk, chunk.length))
  return false
}

/**
 * A server whose accepted connections read into the shared buffer, and which makes no `net.Socket` for plain ones: Node
 * has no documented way to either (saves about 4 µs of CPU per request, and half of what a new connection costs). Where
 * Node's inside looks different, ordinary sockets and their `data` events are used and everything else stays the same.
 */
export const createSocketServer = (accept: Acceptor, direct = true, kind: SocketKind | null = null): SocketServer => {
  const onSocket: Acceptor = open => {
    server.accepted++
    accept(open)
  }
  const server = createServer({ allowHalfOpen: true, noDelay: true }, accepted =>
    onSocket(onBytes => {
      const socket = kind === null ? accepted : kind.ofSocket(accepted)
      socket.on('data', (chunk: Buffer) => onBytes(chunk, chunk.length))
      return socket
    }),
  ) as SocketServer
  server.direct = false
  server.accepted = 0
  server.on('listening', () => {
    const listening = (server as unknown as { _handle?: ListeningHandle })._handle
    if (!direct || streamWrap === null || typeof listening?.onconnection !== 'function') return
    const wrap = streamWrap
    // On Linux accepted connections have the options of their listener: one system call less for each.
    const inherited = process.platform === 'linux' && listening.setNoDelay?.(true) === 0
    const ordinary = listening.onconnection
    const goBack = (): void => {
      listening.onconnection = ordinary
      server.direct = false
    }
    listening.onconnection = function (this: unknown, error: number, accepted: unknown) {
      if (error !== 0 || accepted === undefined) ordinary.call(this, error, accepted)
      else if (kind !== null)
        onSocket(onBytes => {
          const socket = kind.ofHandle(accepted, onreadInto(onBytes))
          if (!openKind(socket, onBytes)) goBack()
          return socket
        })
      else if (isStreamHandle(accepted))
        onSocket(onBytes => new DirectSocket(wrap, accepted, readBuffer, onBytes, !inherited))
      else {
        goBack()
        ordinary.call(this, error, accepted)
      }
    }
    server.direct = true
  })
  return server
}

/** Listens and resolves with the port really taken. */
export const listen = (server: Server, options: ListenOptions): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(options, () => {
      server.off('error', reject)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })

/** A turn of the event loop in which so little happened that the accept queue cannot have filled meanwhile. */
const quietMs = 0.1
const maxTurns = 2000

/**
 * Stops listening. The kernel resets the connections that it has completed and nobody has accepted yet, so this waits
 * for a turn of the event loop in which there was none to accept, and which was short.
 */
export const stopListening = async (server: SocketServer): Promise<void> => {
  if (!server.listening) return
  let at = performance.now()
  for (let turn = 0; turn < maxTurns; turn++) {
    const { accepted } = server
    await new Promise(resolve => setImmediate(resolve))
    const now = performance.now()
    if (server.accepted === accepted && now - at < quietMs) break
    at = now
  }
  server.close()
}
