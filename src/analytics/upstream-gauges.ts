import type { Gauge } from './render-prometheus.ts'

/** What the metrics tell of an upstream whose targets can go out. */
export type MeasuredUpstream = {
  readonly name: string
  readonly panic: boolean
  readonly targets: readonly {
    readonly url: string
    readonly address: string | null
    readonly health: string
    readonly ejections: number
    readonly checks: number
    readonly active: number
    readonly latencyMs: number | null
  }[]
}

/** Gauges of targets with health checks, ejection or slow start; others are always called and have none. */
export const upstreamGauges = (upstreams: readonly MeasuredUpstream[]): Gauge[] => {
  const all = upstreams.flatMap(({ name, targets }) =>
    targets.map(target => ({
      target,
      labels: { upstream: name, target: target.url, ...(target.address !== null && { address: target.address }) },
    })),
  )
  const gauges = (
    name: string,
    type: Gauge['type'],
    help: string,
    value: (target: (typeof all)[number]['target']) => number | null,
  ): Gauge[] =>
    all.flatMap(({ target, labels }) => {
      const now = value(target)
      return now === null ? [] : [{ name, help, type, labels, value: now }]
    })
  return [
    ...gauges(
      'portico_upstream_target_healthy',
      'gauge',
      'Whether a target may be called (1) or is out (0).',
      target => (target.health === 'healthy' ? 1 : 0),
    ),
    ...gauges(
      'portico_upstream_target_ejections_total',
      'counter',
      'How often a target was left out because its calls failed.',
      ({ ejections }) => ejections,
    ),
    ...gauges(
      'portico_upstream_target_checks_total',
      'counter',
      'Active health checks of a target.',
      ({ checks }) => checks,
    ),
    ...gauges(
      'portico_upstream_target_active_requests',
      'gauge',
      'Calls under way at a target.',
      ({ active }) => active,
    ),
    ...gauges(
      'portico_upstream_target_latency_seconds',
      'gauge',
      'Decaying peak of the time to the head of an answer, for peak-ewma.',
      ({ latencyMs }) => (latencyMs === null ? null : latencyMs / 1000),
    ),
    ...upstreams.map(
      ({ name, panic }): Gauge => ({
        name: 'portico_upstream_panic',
        help: 'Whether all targets are used because too few are healthy (1) or not (0).',
        type: 'gauge',
        labels: { upstream: name },
        value: panic ? 1 : 0,
      }),
    ),
  ]
}
