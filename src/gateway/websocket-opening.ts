import { randomBytes } from 'node:crypto'
import type { HeaderList } from '#http/headers'
import { removeHeader } from '#http/headers'
import { checkAcceptance, checkHandshake } from '#http/websocket/handshake'
import type { GatewayCall } from './gateway-call.ts'

/** An opening handshake on its way to an upstream. */
export type WebSocketOpening = {
  readonly key: string
  /** Field lines that the upstream needs and the client did not send. */
  readonly fields: string
}

/**
 * What a call that asks for a WebSocket needs on its way, or null for any other: only WebSocket leaves HTTP through the
 * gateway, since `Upgrade: h2c` and the like would pass every policy by. Throws when the handshake is wrong
 * (RFC 6455 §4.2.1); then nothing reaches the upstream.
 */
export const webSocketOpening = (call: GatewayCall): WebSocketOpening | null => {
  const { upgradeProtocol, framing, method } = call.exchange
  if (upgradeProtocol === null || framing !== 'none' || upgradeProtocol.toLowerCase() !== 'websocket') return null
  if (method === 'GET') return { key: checkHandshake(call.headers, true) as string, fields: '' }
  if (method !== 'CONNECT') return null
  // RFC 8441 §5: HTTP/2 has no key, the HTTP/1.1 of the upstream needs one.
  checkHandshake(call.headers, false)
  const key = randomBytes(16).toString('base64')
  return { key, fields: `sec-websocket-key: ${key}\r\n` }
}

/** Checks the answer of the upstream and leaves in it what is for the client. Throws `upstream-invalid`. */
export const acceptOpening = (call: GatewayCall, opening: WebSocketOpening, response: HeaderList): void => {
  checkAcceptance(call.headers, response, opening.key)
  if (opening.fields !== '') removeHeader(response, 'sec-websocket-accept')
}
