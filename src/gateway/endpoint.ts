import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import type { UpstreamTlsDocument } from '#config/tls'

/** How the addresses of a target are found: by the system at each connection, from DNS, or from SRV records. */
export type Discovery = 'none' | 'address' | 'srv'

/** One address a host name stands for at the moment. */
export type ResolvedAddress = {
  readonly address: string
  /** From an SRV record; null where the URL says it. */
  readonly port: number | null
  readonly priority: number
  readonly weight: number
}

/** What a target URL says. */
export type TargetPlace = {
  readonly secure: boolean
  /** Host name or address without brackets; what certificates are checked against. */
  readonly host: string
  readonly port: number
  /** Path of a Unix socket; null for TCP. */
  readonly socketPath: string | null
  /** Credentials and rules of its own; null for the usual way, and without TLS. */
  readonly tls: UpstreamTlsDocument | null
  /** As sent in Host. */
  readonly authority: string
  /** Put before the forwarded path; empty for none. */
  readonly basePath: string
  /** The same for all URLs whose connections may be shared. */
  readonly origin: string
  readonly discovery: Discovery
  /** What is asked for in DNS: the host, or the name of the SRV records. */
  readonly queryName: string
}

const isLocal = (host: string): boolean => host === 'localhost' || host.endsWith('.localhost')

const tlsKeys = new WeakMap<UpstreamTlsDocument, string>()

/** Names a way of TLS: connections made with other credentials, or less checks, are never shared. */
const tlsKey = (tls: UpstreamTlsDocument): string => {
  let key = tlsKeys.get(tls)
  if (key === undefined) {
    const { ca, cert, key: privateKey, serverName, verify } = tls
    const identity = JSON.stringify([ca, cert, privateKey, serverName, verify])
    key = createHash('sha256').update(identity).digest('hex').slice(0, 32)
    tlsKeys.set(tls, key)
  }
  return key
}

/**
 * Reads `http://host:port/base`, `https://…`, `srv+http://_http._tcp.example.com/base` and `unix:/run/app.sock`.
 * `hostHeader` replaces what Host would say.
 */
export const readPlace = (
  text: string,
  hostHeader: string | null,
  tls: UpstreamTlsDocument | null = null,
): TargetPlace => {
  if (text.startsWith('unix:')) {
    const socketPath = text.slice('unix:'.length)
    const authority = hostHeader ?? 'localhost'
    return {
      secure: false,
      host: 'localhost',
      port: 0,
      socketPath,
      tls: null,
      authority,
      basePath: '',
      origin: text,
      discovery: 'none',
      queryName: '',
    }
  }
  const srv = text.startsWith('srv+')
  const url = new URL(srv ? text.slice('srv+'.length) : text)
  const secure = url.protocol === 'https:'
  const queryName = url.hostname.replace(/^\[|\]$/g, '')
  // The domain that offers the service is what it is called by (RFC 6125 §6.4), not the labels of the record.
  const host = srv ? queryName.replace(/^(?:_[^.]*\.)+/, '') : queryName
  return {
    secure,
    host,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    socketPath: null,
    tls: secure ? tls : null,
    authority: hostHeader ?? (srv ? host : url.host),
    basePath: url.pathname === '/' ? '' : url.pathname.replace(/\/$/, ''),
    origin: (srv ? `srv+${url.origin}` : url.origin) + (secure && tls !== null ? ` ${tlsKey(tls)}` : ''),
    discovery: srv ? 'srv' : isIP(host) !== 0 || isLocal(host) ? 'none' : 'address',
    queryName,
  }
}

/** Names the connections to one address of a place: pool, load and health are shared by all who use this key. */
export const endpointKey = ({ origin, port }: TargetPlace, resolved: ResolvedAddress | null): string =>
  resolved === null ? origin : `${origin}|${resolved.address}:${resolved.port ?? port}`

/** Key of what DNS says about a place. */
export const discoveryKey = ({ discovery, queryName }: Pick<TargetPlace, 'discovery' | 'queryName'>): string =>
  `${discovery}:${queryName}`
