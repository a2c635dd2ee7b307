import { newTraceparent, randomHex, uuidv7 } from '#base/ids'
import { type HeaderList, truncate } from '#http/headers'

/** Fields that only the gateway may set: what a client sends under these names is removed. */
const own = new Set([
  'forwarded',
  'x-real-ip',
  'x-client-ip',
  'x-request-id',
  'traceparent',
  'proxy-authorization',
  'via',
  'client-cert',
  'client-cert-chain',
])
const ownFamilies = ['x-forwarded-', 'x-consumer']

/** Many servers read `X_Forwarded_For` as `X-Forwarded-For` (CGI variables), so underscores count as dashes. */
const isOwn = (raw: string): boolean => {
  const name = raw.replaceAll('_', '-')
  return own.has(name) || ownFamilies.some(family => name.startsWith(family))
}

/** A remembered verdict per interned name: the set look-up with its underscore check happens once per name. */
const verdicts = new Map<string, boolean>()
const maxVerdicts = 4096

const isOwnCached = (name: string): boolean => {
  const known = verdicts.get(name)
  if (known !== undefined) return known
  const verdict = isOwn(name)
  if (verdicts.size < maxVerdicts) verdicts.set(name, verdict)
  return verdict
}

/** Trailers without the fields that only the gateway may set; null when nothing is left (RFC 9110 §6.5.1). */
export const cleanTrailers = (trailers: HeaderList | null): HeaderList | null => {
  const kept = trailers?.filter((_, index) => !isOwnCached(trailers[index & ~1] as string)) ?? []
  return kept.length === 0 ? null : kept
}

export type Forwarding = {
  /** The client's fields without those that only the gateway may set. */
  headers: HeaderList
  clientAddress: string
  requestId: string
  traceId: string
  /** The sampled flag of the caller, `01` when the trace begins here. */
  traceFlags: string
  /** What upstreams are told (W3C Trace Context §3.2): the same trace, with a span of this gateway. */
  traceparent: string
  /** What a trusted proxy said, empty otherwise. */
  forwardedFor: string
  forwardedProto: string
  forwardedHost: string
}

/** W3C Trace Context §3.2.2, version 00. */
const traceparentPattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/
const requestIdPattern = /^[A-Za-z0-9._-]{8,128}$/

const plainAddress = (text: string): string => {
  const address = text.trim().replace(/^"|"$/g, '')
  const bracketed = /^\[([0-9a-fA-F:.]+)\](?::\d+)?$/.exec(address)
  if (bracketed !== null) return bracketed[1] as string
  const withPort = /^(\d{1,3}(?:\.\d{1,3}){3}):\d+$/.exec(address)
  const plain = withPort === null ? address : (withPort[1] as string)
  return plain.startsWith('::ffff:') ? plain.slice(7) : plain
}

/** Walks X-Forwarded-For from the right: the first address that is not a trusted proxy is the client. */
const clientBehind = (chain: string, peer: string, isTrusted: (address: string) => boolean): string => {
  let client = peer
  const hops = chain.split(',')
  for (let i = hops.length - 1; i >= 0; i--) {
    const hop = plainAddress(hops[i] as string)
    if (!/^[0-9a-fA-F:.]+$/.test(hop)) break
    client = hop
    if (!isTrusted(hop)) break
  }
  return client
}

/**
 * Reads what a request says about its way so far and removes what must not be believed. Only a trusted proxy's
 * X-Forwarded-* and X-Request-Id count; a valid traceparent is continued whoever sent it.
 */
export const readForwarding = (
  headers: HeaderList,
  peer: string,
  isTrusted: ((address: string) => boolean) | null,
  now = Date.now(),
): Forwarding => {
  const result: Forwarding = {
    headers,
    clientAddress: peer,
    requestId: '',
    traceId: '',
    traceFlags: '01',
    traceparent: '',
    forwardedFor: '',
    forwardedProto: '',
    forwardedHost: '',
  }
  const trusted = isTrusted?.(peer) === true
  let kept = 0
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    const value = headers[i + 1] as string
    if (isOwnCached(name)) {
      if (name === 'traceparent') readTraceparent(result, value)
      else if (trusted) readTrusted(result, name, value)
      continue
    }
    if (kept !== i) {
      headers[kept] = name
      headers[kept + 1] = value
    }
    kept += 2
  }
  truncate(headers, kept)
  if (trusted && isTrusted !== null && result.forwardedFor !== '')
    result.clientAddress = clientBehind(result.forwardedFor, peer, isTrusted)
  if (result.requestId === '') result.requestId = uuidv7(now)
  if (result.traceId === '') {
    result.traceparent = newTraceparent()
    result.traceId = result.traceparent.slice(3, 35)
  } else result.traceparent = `00-${result.traceId}-${randomHex(8)}-${result.traceFlags}`
  return result
}

const readTraceparent = (result: Forwarding, value: string): void => {
  const match = traceparentPattern.exec(value)
  if (match === null || /^0+$/.test(match[1] as string) || /^0+$/.test(match[2] as string)) return
  result.traceId = match[1] as string
  result.traceFlags = match[3] as string
}

const readTrusted = (result: Forwarding, name: string, value: string): void => {
  if (name === 'x-forwarded-for')
    result.forwardedFor = result.forwardedFor === '' ? value : `${result.forwardedFor}, ${value}`
  else if (name === 'x-forwarded-proto' && /^https?$/.test(value)) result.forwardedProto = value
  else if (name === 'x-forwarded-host' && /^[A-Za-z0-9.\-:[\]]+$/.test(value)) result.forwardedHost = value
  else if (name === 'x-request-id' && requestIdPattern.test(value)) result.requestId = value
}
