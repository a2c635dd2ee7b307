import { createHash } from 'node:crypto'
import { GatewayError } from '#base/errors'
import { getHeader, getHeaders, type HeaderList } from '../headers.ts'

const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** Sixteen bytes in base64 (RFC 6455 §4.1): the last digit holds two bits only. */
const keyPattern = /^[A-Za-z0-9+/]{21}[AQgw]==$/

/** The answer to `Sec-WebSocket-Key` (RFC 6455 §4.2.2). */
export const acceptOf = (key: string): string =>
  createHash('sha1')
    .update(key + guid, 'latin1')
    .digest('base64')

/**
 * Checks an opening handshake before anybody else sees it (RFC 6455 §4.2.1), and returns its key. Throws
 * `websocket-version` and `bad-request`.
 */
export const checkHandshake = (headers: HeaderList, http2 = false): string => {
  const versions = getHeaders(headers, 'sec-websocket-version')
  if (versions.length !== 1 || versions[0] !== '13')
    throw new GatewayError('websocket-version', {
      // RFC 9110 §15.5.22; HTTP/2 has no Upgrade (RFC 9113 §8.2.2).
      headers: ['sec-websocket-version', '13', ...(http2 ? [] : ['upgrade', 'websocket'])],
    })
  const keys = getHeaders(headers, 'sec-websocket-key')
  if (keys.length !== 1 || !keyPattern.test(keys[0] as string))
    throw new GatewayError('bad-request', { detail: 'Sec-WebSocket-Key is not sixteen bytes in base64' })
  return keys[0] as string
}

const tokensOf = (headers: HeaderList, name: string): string[] =>
  getHeaders(headers, name).flatMap(value => value.split(',').map(text => text.trim()))

/** The names of extensions, without their parameters. */
const extensionsOf = (headers: HeaderList): string[] =>
  tokensOf(headers, 'sec-websocket-extensions').map(text => (text.split(';')[0] as string).trim().toLowerCase())

/**
 * Checks the answer of a server (RFC 6455 §4.1): the key is understood, and nothing was chosen that was not offered.
 * Throws `upstream-invalid`.
 */
export const checkAcceptance = (request: HeaderList, response: HeaderList, key: string): void => {
  const wrong = (detail: string): GatewayError => new GatewayError('upstream-invalid', { detail })
  const accepts = getHeaders(response, 'sec-websocket-accept')
  if (accepts.length !== 1 || accepts[0] !== acceptOf(key)) throw wrong('The upstream did not accept the WebSocket key')
  const offered = extensionsOf(request)
  if (extensionsOf(response).some(name => !offered.includes(name)))
    throw wrong('The upstream chose a WebSocket extension that was not offered')
  const protocol = getHeader(response, 'sec-websocket-protocol')
  if (protocol !== undefined && !tokensOf(request, 'sec-websocket-protocol').includes(protocol))
    throw wrong('The upstream chose a WebSocket subprotocol that was not offered')
}

/**
 * The reserved bits that the negotiated extensions use: RSV1 for permessage-deflate (RFC 7692 §6), all of them for
 * extensions that the gateway does not know, none where there are none.
 */
export const reservedBits = (response: HeaderList): number => {
  const names = extensionsOf(response)
  if (names.length === 0) return 0
  return names.every(name => name === 'permessage-deflate') ? 0x40 : 0x70
}
