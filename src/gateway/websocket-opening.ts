import type { HeaderList } from '#http/headers'
import { acceptOf, checkAcceptance, checkHandshake } from '#http/websocket/handshake'
import type { GatewayCall } from './gateway-call.ts'

/**
 * The key of a call that asks for a WebSocket, or null for any other: only WebSocket leaves HTTP through the gateway,
 * since `Upgrade: h2c` and the like would pass every policy by. Throws when the handshake is wrong (RFC 6455 §4.2.1);
 * then nothing reaches the upstream. HTTP/2 has no key (RFC 8441 §5); the engine made one.
 */
export const webSocketKey = (call: GatewayCall): string | null => {
  const { upgradeProtocol, framing, method, version } = call.exchange
  if (upgradeProtocol === null || framing !== 'none' || method !== 'GET') return null
  return upgradeProtocol.toLowerCase() === 'websocket' ? checkHandshake(call.headers, version === '2') : null
}

/** Checks the answer of the upstream, and makes it one for a client of HTTP/1.1. Throws `upstream-invalid`. */
export const acceptOpening = (call: GatewayCall, key: string, response: HeaderList, http2: boolean): void => {
  // Over HTTP/2 nothing but the stream says which request is answered (RFC 8441 §5).
  if (http2) response.push('sec-websocket-accept', acceptOf(key))
  checkAcceptance(call.headers, response, key)
}
