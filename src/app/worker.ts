import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parentPort, workerData } from 'node:worker_threads'
import { type AccessLog, openAccessLog } from '#analytics/access-log'
import { createWorkerMetrics } from '#analytics/metrics'
import { createCallRecorder } from '#analytics/record-call'
import { runSteps, runStepsInTurns } from '#base/steps'
import { unpackSteps } from '#config/packed-document'
import { createGateway } from '#gateway/gateway'
import { HealthTable } from '#gateway/health/health-table'
import { openCallWriter } from '#storage/call-writer'
import { sharedCounters } from '#storage/shared-counters'
import { units } from './catalogue.ts'
import { upstreamLine } from './upstream-log.ts'
import { keepBeating } from './watchdog.ts'
import type { FromWorker, ToWorker, WorkerStart } from './worker-messages.ts'

/** One gateway worker: an event loop of its own with a listener on the shared port. */
const port = parentPort
if (port === null) throw new Error('This file runs as a worker thread')
const start = workerData as WorkerStart
const say = (message: FromWorker): void => port.postMessage(message)
const warn = (message: string): void => say({ kind: 'log', level: 'warn', message })

keepBeating(start.beat)
const loopDelay = monitorEventLoopDelay({ resolution: 20 })
loopDelay.enable()
const counters = sharedCounters(start.countersMemory)
const writer = openCallWriter(start.callsPort)
const metrics = createWorkerMetrics()
const first = runSteps(unpackSteps(start.document))
let accessLogTarget = first.settings.accessLog
let accessLog: AccessLog | null = openAccessLog(accessLogTarget, { log: warn })

let keepsCalls = first.settings.calls.keep > 0

const recorder = createCallRecorder([
  record => {
    if (keepsCalls) writer.record(record)
    metrics.observe(record)
    accessLog?.write(record)
  },
])

let revision = start.revision
const gateway = createGateway(
  {
    units,
    counters,
    observer: recorder.onCall,
    onInvalid: recorder.onRefused,
    health: new HealthTable(start.healthMemory),
    addresses: start.addresses,
    onMirrorDifference: text => say({ kind: 'log', level: 'info', message: text }),
    tls: start.tls?.secrets ?? null,
    onUpstream: event => say({ kind: 'log', ...upstreamLine(event) }),
    place: { index: start.index, count: start.count, memory: start.sharedState, warn },
  },
  first,
  revision,
)

const setAccessLog = (target: string): void => {
  if (target === accessLogTarget) return
  accessLogTarget = target
  void accessLog?.close()
  accessLog = openAccessLog(target, { log: warn })
}

const apply = async ({ document: packed, revision: next }: Extract<ToWorker, { kind: 'apply' }>): Promise<void> => {
  try {
    const document = await runStepsInTurns(unpackSteps(packed))
    await gateway.applyInTurns(document, next)
    setAccessLog(document.settings.accessLog)
    keepsCalls = document.settings.calls.keep > 0
    revision = next
    say({ kind: 'applied', revision })
  } catch (error) {
    say({ kind: 'apply-failed', revision: next, message: (error as Error).message })
  }
}

/** Configurations are applied one after the other, since a large one takes its time. */
let applying = Promise.resolve()

const report = (id: number): void => {
  say({
    kind: 'report',
    id,
    report: {
      revision,
      load: gateway.load(),
      heapUsed: process.memoryUsage().heapUsed,
      eventLoopDelayMs: Math.max(0, loopDelay.percentile(99) / 1e6),
      callsWritten: writer.written,
      callsDropped: writer.dropped,
      accessLogDropped: accessLog?.dropped ?? 0,
      counterEvictions: counters.stats().evictions,
      mirrors: { ...gateway.mirrors },
      metrics: metrics.snapshot(),
      watched: gateway.watchedUpstreams(),
    },
  })
  loopDelay.reset()
}

const drain = async (times: { delayMs: number; deadlineMs: number }): Promise<void> => {
  await gateway.drain(times)
  await writer.flush()
  await accessLog?.close()
  gateway.close()
  loopDelay.disable()
  say({ kind: 'drained' })
}

port.on('message', (message: ToWorker) => {
  if (message.kind === 'apply') applying = applying.then(() => apply(message))
  else if (message.kind === 'resolve') gateway.resolve(message.addresses)
  else if (message.kind === 'tls') {
    gateway.renewTls(message.secrets)
    say({ kind: 'tls-renewed', id: message.id })
  } else if (message.kind === 'report') report(message.id)
  else if (message.kind === 'find-upstreams')
    say({ kind: 'upstreams', id: message.id, upstreams: gateway.findUpstreams(message.question) })
  else if (message.kind === 'drain') void drain(message)
  else accessLog?.reopen()
})

const failedToListen = (tls: boolean) => (error: NodeJS.ErrnoException) => {
  say({ kind: 'listen-failed', tls, code: error.code ?? '', message: error.message })
  return -1
}

const listen = async (): Promise<void> => {
  const { host, tls, reusePort } = start
  const taken = await gateway.listen({ host, port: start.port, reusePort }).catch(failedToListen(false))
  if (taken < 0) return
  const where = tls === null ? null : { host: tls.host, port: tls.port, reusePort }
  const tlsPort = where === null ? 0 : await gateway.listenTls(where).catch(failedToListen(true))
  if (tlsPort >= 0) say({ kind: 'listening', port: taken, tlsPort })
}

void listen()
