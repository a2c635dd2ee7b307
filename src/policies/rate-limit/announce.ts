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
  const policy = `"${name}";q=${limit};w=${seconds(window)}`
  const left = `"${name}";r=`
  const quota = String(limit)
  return (call: Call, { remaining, resetMs }: LimitDecision): void => {
    const reset = seconds(resetMs)
    if (standard) {
      call.addResponseHeader('ratelimit-policy', policy)
      call.addResponseHeader('ratelimit', `${left}${remaining};t=${reset}`)
    }
    if (!legacy) return
    call.addResponseHeader('x-ratelimit-limit', quota)
    call.addResponseHeader('x-ratelimit-remaining', String(remaining))
    call.addResponseHeader('x-ratelimit-reset', String(reset))
  }
}
