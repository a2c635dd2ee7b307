import { GatewayError } from '#base/errors'
import type { RedirectDocument } from '#config/document'
import { redirectOrigin } from '#config/templates'
import type { Handler } from '../contract.ts'
import type { GatewayCall } from '../gateway-call.ts'
import { normalisePath } from '../normalise-path.ts'
import { compileTemplate, type TemplateInput } from './path-template.ts'

/** Where a call is sent. */
export type Place = (input: TemplateInput) => string

const hostPattern = /^(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])$/

/** Characters that a Location cannot hold (RFC 3986 §2) are escaped, whatever the client sent. */
const visible = (query: string): string => query.replace(/[^\x21-\x7e]/g, character => encodeURIComponent(character))

/**
 * Compiles the place of a redirect. It leads where the configuration says, whatever a client sends: the authority is
 * fixed, or it is the host that the client asked already; the path is normalised, so that it cannot begin with two
 * slashes (which would name another host); and nothing in it can end the header line.
 */
export const compilePlace = (to: string, keepQuery: boolean, route: string): Place => {
  const absolute = redirectOrigin(to)
  const template = absolute === null ? to : absolute.rest
  const fill = compileTemplate(template.startsWith('?') || template === '' ? `/${template}` : template, route)
  const origin = absolute?.origin ?? ''
  return input => {
    if (origin.includes('{host}') && !hostPattern.test(input.host))
      throw new GatewayError('bad-request', { detail: 'The request names no host that it could be sent to' })
    const filled = fill(input)
    const written = filled.path.startsWith('/') ? filled.path : `/${filled.path}`
    const { path } = normalisePath(written, written.length)
    const own = filled.query ?? ''
    const kept = keepQuery && !to.includes('{query}') ? input.query : ''
    const query = own !== '' && kept !== '' ? `${own}&${kept}` : own || kept
    return origin.replace('{host}', input.host) + path + (query === '' ? '' : `?${visible(query)}`)
  }
}

/** The place in the same words with TLS. */
export const httpsPlace = (route: string): Place => compilePlace('https://{host}{path}', true, route)

export const httpsStatus = 308

export const redirectHandler =
  ({ status }: Exclude<RedirectDocument, 'https'>, place: Place): Handler =>
  call =>
    call.respond(status, ['location', place(call)], null)

const isEncrypted = ({ exchange, forwarding }: GatewayCall): boolean =>
  exchange.peer.encrypted || forwarding.forwardedProto === 'https'

/** Sends calls without TLS to the same place with it; a trusted proxy's word about its own connection counts. */
export const toHttps =
  (place: Place, next: Handler): Handler =>
  call =>
    isEncrypted(call as GatewayCall) ? next(call) : call.respond(httpsStatus, ['location', place(call)], null)
