import type { MessagePort } from 'node:worker_threads'
import type { MetricsSnapshot } from '#analytics/metrics'
import type { PackedDocument } from '#config/packed-document'
import type { GatewayLoad } from '#gateway/gateway'
import type { UpstreamQuestion, UpstreamView } from '#gateway/health/upstream-view'
import type { MirrorCounts } from '#gateway/shaping/mirror'
import type { TlsSecrets } from '#gateway/tls-port'
import type { Addresses } from './loader-messages.ts'

/** What a gateway worker is started with. */
export type WorkerStart = {
  document: PackedDocument
  revision: number
  countersMemory: SharedArrayBuffer
  healthMemory: SharedArrayBuffer
  addresses: Addresses
  sharedState: SharedArrayBuffer
  /** Where the worker shows that its event loop turns (src/app/watchdog.ts). */
  beat: SharedArrayBuffer
  /** Its number, from 0, among as many workers as `count`. */
  index: number
  count: number
  callsPort: MessagePort
  host: string
  port: number
  /** Where TLS is spoken; null for nowhere. */
  tls: { host: string; port: number; secrets: TlsSecrets } | null
  reusePort: boolean
}

export type WorkerReport = {
  revision: number
  load: GatewayLoad
  heapUsed: number
  eventLoopDelayMs: number
  callsWritten: number
  callsDropped: number
  accessLogDropped: number
  counterEvictions: number
  mirrors: MirrorCounts
  metrics: MetricsSnapshot
  /** Upstreams whose targets can go out. */
  watched: UpstreamView[]
}

export type ToWorker =
  | { kind: 'apply'; document: PackedDocument; revision: number }
  | { kind: 'resolve'; addresses: Addresses }
  | { kind: 'tls'; id: number; secrets: TlsSecrets }
  | { kind: 'report'; id: number }
  | { kind: 'find-upstreams'; id: number; question: UpstreamQuestion }
  | { kind: 'drain'; delayMs: number; deadlineMs: number }
  | { kind: 'reopen-logs' }

export type FromWorker =
  | { kind: 'listening'; port: number; tlsPort: number }
  | { kind: 'listen-failed'; tls: boolean; code: string; message: string }
  | { kind: 'applied'; revision: number }
  | { kind: 'apply-failed'; revision: number; message: string }
  | { kind: 'report'; id: number; report: WorkerReport }
  | { kind: 'upstreams'; id: number; upstreams: UpstreamView[] }
  | { kind: 'tls-renewed'; id: number }
  | { kind: 'drained' }
  | { kind: 'log'; level: 'info' | 'warn' | 'error'; message: string; details?: Record<string, unknown> }
