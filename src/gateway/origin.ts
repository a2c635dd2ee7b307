import type { Origin } from '#http/client'
import type { ResolvedAddress, TargetPlace } from './endpoint.ts'

/** Where the connections to one address of a target go, and how they are secured. */
export const originOf = (place: TargetPlace, address: ResolvedAddress | null): Origin => {
  const { host, secure } = place
  return {
    host: address?.address ?? host,
    port: address?.port ?? place.port,
    socketPath: place.socketPath,
    // SNI names hosts, never addresses (RFC 6066 §3).
    tls: secure ? { servername: /^[0-9.]+$|:/.test(host) ? '' : host, rejectUnauthorized: true } : null,
  }
}
