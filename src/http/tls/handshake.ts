import type { TLSSocket } from 'node:tls'
import type { Protocol } from '../server.ts'
import type { Connection, OpenSocket, ServerContext } from '../server-context.ts'
import type { OnBytes } from '../socket-reading.ts'
import { Timer } from '../timer-wheel.ts'
import { rememberPeerTls } from './peer-tls.ts'
import type { TlsServerSettings } from './server-contexts.ts'

export type HandshakeOptions = {
  readonly context: ServerContext
  readonly settings: TlsServerSettings
  /** Takes the connection over when both sides agree. */
  readonly accept: (open: OpenSocket, protocol: Protocol) => void
  /** Hears the code of a handshake that failed, such as `ERR_SSL_UNSUPPORTED_PROTOCOL`. */
  readonly onFailure: (code: string) => void
}

const drainMs = 1_000

/**
 * A connection on which TLS is being agreed on. It counts as one of the server, and must be done in the time that a
 * request head may take.
 */
export class Handshake implements Connection {
  readonly idle = true
  readonly #options: HandshakeOptions
  readonly #socket: TLSSocket
  readonly #timer: Timer
  #onBytes: OnBytes = () => {}
  #failed = false

  constructor(open: OpenSocket, options: HandshakeOptions) {
    this.#options = options
    const { wheel, timeouts } = options.context
    const socket = open((bytes, length) => this.#onBytes(bytes, length)) as TLSSocket
    this.#socket = socket
    this.#timer = new Timer(() => this.#fail('ERR_TLS_HANDSHAKE_TIMEOUT'))
    wheel.set(this.#timer, timeouts.requestHead)
    socket.once('secure', this.#onSecure)
    // Some failures are told by the first only: the control of the socket is not the user's yet.
    socket.on('_tlsError', this.#onError)
    socket.on('error', this.#onError)
    socket.on('end', this.#onEnd)
    socket.on('close', this.#onClose)
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Whoever is about to ask is still served, if it is soon. */
  drain(): void {
    const { wheel, timeouts } = this.#options.context
    wheel.set(this.#timer, Math.min(timeouts.requestHead, drainMs))
  }

  /** The time limit is pace enough. */
  checkPace(): void {}

  refuse(): void {
    this.#socket.destroy()
  }

  #onSecure = (): void => {
    const socket = this.#socket
    const { settings, accept } = this.#options
    this.#leave()
    const asked = settings.clientCertificates
    const peer = rememberPeerTls(socket, asked !== null)
    // A resumed session of TLS 1.3 counts as verified even without a certificate, so that is what is looked at.
    if (asked?.mode === 'required' && peer.clientCertificate === null) {
      this.#options.onFailure('ERR_TLS_CLIENT_CERTIFICATE')
      socket.destroy()
      return
    }
    accept(
      onBytes => {
        this.#onBytes = onBytes
        return socket
      },
      socket.alpnProtocol === 'h2' ? 'h2' : 'http/1.1',
    )
  }

  /** This object goes on as the one that hands bytes over; all else is the next owner's. */
  #leave(): void {
    const { context } = this.#options
    context.wheel.remove(this.#timer)
    context.connections.delete(this)
    this.#socket.off('close', this.#onClose)
    this.#socket.off('_tlsError', this.#onError)
    this.#socket.off('error', this.#onError)
    this.#socket.off('end', this.#onEnd)
  }

  #onError = (error: NodeJS.ErrnoException): void => this.#fail(error.code ?? 'ERR_TLS')

  /** Half of a handshake is of no use to anybody. */
  #onEnd = (): void => {
    this.#socket.destroy()
  }

  #fail(code: string): void {
    if (!this.#failed) this.#options.onFailure(code)
    this.#failed = true
    this.#socket.destroy()
  }

  #onClose = (): void => {
    const { context } = this.#options
    context.wheel.remove(this.#timer)
    context.connections.delete(this)
  }
}
