import { monotonicMs } from '#base/clock'
import { GatewayError } from '#base/errors'
import type { Guard } from './guard.ts'
import type { Outcome, Target } from './target.ts'
import type { Upstream } from './upstream.ts'

/** What a try says about its upstream; null for nothing. */
const succeeded = (outcome: Outcome, status: number): boolean | null =>
  outcome === 'cancelled' ? null : outcome === 'ok' && status < 500

/**
 * Tells everybody who counts that a try has ended. `trial` is what the breaker said at its beginning; `milliseconds` the
 * time to the response head, or to the failure.
 */
export const endTry = (
  { breaker, gate }: Guard,
  target: Target,
  trial: number,
  outcome: Outcome,
  milliseconds: number,
  status: number,
): void => {
  target.end(outcome, milliseconds, status)
  if (breaker !== null) breaker.end(trial, succeeded(outcome, status), monotonicMs())
  if (gate !== null) gate.leave(target, outcome === 'ok' && status < 500 ? milliseconds : -1)
}

/** There is no target to try. */
export const noTarget = ({ waitSeconds }: Upstream): GatewayError =>
  new GatewayError('no-healthy-target', { headers: ['retry-after', String(waitSeconds)] })
