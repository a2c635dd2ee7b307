import { createHash, constants as crypto } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureVersion } from 'node:tls'

/** A certificate with its chain, and its private key, both as PEM. */
export type ServerCertificate = {
  readonly cert: string
  readonly key: string
  /** Lower-case names it is shown for; `*.example.com` stands for one label. */
  readonly hosts: readonly string[]
}

/** What a TLS listener shows and asks for. */
export type TlsServerSettings = {
  /** The first is the default. */
  readonly certificates: readonly ServerCertificate[]
  readonly minVersion: SecureVersion
  /** OpenSSL cipher list; null for Node's default. */
  readonly ciphers: string | null
  /** What a client gets that asks for a name without a certificate. */
  readonly unknownNames: 'default' | 'refuse'
  readonly clientCertificates: { readonly ca: string; readonly mode: 'required' | 'optional' } | null
  /** 48 bytes that all workers share, so that a session begun at one goes on at another; null for keys of its own. */
  readonly ticketKeys: Buffer | null
}

/** The certificates of a listener, ready for handshakes. */
export type ServerContexts = {
  readonly settings: TlsServerSettings
  readonly fallback: SecureContext
  /** False when every name gets the same, so that nobody has to be asked. */
  readonly byName: boolean
  /** The context for a name of a client (RFC 6066 §3), or null when the name is refused. */
  find(name: string): SecureContext | null
}

/** Renegotiation is of no use to HTTP and was a way to make servers work (RFC 9325 §3.5). */
const secureOptions = crypto.SSL_OP_NO_RENEGOTIATION | crypto.SSL_OP_NO_COMPRESSION

const lowerName = (name: string): string => {
  const lower = name.toLowerCase()
  return lower.endsWith('.') ? lower.slice(0, -1) : lower
}

/** Exact names go before wildcards, which stand for one label (RFC 9525 §6.3). */
const indexOfNames = (certificates: readonly ServerCertificate[]): Map<string, ServerCertificate> => {
  const index = new Map<string, ServerCertificate>()
  for (const certificate of certificates)
    for (const host of certificate.hosts) if (!index.has(host)) index.set(host, certificate)
  return index
}

/**
 * Makes contexts of certificates. The default is made at once and throws when it is not usable; the others are made when
 * they are first asked for, since there may be thousands.
 */
export const serverContexts = (settings: TlsServerSettings): ServerContexts => {
  const { certificates, minVersion, ciphers, clientCertificates, ticketKeys, unknownNames } = settings
  // A session that was begun under other rules about clients must not go on under these (RFC 5246 §7.4.1.4 leaves the
  // certificate of the client to the session).
  const sessionIdContext = createHash('sha256')
    .update(clientCertificates === null ? '' : clientCertificates.mode + clientCertificates.ca)
    .digest('hex')
    .slice(0, 32)
  const make = ({ cert, key }: Partial<ServerCertificate>): SecureContext =>
    createSecureContext({
      ...(cert !== undefined && { cert, key }),
      minVersion,
      secureOptions,
      honorCipherOrder: true,
      sessionIdContext,
      ...(ciphers !== null && { ciphers }),
      ...(clientCertificates !== null && { ca: clientCertificates.ca }),
      ...(ticketKeys !== null && { ticketKeys }),
    })
  const [first] = certificates
  const made = new Map<ServerCertificate, SecureContext>()
  const contextOf = (certificate: ServerCertificate): SecureContext => {
    const known = made.get(certificate)
    if (known !== undefined) return known
    const context = make(certificate)
    made.set(certificate, context)
    return context
  }
  // Without any certificate yet (ACME) every handshake fails.
  const fallback = first === undefined ? make({}) : contextOf(first)
  const index = indexOfNames(certificates)
  return {
    settings,
    fallback,
    byName: certificates.length > 1 || unknownNames === 'refuse',
    find: text => {
      const name = lowerName(text)
      const found = index.get(name) ?? index.get(`*${name.slice(name.indexOf('.'))}`)
      if (found !== undefined) return contextOf(found)
      return unknownNames === 'refuse' ? null : fallback
    },
  }
}
