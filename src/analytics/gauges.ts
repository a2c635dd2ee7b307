import { readdirSync } from 'node:fs'
import type { Gauge } from './render-prometheus.ts'

/** Sums over all workers, taken when the metrics page is asked for. */
export type GatewayState = {
  activeRequests: number
  connections: number
  upstreamConnections: number
  workers: number
  callsWritten: number
  callsDropped: number
  /** Lines that the access log gave up. */
  accessLogDropped: number
  /** Counters that shared memory had no room for. */
  counterEvictions: number
  snapshotRevision: number
  /** Whether the last reload failed, so that an older snapshot is being served. */
  reloadFailed: boolean
}

const gauge = (name: string, help: string, value: number): Gauge => ({ name, help, type: 'gauge', value })
const counter = (name: string, help: string, value: number): Gauge => ({ name, help, type: 'counter', value })

export const gatewayGauges = (state: GatewayState): Gauge[] => [
  gauge('portico_active_requests', 'Calls in flight.', state.activeRequests),
  gauge('portico_connections', 'Open connections of clients.', state.connections),
  gauge('portico_upstream_connections', 'Open connections to upstreams.', state.upstreamConnections),
  gauge('portico_workers', 'Running gateway workers.', state.workers),
  counter('portico_calls_written_total', 'Calls that the call log has stored.', state.callsWritten),
  counter('portico_calls_dropped_total', 'Calls that the call log had to give up.', state.callsDropped),
  counter('portico_access_log_dropped_total', 'Lines that the access log had to give up.', state.accessLogDropped),
  counter('portico_counter_evictions_total', 'Limit counters given up for lack of room.', state.counterEvictions),
  gauge('portico_snapshot_revision', 'Revision of the configuration that is served.', state.snapshotRevision),
  gauge('portico_reload_failed', 'Whether the last reload was refused (1) or not (0).', state.reloadFailed ? 1 : 0),
]

/** Copies of calls by how they ended, over all workers; nothing while there were none. */
export const mirrorCounters = (workers: readonly Readonly<Record<string, number>>[]): Gauge[] => {
  const sums = new Map<string, number>()
  for (const counts of workers)
    for (const [result, count] of Object.entries(counts)) sums.set(result, (sums.get(result) ?? 0) + count)
  const help = 'Calls for mirrors: compared, answered without comparing, failed, or skipped.'
  if (![...sums.values()].some(count => count > 0)) return []
  return [...sums].map(([result, count]) => ({ ...counter('portico_mirror_total', help, count), labels: { result } }))
}

const startedAt = Date.now() / 1000 - process.uptime()

/** The basics of this process, by the names that Prometheus client libraries use. */
export const processGauges = (): Gauge[] => {
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed, external } = process.memoryUsage()
  const openFiles = countOpenFiles()
  return [
    counter('process_cpu_seconds_total', 'User and system CPU time in seconds.', (user + system) / 1e6),
    gauge('process_resident_memory_bytes', 'Resident memory in bytes.', rss),
    gauge('process_start_time_seconds', 'Start of the process in seconds since the epoch.', startedAt),
    gauge('nodejs_heap_size_used_bytes', 'JavaScript heap in use on the main thread.', heapUsed),
    gauge('nodejs_external_memory_bytes', 'Memory outside of the JavaScript heap.', external),
    ...(openFiles === null ? [] : [gauge('process_open_fds', 'Open file descriptors.', openFiles)]),
  ]
}

/** Null where the system does not tell. */
const countOpenFiles = (): number | null => {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return null
  }
}
