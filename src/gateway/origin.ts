import type { Origin } from '#http/client'
import type { ResolvedAddress, TargetPlace } from './endpoint.ts'

/** SNI names hosts, never addresses (RFC 6066 §3). */
const sniName = (host: string): string => (/^[0-9.]+$|:/.test(host) ? '' : host)

const tlsOf = ({ host, tls }: TargetPlace): Origin['tls'] => {
  if (tls === null) return { servername: sniName(host), rejectUnauthorized: true }
  const { ca, cert, key, serverName, verify } = tls
  return {
    servername: serverName ?? sniName(host),
    rejectUnauthorized: verify,
    ...(ca !== null && { ca }),
    ...(cert !== null && key !== null && { cert, key }),
  }
}

/** Where the connections to one address of a target go, and how they are secured. */
export const originOf = (place: TargetPlace, address: ResolvedAddress | null): Origin => ({
  host: address?.address ?? place.host,
  port: address?.port ?? place.port,
  socketPath: place.socketPath,
  tls: place.secure ? tlsOf(place) : null,
})
