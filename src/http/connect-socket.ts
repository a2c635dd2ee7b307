import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { GatewayError } from '#base/errors'
import type { Pool } from './client.ts'
import { readDirectly } from './direct-read.ts'
import { type OnBytes, onreadInto, readBuffer } from './socket-reading.ts'
import { clientContext } from './tls/client-context.ts'

const isTlsError = (error: NodeJS.ErrnoException): boolean =>
  /TLS|SSL|CERT|SELF_SIGNED|UNABLE_TO/.test(error.code ?? '')

/**
 * A socket on its way to the origin of `pool`; `alpn` names the protocols that may be spoken in it, the best first
 * (RFC 7301). It tells of `connect`, or of `secureConnect` where there is TLS.
 */
export const connectSocket = (pool: Pool, alpn: string[], onBytes: OnBytes): Socket => {
  const { host, port, socketPath = null, tls } = pool.options.origin
  const where = socketPath === null ? { host, port } : { path: socketPath }
  const onread = onreadInto(onBytes)
  if (tls === null) {
    const socket = connect({ ...where, noDelay: true, onread })
    socket.once('connect', () => readDirectly(socket, readBuffer, onBytes))
    return socket
  }
  // Documented for tls.connect, missing in its types.
  const secureContext = clientContext(tls)
  const options = { ...tls, ...where, secureContext, ALPNProtocols: alpn, session: pool.tlsSession, onread }
  const socket = connectTls(options as ConnectionOptions)
  socket.setNoDelay(true)
  socket.on('session', session => {
    pool.tlsSession = session
  })
  const { onTlsError } = pool.options
  if (onTlsError !== undefined) socket.once('error', error => isTlsError(error) && onTlsError(error))
  return socket
}

/** What it means that a connection could not be made. */
export const connectError = (error: NodeJS.ErrnoException): GatewayError =>
  isTlsError(error)
    ? new GatewayError('upstream-tls', { cause: error })
    : new GatewayError('upstream-unreachable', { retry: 'yes', cause: error })
