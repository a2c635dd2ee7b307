import { fieldLines } from '#http/field-lines'
import type { HeaderList } from '#http/headers'
import type { PeerInfo } from '#http/message'
import type { Consumer } from './contract.ts'
import type { ForwardOptions } from './forward-options.ts'
import type { GatewayCall } from './gateway-call.ts'

/** The fields of `own` whose names are not in `replaced`. */
const without = (own: HeaderList, replaced: HeaderList): HeaderList =>
  own.filter((_, index) => !replaced.some((name, at) => at % 2 === 0 && name === own[index & ~1]))

const forwardedFields = (address: string, protocol: string, host: string): string =>
  `x-forwarded-for: ${address}\r\nx-forwarded-proto: ${protocol}\r\nx-forwarded-host: ${host}\r\n`

const protocolOf = (peer: PeerInfo): string => (peer.encrypted ? 'https' : 'http')

type Remembered = { host: string; consumer: Consumer | null; version: string; text: string }

/** The fields of the latest caller on each client connection: most connections name one host and key all their life. */
const remembered = new WeakMap<PeerInfo, Remembered>()

const viaField = (version: string): string => `via: ${version} portico\r\n`
const consumerField = (consumer: Consumer | null): string =>
  consumer === null ? '' : `x-consumer: ${consumer.name}\r\n`

const directFields = ({ consumer, exchange }: GatewayCall): string => {
  const { peer, host, version } = exchange
  const known = remembered.get(peer)
  if (known !== undefined && known.host === host && known.consumer === consumer && known.version === version)
    return known.text
  const fields = forwardedFields(peer.remoteAddress, protocolOf(peer), host)
  const text = viaField(version) + fields + consumerField(consumer)
  remembered.set(peer, { host, consumer, version, text })
  return text
}

/** Who called, for an upstream of the same house (product interface: "HTTP of the gateway"). */
const callerFields = (call: GatewayCall): string => {
  const { forwarding, exchange, consumer } = call
  const { forwardedFor, forwardedProto, forwardedHost } = forwarding
  if (forwardedFor === '' && forwardedProto === '' && forwardedHost === '') return directFields(call)
  const { peer, host, version } = exchange
  const fields = forwardedFields(
    forwardedFor === '' ? peer.remoteAddress : `${forwardedFor}, ${peer.remoteAddress}`,
    forwardedProto === '' ? protocolOf(peer) : forwardedProto,
    forwardedHost === '' ? host : forwardedHost,
  )
  return viaField(version) + fields + consumerField(consumer)
}

/** All field lines of a request to an upstream: the passed ones, ours, and the fixed ones of the upstream. */
export const upstreamFields = (call: GatewayCall, own: HeaderList, options: ForwardOptions): string => {
  const { forwarding, exchange } = call
  const fixed = options.upstream.config.headers
  const passed = fixed.length === 0 ? own : without(own, fixed)
  const ids = `x-request-id: ${forwarding.requestId}\r\ntraceparent: ${forwarding.traceparent}\r\n`
  const caller = options.foreign === true ? viaField(exchange.version) : callerFields(call)
  return fieldLines(passed) + ids + caller + (fixed.length === 0 ? '' : fieldLines(fixed))
}
