import { randomHex } from '#base/ids'
import { fieldLines } from '#http/field-lines'
import type { HeaderList } from '#http/headers'
import type { PeerInfo } from '#http/message'
import type { ForwardOptions } from './forward-options.ts'
import type { GatewayCall } from './gateway-call.ts'

/** The fields of `own` whose names are not in `replaced`. */
const without = (own: HeaderList, replaced: HeaderList): HeaderList =>
  own.filter((_, index) => !replaced.some((name, at) => at % 2 === 0 && name === own[index & ~1]))

const forwardedFields = (address: string, protocol: string, host: string): string =>
  `x-forwarded-for: ${address}\r\nx-forwarded-proto: ${protocol}\r\nx-forwarded-host: ${host}\r\n`

const protocolOf = (peer: PeerInfo): string => (peer.encrypted ? 'https' : 'http')

/** The fields of the latest host of each client connection: most connections name one host all their life. */
const remembered = new WeakMap<PeerInfo, { host: string; text: string }>()

const directFields = (peer: PeerInfo, host: string): string => {
  const known = remembered.get(peer)
  if (known !== undefined && known.host === host) return known.text
  const text = forwardedFields(peer.remoteAddress, protocolOf(peer), host)
  remembered.set(peer, { host, text })
  return text
}

/** Who called, for an upstream of the same house (product interface: "HTTP of the gateway"). */
const callerFields = (call: GatewayCall): string => {
  const { forwarding, exchange, consumer } = call
  const { peer } = exchange
  const { forwardedFor, forwardedProto, forwardedHost } = forwarding
  const text =
    forwardedFor === '' && forwardedProto === '' && forwardedHost === ''
      ? directFields(peer, exchange.host)
      : forwardedFields(
          forwardedFor === '' ? peer.remoteAddress : `${forwardedFor}, ${peer.remoteAddress}`,
          forwardedProto === '' ? protocolOf(peer) : forwardedProto,
          forwardedHost === '' ? exchange.host : forwardedHost,
        )
  return consumer === null ? text : `${text}x-consumer: ${consumer.name}\r\n`
}

/** All field lines of a request to an upstream: the passed ones, ours, and the fixed ones of the upstream. */
export const upstreamFields = (call: GatewayCall, own: HeaderList, options: ForwardOptions): string => {
  const { forwarding, exchange } = call
  const fixed = options.upstream.config.headers
  const passed = fixed.length === 0 ? own : without(own, fixed)
  const text = `${fieldLines(passed)}x-request-id: ${forwarding.requestId}\r\ntraceparent: 00-${forwarding.traceId}-${randomHex(
    8,
  )}-${forwarding.traceFlags}\r\nvia: ${exchange.version} portico\r\n`
  return text + (options.foreign === true ? '' : callerFields(call)) + (fixed.length === 0 ? '' : fieldLines(fixed))
}
