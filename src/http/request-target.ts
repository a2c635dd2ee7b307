import { isIPv6 } from 'node:net'
import { GatewayError } from '#base/errors'
import type { RequestHead } from './parse-head.ts'

const maxKnownHosts = 1024
const knownHosts = new Map<string, string>()

/**
 * A name, an IPv4 address, or an IPv6 literal, with an optional port. RFC 3986 §3.2.2 also allows escapes and
 * punctuation in names; no resolvable name has them, and readers disagree about what they mean.
 */
const hostPattern = /^(?:[A-Za-z0-9\-._~]+|\[([0-9A-Fa-f:.]+)\])(?::([0-9]{1,5}))?$/

const isHost = (host: string): boolean => {
  const match = hostPattern.exec(host)
  if (match === null) return false
  const [, literal, port] = match
  return (literal === undefined || isIPv6(literal)) && (port === undefined || Number(port) <= 65_535)
}

/** Most requests of a while name one host. */
let latestHost: string | null = null

const learnHost = (host: string): string => {
  if (host.length > 300 || !isHost(host)) throw new GatewayError('bad-request', { detail: 'Host is not valid' })
  // A copy, since a piece of a head would keep the whole head in memory.
  const own = Buffer.from(host, 'latin1').latin1Slice()
  if (knownHosts.size < maxKnownHosts) knownHosts.set(own, own)
  return own
}

/**
 * Throws `bad-request` unless `host` is one valid authority without user information (RFC 9112 §3.2). Returns it, as the
 * same string object each time where it can: whoever compares or looks it up later compares pointers.
 */
export const checkHost = (host: string): string => {
  if (host === latestHost) return latestHost
  latestHost = knownHosts.get(host) ?? learnHost(host)
  return latestHost
}

/**
 * The host and the origin-form target of a request (RFC 9112 §3.2). The authority of an absolute-form target wins over
 * Host. Throws for CONNECT, for forms that only a forward proxy takes, and for a missing Host.
 */
export const splitTarget = (head: RequestHead): { host: string; target: string } => {
  const { method, target } = head
  let host = ''
  if (head.host !== null) host = checkHost(head.host)
  else if (head.minorVersion === 1) throw new GatewayError('bad-request', { detail: 'Host is missing' })
  if (method === 'CONNECT') throw new GatewayError('not-implemented', { detail: 'CONNECT is not served here' })
  if (target.charCodeAt(0) === 47) return { host, target }
  if (target === '*' && method === 'OPTIONS') return { host, target }
  const absolute = /^https?:\/\/([^/?]*)(.*)$/i.exec(target)
  if (absolute === null) throw new GatewayError('bad-request', { detail: 'The request target is not a path' })
  host = checkHost(absolute[1] as string)
  const rest = absolute[2] as string
  return { host, target: rest.startsWith('/') ? rest : `/${rest}` }
}
