import type { GatewayError } from '#base/errors'
import type { Pool } from '#http/client'
import type { HeaderList } from '#http/headers'

/**
 * How one try at a target ended: `ok` with a whole response, whatever its status; `error` with a broken or invalid one;
 * `timeout` after the connection stood; `connect` before it did; `cancelled` for reasons that say nothing of the target.
 */
export type Outcome = 'ok' | 'error' | 'timeout' | 'connect' | 'cancelled'

/** What of a call the choice of a target may depend on. */
export type BalanceCall = {
  readonly headers: HeaderList
  readonly clientAddress: string
  readonly path: string
  readonly consumer: { readonly name: string } | null
}

export type TargetOptions = Pick<Target, 'url' | 'authority' | 'basePath' | 'weight' | 'pool'>

/** One address of an upstream. Its pool is shared by all upstreams and routes that name the same origin. */
export class Target {
  readonly url: string
  /** `host:port` as sent in Host. */
  readonly authority: string
  /** Path of the URL, put before the forwarded path; empty for none. */
  readonly basePath: string
  readonly weight: number
  readonly pool: Pool
  /** Tries under way. */
  active = 0

  constructor({ url, authority, basePath, weight, pool }: TargetOptions) {
    this.url = url
    this.authority = authority
    this.basePath = basePath
    this.weight = weight
    this.pool = pool
  }

  /** A try starts. */
  begin(): void {
    this.active++
  }

  /**
   * A try that began has ended: called exactly once for each. `milliseconds` is the time to the response head, or to the
   * failure; `status` is 0 without a response. Which statuses count as failures is the upstream's configuration.
   */
  end(_outcome: Outcome, _milliseconds: number, _status: number): void {
    this.active--
  }
}

/** What an error of the engine says about the target that was tried. */
export const outcomeOf = ({ code, retry }: GatewayError): Outcome => {
  // A connection that was kept and closed under the request: every idle connection ends so one day.
  if (retry === 'if-reused') return 'cancelled'
  if (retry === 'yes' || code === 'upstream-tls') return 'connect'
  return code === 'upstream-timeout' ? 'timeout' : 'error'
}
