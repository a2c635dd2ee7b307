import type { MessagePort } from 'node:worker_threads'
import { Worker } from 'node:worker_threads'
import { type MetricsSnapshot, mergeMetrics } from '#analytics/metrics'
import type { Log } from '#base/log'
import type { PackedDocument } from '#config/packed-document'
import type { UpstreamQuestion, UpstreamView } from '#gateway/health/upstream-view'
import { createSharedState, maxWorkers, releaseWorker } from '#gateway/overload/shared-state'
import type { TlsSecrets } from '#gateway/tls-port'
import type { Addresses } from './loader-messages.ts'
import { respawnDelay } from './respawn-delay.ts'
import { createBeat, type Watched, watchBeats } from './watchdog.ts'
import type { FromWorker, ToWorker, WorkerReport, WorkerStart } from './worker-messages.ts'

export type WorkersOptions = {
  count: number
  host: string
  port: number
  document: PackedDocument
  revision: number
  countersMemory: SharedArrayBuffer
  healthMemory: SharedArrayBuffer
  /** What names stand for at the start. */
  addresses: Addresses
  /** Where TLS is spoken, with what the workers share for it; null for nowhere. */
  tls?: { host: string; port: number; secrets: TlsSecrets } | null
  connectCalls: () => MessagePort
  /** How long the event loop of a worker may stand still before it is replaced; 0 for ever. */
  stallMs: () => number
  log: Log
  /** What each thread runs; another one only in tests. */
  script?: URL
}

export type Workers = {
  /** The port that was taken. */
  readonly port: number
  /** The port of TLS; 0 where there is none. */
  readonly tlsPort: number
  readonly count: number
  readonly restarts: number
  /** Swaps the configuration everywhere; resolves when every worker serves it, rejects when one cannot. */
  apply(document: PackedDocument, revision: number): Promise<void>
  /** Tells every worker, also those to come, what names stand for now. */
  resolve(addresses: Addresses): void
  /** Gives every worker, also those to come, what they share for TLS; resolves when they have it. */
  renewTls(secrets: TlsSecrets): Promise<void>
  report(): Promise<WorkerReport[]>
  /** What each worker says of the upstreams that the question is about. */
  findUpstreams(question: UpstreamQuestion): Promise<UpstreamView[][]>
  /** What workers that are gone had counted when they last reported. */
  readonly retired: MetricsSnapshot
  reopenLogs(): void
  /** See `Gateway.drain`. */
  drain(times: { delayMs: number; deadlineMs: number }): Promise<void>
}

type Running = Watched & { index: number; thread: Worker; listening: boolean; metrics: MetricsSnapshot | null }

const reportTimeoutMs = 2_000

/**
 * The gateway threads. All listen on the same port by SO_REUSEPORT, so one that dies is replaced while the others keep
 * the port and go on serving.
 */
export const startWorkers = async (options: WorkersOptions): Promise<Workers> => {
  const { log } = options
  let { document, revision, addresses } = options
  let port = options.port
  let tls = options.tls ?? null
  let closing = false
  let restarts = 0
  let question = 0
  let count = options.count
  let retired: MetricsSnapshot = { calls: [], ai: [], grpc: [] }
  const running = new Set<Running>()
  const listeners = new Set<(worker: Running, message: FromWorker) => void>()
  const sharedState = createSharedState()

  const freeIndex = (): number => {
    const taken = new Set([...running].map(({ index }) => index))
    let index = 0
    while (taken.has(index)) index++
    return Math.min(index, maxWorkers - 1)
  }

  const delayAfter = respawnDelay()

  /** Starts a worker; a replacement is tried again until there is one. */
  const spawn = (reusePort: boolean, replaces = false): Promise<Running> =>
    new Promise((resolve, reject) => {
      const callsPort = options.connectCalls()
      const beat = createBeat()
      const bornAt = performance.now()
      const index = freeIndex()
      const workerData: WorkerStart = {
        document,
        revision,
        countersMemory: options.countersMemory,
        healthMemory: options.healthMemory,
        addresses,
        sharedState,
        beat,
        index,
        count,
        callsPort,
        host: options.host,
        port,
        tls,
        reusePort,
      }
      const thread = new Worker(options.script ?? new URL('./worker.ts', import.meta.url), {
        workerData,
        transferList: [callsPort],
        // Few objects of a call outlive it: a larger nursery means fewer, not longer, collections.
        resourceLimits: { maxYoungGenerationSizeMb: 24 },
      })
      const worker: Running = { index, thread, listening: false, metrics: null, beat, seen: 0, still: 0 }
      running.add(worker)
      const startedWith = revision
      const addressesAtStart = addresses
      const secretsAtStart = tls?.secrets
      thread.on('message', (message: FromWorker) => {
        if (message.kind === 'log') log(message.level, message.message, message.details)
        else if (message.kind === 'listening') {
          worker.listening = true
          port = message.port
          if (tls !== null) {
            tls = { ...tls, port: message.tlsPort }
            if (secretsAtStart !== tls.secrets)
              thread.postMessage({ kind: 'tls', id: 0, secrets: tls.secrets } satisfies ToWorker)
          }
          if (addressesAtStart !== addresses) thread.postMessage({ kind: 'resolve', addresses } satisfies ToWorker)
          // A configuration that was swapped while this thread started must reach it too.
          if (startedWith !== revision) thread.postMessage({ kind: 'apply', document, revision } satisfies ToWorker)
          resolve(worker)
        } else if (message.kind === 'listen-failed') {
          reject(Object.assign(new Error(message.message), { code: message.code, tls: message.tls }))
        } else for (const listener of listeners) listener(worker, message)
      })
      thread.on('error', error => {
        log('error', 'A gateway worker stopped', {
          reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
        })
        reject(error)
      })
      thread.on('exit', () => {
        running.delete(worker)
        releaseWorker(sharedState, index)
        // What it had counted stays in the sums: a counter must never fall.
        if (worker.metrics !== null) retired = mergeMetrics([retired, worker.metrics])
        reject(new Error('The worker ended before it listened'))
        if (closing || !(worker.listening || replaces)) return
        if (worker.listening) restarts++
        setTimeout(
          () => {
            if (!closing)
              spawn(true, true).catch(error =>
                log('error', 'A gateway worker could not be replaced yet', { reason: String(error) }),
              )
          },
          delayAfter(performance.now() - bornAt),
        )
      })
    })

  const broadcast = (message: ToWorker): void => {
    for (const worker of running) worker.thread.postMessage(message)
  }

  /** Waits until `judge` said true once for every worker that runs now and goes on running. */
  const collect = (judge: (worker: Running, message: FromWorker) => boolean, timeoutMs: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const waiting = new Set(running)
      const check = (): void => {
        for (const worker of waiting) if (!running.has(worker)) waiting.delete(worker)
        if (waiting.size > 0) return
        finish()
        resolve()
      }
      const listener = (worker: Running, message: FromWorker): void => {
        try {
          if (judge(worker, message)) waiting.delete(worker)
        } catch (error) {
          finish()
          reject(error as Error)
          return
        }
        check()
      }
      const timer = setInterval(check, 50)
      const limit = setTimeout(() => {
        finish()
        resolve()
      }, timeoutMs)
      const finish = (): void => {
        clearInterval(timer)
        clearTimeout(limit)
        listeners.delete(listener)
      }
      listeners.add(listener)
      check()
    })

  try {
    await spawn(true)
  } catch (error) {
    if (!/ENOTSUP|ENOSYS|EINVAL|ENOPROTOOPT/.test((error as NodeJS.ErrnoException).code ?? '')) throw error
    log('warn', 'This system cannot share a port between threads: one worker serves alone')
    count = 1
    await spawn(false)
  }
  await Promise.all(Array.from({ length: count - 1 }, () => spawn(true)))

  const watchdog = watchBeats(
    () => [...running].filter(({ listening }) => listening),
    options.stallMs,
    worker => {
      log('error', 'A gateway worker is replaced: it has done nothing but one thing for too long', {
        limitMs: options.stallMs(),
      })
      void worker.thread.terminate()
    },
  )

  return {
    get port() {
      return port
    },
    get tlsPort() {
      return tls?.port ?? 0
    },
    get retired() {
      return retired
    },
    get restarts() {
      return restarts
    },
    count,
    apply: (nextDocument, nextRevision) => {
      document = nextDocument
      revision = nextRevision
      const done = collect((_, message) => {
        if (message.kind === 'apply-failed' && message.revision === nextRevision) throw new Error(message.message)
        return message.kind === 'applied' && message.revision === nextRevision
      }, 60_000)
      broadcast({ kind: 'apply', document, revision })
      return done
    },
    renewTls: async secrets => {
      if (tls === null) return
      tls = { ...tls, secrets }
      const id = ++question
      const done = collect((_, message) => message.kind === 'tls-renewed' && message.id === id, reportTimeoutMs)
      broadcast({ kind: 'tls', id, secrets })
      await done
    },
    resolve: next => {
      addresses = next
      broadcast({ kind: 'resolve', addresses })
    },
    report: async () => {
      const id = ++question
      const reports: WorkerReport[] = []
      const done = collect((worker, message) => {
        if (message.kind !== 'report' || message.id !== id) return false
        worker.metrics = message.report.metrics
        reports.push(message.report)
        return true
      }, reportTimeoutMs)
      broadcast({ kind: 'report', id })
      await done
      return reports
    },
    findUpstreams: async asked => {
      const id = ++question
      const answers: UpstreamView[][] = []
      const done = collect((_, message) => {
        if (message.kind !== 'upstreams' || message.id !== id) return false
        answers.push(message.upstreams)
        return true
      }, reportTimeoutMs)
      broadcast({ kind: 'find-upstreams', id, question: asked })
      await done
      return answers
    },
    reopenLogs: () => broadcast({ kind: 'reopen-logs' }),
    drain: async ({ delayMs, deadlineMs }) => {
      closing = true
      const done = collect((_, message) => message.kind === 'drained', delayMs + deadlineMs + 5_000)
      broadcast({ kind: 'drain', delayMs, deadlineMs })
      await done
      watchdog.close()
      await Promise.all([...running].map(worker => worker.thread.terminate()))
    },
  }
}
