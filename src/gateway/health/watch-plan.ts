import type { ActiveHealthDocument, PassiveHealthDocument } from '#config/document'
import type { UpstreamTlsDocument } from '#config/tls'
import type { UpstreamProtocol } from '#http/client'
import { readPlace } from '../endpoint.ts'
import type { Upstream, UpstreamConfig } from '../upstream.ts'

/** A target about which something has to be found out: by checks, or in DNS. */
export type WatchedTarget = {
  readonly upstream: string
  readonly url: string
  readonly host: string | null
  readonly protocol: UpstreamProtocol
  readonly tls: UpstreamTlsDocument | null
  readonly active: ActiveHealthDocument | null
  readonly passive: PassiveHealthDocument | null
  /** What else names the state of the target (see `stateKey`). */
  readonly slowStart: number
}

/** What has to be watched for a configuration: plain data, for the one thread that does it for all. */
export type WatchPlan = readonly WatchedTarget[]

const watchOf = (config: UpstreamConfig): WatchedTarget[] => {
  const { name, targets, health, slowStart = 0, protocol = 'h1', tls = null } = config
  const active = health?.active ?? null
  const passive = health?.passive ?? null
  return targets
    .filter(
      ({ url }) => active !== null || passive !== null || slowStart > 0 || readPlace(url, null).discovery !== 'none',
    )
    .map(({ url, host }) => ({ upstream: name, url, host: host ?? null, protocol, tls, active, passive, slowStart }))
}

export const watchPlan = (upstreams: readonly Upstream[]): WatchPlan =>
  upstreams.flatMap(({ config }) => watchOf(config))
