import type { Socket } from 'node:net'
import { TLSSocket, type TLSSocketOptions } from 'node:tls'
import { writeDirectly } from '../direct-write.ts'
import type { SocketKind } from '../socket-reading.ts'
import type { ServerContexts } from './server-contexts.ts'

type Inside = TLSSocketOptions & { accepted: unknown; onread: object; allowHalfOpen: boolean }
type WithInside = {
  _tlsOptions: Inside
  _wrapHandle(wrap: unknown, handle: unknown, active: boolean): unknown
}

const notTls =
  'HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: 45\r\n\r\n' +
  'This port speaks TLS: use https:// instead.\r\n'

const tellThatThisIsTls = (handle: unknown): void => {
  const like = { _handle: handle, writableLength: 0, connecting: false, destroyed: false }
  writeDirectly?.(like as unknown as Socket, notTls, { onWritten: () => {} })
}

/**
 * The server side of TLS on an accepted handle. Node gives its own constructor `onread` for outgoing connections only,
 * which make their handle in `_wrapHandle`: here that method takes the one that is there. It saves a second socket for
 * each connection and a buffer for each read.
 */
class AcceptedTlsSocket extends TLSSocket {
  _wrapHandle(wrap: unknown, handle: unknown, active: boolean): unknown {
    const { accepted } = (this as unknown as WithInside)._tlsOptions
    return (TLSSocket.prototype as unknown as WithInside)._wrapHandle.call(this, wrap, handle ?? accepted, active)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if ((error as NodeJS.ErrnoException | null)?.code === 'ERR_SSL_HTTP_REQUEST')
      tellThatThisIsTls((this as unknown as WithInside)._tlsOptions.accepted)
    super._destroy(error, done)
  }
}

/** Makes accepted connections speak TLS, each with the certificates that `contexts` gives at that time. */
export const tlsSockets = (contexts: () => ServerContexts, protocols: readonly string[]): SocketKind => {
  const optionsNow = (): TLSSocketOptions => {
    const { settings, fallback, byName, find } = contexts()
    const options: TLSSocketOptions = {
      isServer: true,
      secureContext: fallback,
      ALPNProtocols: [...protocols],
      // Whether the certificate is good is looked at after the handshake (peer-tls.ts), as Node's own server does.
      requestCert: settings.clientCertificates !== null,
      rejectUnauthorized: settings.clientCertificates?.mode === 'required',
    }
    if (byName)
      options.SNICallback = (name, answer) => {
        const context = find(name)
        if (context === null) answer(new Error('There is no certificate for this name'))
        else answer(null, context)
      }
    return options
  }
  return {
    ofHandle: (handle, onread) => {
      const options: Inside = { ...optionsNow(), accepted: handle, onread, allowHalfOpen: true }
      const socket = new AcceptedTlsSocket(undefined as never, options)
      // Without a socket below it Node takes it for one that has yet to connect.
      Object.assign(socket, { connecting: false })
      return socket
    },
    ofSocket: socket => {
      socket.on('error', () => {})
      return new TLSSocket(socket, optionsNow())
    },
  }
}
