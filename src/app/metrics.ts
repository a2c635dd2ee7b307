import { gatewayGauges, mirrorCounters, processGauges } from '#analytics/gauges'
import type { MetricsSnapshot } from '#analytics/metrics'
import { renderPrometheus } from '#analytics/render-prometheus'
import { upstreamGauges } from '#analytics/upstream-gauges'
import { mergeViews } from '#gateway/health/upstream-view'
import { guardMetrics } from './guard-metrics.ts'
import type { WorkerReport } from './worker-messages.ts'

/** The Prometheus page: what the workers counted, merged, and the gauges of the whole process. */
export const renderMetrics = (
  reports: readonly WorkerReport[],
  retired: MetricsSnapshot,
  revision: number,
  reloadFailed: boolean,
): string => {
  const sum = (pick: (report: WorkerReport) => number): number =>
    reports.reduce((total, report) => total + pick(report), 0)
  const gauges = gatewayGauges({
    activeRequests: sum(({ load }) => load.activeCalls),
    connections: sum(({ load }) => load.connections),
    upstreamConnections: sum(({ load }) => load.upstreamConnections),
    workers: reports.length,
    callsWritten: sum(report => report.callsWritten),
    callsDropped: sum(report => report.callsDropped),
    accessLogDropped: sum(report => report.accessLogDropped),
    // The counters are shared memory: every worker sees the same number.
    counterEvictions: Math.max(0, ...reports.map(report => report.counterEvictions)),
    snapshotRevision: revision,
    reloadFailed,
  })
  return renderPrometheus(
    [retired, ...reports.map(report => report.metrics)],
    [
      ...gauges,
      ...upstreamGauges(mergeViews(reports.map(({ watched }) => watched))),
      ...guardMetrics(reports),
      ...mirrorCounters(reports.map(({ mirrors }) => mirrors)),
      ...processGauges(),
    ],
  )
}
