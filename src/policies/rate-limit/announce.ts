import type { Call } from '#gateway/call'
import type { LimitDecision } from '#storage/counters'

type Announced = {
  readonly name: string
  readonly limit: number
  readonly window: number
  readonly headers: 'standard' | 'legacy' | 'both' | 'off'
}

/** Milliseconds as whole seconds, rounded up: who waits that long is never too early. */
export const seconds = (milliseconds: number): number => Math.ceil(milliseconds / 1000)

/**
 * Adds what is left of a limit to the response: draft-ietf-httpapi-ratelimit-headers-11 (structured fields,
 * RFC 9651), and the older `X-RateLimit-*` with the reset in seconds from now. Null when nothing is announced.
 */
export const announcement = ({ name, limit, window, headers }: Announced) => {
  if (headers === 'off') return null
  const standard = headers !== 'legacy'
  const legacy = headers !== 'standard'
  const standardLines = `ratelimit-policy: "${name}";q=${limit};w=${seconds(window)}\r\nratelimit: "${name}";r=`
  const legacyLines = `x-ratelimit-limit: ${limit}\r\nx-ratelimit-remaining: `
  return (call: Call, { remaining, resetMs }: LimitDecision): void => {
    const reset = seconds(resetMs)
    if (standard) call.addResponseLines(`${standardLines}${remaining};t=${reset}\r\n`)
    if (legacy) call.addResponseLines(`${legacyLines}${remaining}\r\nx-ratelimit-reset: ${reset}\r\n`)
  }
}
