import type { DetailedPeerCertificate, PeerCertificate, TLSSocket } from 'node:tls'
import type { ByteSocket } from '../byte-socket.ts'

/** A client's certificate that a trusted authority vouches for, and whose key the client proved to hold. */
export type ClientCertificate = {
  /** Distinguished names as one text, in the order of the certificate: `C=DE, O=Example, CN=alice`. */
  readonly subject: string
  readonly issuer: string
  /** The CN of the subject; empty when there is none. */
  readonly commonName: string
  /** Subject alternative names by kind. */
  readonly san: { readonly dns: readonly string[]; readonly uri: readonly string[]; readonly email: readonly string[] }
  /** Lower-case hexadecimal digits without colons. */
  readonly serial: string
  readonly fingerprint256: string
  /** Milliseconds since 1970. */
  readonly notAfter: number
  /** DER of the certificate, and of those above it that the client sent and the authority's own. */
  readonly raw: Buffer
  readonly chain: readonly Buffer[]
}

/** What was agreed on when a TLS connection was made. */
export type PeerTls = {
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly version: string
  readonly cipher: string
  /** The name the client asked for, in lower case; empty when it asked for none. */
  readonly serverName: string
  readonly resumed: boolean
  readonly clientCertificate: ClientCertificate | null
}

const nameText = (name: PeerCertificate['subject'] | undefined): string =>
  Object.entries(name ?? {})
    .flatMap(([key, value]) => (Array.isArray(value) ? value : [value]).map(part => `${key}=${part}`))
    .join(', ')

/**
 * Node writes the names as `DNS:a, URI:b` and puts what could be mistaken into JSON quotes. Names with quotes are left
 * out: none of the three kinds needs one.
 */
const sanOf = (text: string | undefined): ClientCertificate['san'] => {
  const dns: string[] = []
  const uri: string[] = []
  const email: string[] = []
  const lists: Record<string, string[]> = { DNS: dns, URI: uri, email }
  for (const part of (text ?? '').split(', ')) {
    const colon = part.indexOf(':')
    const value = part.slice(colon + 1)
    if (colon > 0 && !value.startsWith('"')) lists[part.slice(0, colon)]?.push(value)
  }
  return { dns, uri, email }
}

const firstText = (value: string | string[] | undefined): string => (Array.isArray(value) ? value[0] : value) ?? ''

const chainOf = (leaf: DetailedPeerCertificate): Buffer[] => {
  const chain: Buffer[] = []
  // Ends at a root, which is its own issuer, or where the chain as the client sent it ends.
  let at: DetailedPeerCertificate | undefined = leaf.issuerCertificate
  for (let last = leaf; at?.raw !== undefined && at !== last && chain.length < 10; at = at.issuerCertificate) {
    chain.push(at.raw)
    last = at
  }
  return chain
}

const certificateOf = (socket: TLSSocket): ClientCertificate | null => {
  const found = socket.getPeerCertificate(true) as Partial<DetailedPeerCertificate>
  if (found.raw === undefined) return null
  const leaf = found as DetailedPeerCertificate
  return {
    subject: nameText(leaf.subject),
    issuer: nameText(leaf.issuer),
    commonName: firstText(leaf.subject?.CN),
    san: sanOf(leaf.subjectaltname),
    serial: leaf.serialNumber.toLowerCase(),
    fingerprint256: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
    notAfter: Date.parse(leaf.valid_to),
    raw: leaf.raw,
    chain: chainOf(leaf),
  }
}

type Inside = TLSSocket & { _handle?: { verifyError?: () => Error | null | undefined } | null }

/** Whether the chain of the client's certificate was found good. Where Node's inside looks different nothing is. */
const isVerified = (socket: TLSSocket): boolean => {
  const handle = (socket as Inside)._handle
  return typeof handle?.verifyError === 'function' && !handle.verifyError()
}

const remembered = new WeakMap<ByteSocket, PeerTls>()

/** What is known of a TLS connection; null for plain sockets. */
export const peerTlsOf = (socket: ByteSocket): PeerTls | null => remembered.get(socket) ?? null

/** Reads what was agreed on, once, when the handshake is done. A certificate is looked at only where one was asked for. */
export const rememberPeerTls = (socket: TLSSocket, asked: boolean): PeerTls => {
  const peer: PeerTls = {
    version: socket.getProtocol() ?? '',
    cipher: socket.getCipher()?.standardName ?? '',
    serverName: typeof socket.servername === 'string' ? socket.servername.toLowerCase() : '',
    resumed: socket.isSessionReused(),
    clientCertificate: asked && isVerified(socket) ? certificateOf(socket) : null,
  }
  remembered.set(socket, peer)
  return peer
}
