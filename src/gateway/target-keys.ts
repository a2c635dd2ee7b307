import type { ActiveHealthDocument, PassiveHealthDocument } from '#config/document'
import type { ResolvedAddress } from './endpoint.ts'

/** The address of a target for people; null where the system resolves its name. */
export const addressText = (resolved: ResolvedAddress | null): string | null => {
  if (resolved === null) return null
  const { address, port } = resolved
  if (port === null) return address
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** The name of a target for people. */
export const targetName = (url: string, resolved: ResolvedAddress | null): string =>
  resolved === null ? url : `${url} (${addressText(resolved)})`

/** Names what calls show of an endpoint: shared by all upstreams that judge by the same rules. */
export const stateKey = (
  endpoint: string,
  rules: { readonly passive: PassiveHealthDocument | null; readonly slowStart: number },
): string => `state\n${endpoint}\n${JSON.stringify(rules.passive)}\n${rules.slowStart > 0}`

/** Names what checks found: shared by all upstreams that check in the same way. */
export const checkKey = (endpoint: string, authority: string, active: ActiveHealthDocument): string =>
  `check\n${endpoint}\n${authority}\n${JSON.stringify(active)}`
