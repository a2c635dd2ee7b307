import { retrySchema } from '#config/resilience-schema'
import { TargetLoad } from './balance/target-load.ts'
import type { HealthTable } from './health/health-table.ts'
import { type BalanceCall, Target, type TargetOptions } from './target.ts'
import { BalancedUpstream, type UpstreamConfig } from './upstream.ts'

/** A call that nothing about balancing depends on. */
export const testCall: BalanceCall = { headers: [], clientAddress: '127.0.0.1', path: '/', consumer: null }

/** A target without connections: no algorithm looks at them. */
export const testTarget = (name: string, weight = 1, active = 0, more: Partial<TargetOptions> = {}): Target => {
  const url = `http://${name}`
  const load = new TargetLoad()
  load.active = active
  return new Target({
    url,
    authority: name,
    basePath: '',
    key: url,
    weight,
    priority: 0,
    address: null,
    pool: null as never,
    load,
    health: null,
    ...more,
  })
}

/** An upstream without targets; nothing is tried twice. */
export const testConfig: UpstreamConfig = {
  name: 'test',
  targets: [],
  balance: 'round-robin',
  timeouts: { connect: 1000, response: 1000, total: 1000 },
  retry: retrySchema.parse({ attempts: 0 }),
  preserveHost: false,
  headers: [],
}

/** An upstream over `targets`; with a table their health counts. */
export const testUpstream = (
  config: Partial<UpstreamConfig>,
  targets: readonly Target[],
  table: HealthTable | null = null,
  clock?: () => number,
): BalancedUpstream =>
  new BalancedUpstream({
    config: { ...testConfig, ...config },
    targets,
    guard: null as never,
    table,
    onPanic: () => {},
    ...(clock && { clock }),
  })
