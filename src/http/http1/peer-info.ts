import type { ByteSocket } from '../byte-socket.ts'
import type { PeerInfo } from '../message.ts'
import { peerTlsOf } from '../tls/peer-tls.ts'

/** Who is at the other end of an accepted socket; IPv4-mapped addresses in their plain form. */
export const peerInfo = (socket: ByteSocket): PeerInfo => {
  const address = socket.remoteAddress ?? ''
  const tls = peerTlsOf(socket)
  return {
    remoteAddress: address.startsWith('::ffff:') ? address.slice(7) : address,
    remotePort: socket.remotePort ?? 0,
    encrypted: tls !== null,
    tls,
  }
}
