import { createHash, timingSafeEqual } from 'node:crypto'
import { GatewayError } from '#base/errors'
import { getHeaders } from '#http/headers'
import type { ServerExchange } from '#http/message'

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

const realm = 'Bearer realm="portico console"'

/**
 * Makes the guard of everything that needs the admin token; it throws 401 with WWW-Authenticate (RFC 6750 §3).
 * Digests of equal length are compared, so that neither content nor length of the token shows in the time it takes.
 */
export const createGuard = (token: string): ((exchange: ServerExchange) => void) => {
  const expected = digest(token)
  return exchange => {
    const [value, ...more] = getHeaders(exchange.headers, 'authorization')
    if (value === undefined) {
      throw new GatewayError('missing-credentials', {
        detail: 'Send the admin token as Authorization: Bearer <token>',
        headers: ['www-authenticate', realm],
      })
    }
    const presented = /^bearer +(\S+) *$/i.exec(value)?.[1]
    if (presented === undefined || more.length > 0 || !timingSafeEqual(digest(presented), expected)) {
      throw new GatewayError('invalid-credentials', {
        detail: 'This is not the admin token',
        headers: ['www-authenticate', `${realm}, error="invalid_token"`],
      })
    }
  }
}
