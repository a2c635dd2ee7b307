import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parentPort, workerData } from 'node:worker_threads'
import { createGateway } from '#gateway/gateway'
import { sharedCounters } from '#storage/shared-counters'
import { openCallWriter } from '#storage/call-writer'
import { units } from './catalogue.ts'
import type { FromWorker, ToWorker, WorkerStart } from './worker-messages.ts'

/** One gateway worker: an event loop of its own with a listener on the shared port. */
const port = parentPort
if (port === null) throw new Error('This file runs as a worker thread')
const start = workerData as WorkerStart
const say = (message: FromWorker): void => port.postMessage(message)

const loopDelay = monitorEventLoopDelay({ resolution: 20 })
loopDelay.enable()
const writer = openCallWriter(start.callsPort)

let revision = start.revision
const gateway = createGateway(
  {
    units,
    counters: sharedCounters(start.countersMemory),
    observer: () => {},
    onInvalid: () => {},
  },
  start.document,
  revision,
)

const drain = async (deadlineMs: number): Promise<void> => {
  await gateway.drain(deadlineMs)
  await writer.flush()
  say({ kind: 'drained' })
  gateway.close()
  port.close()
  loopDelay.disable()
}

port.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'apply':
      try {
        gateway.apply(message.document, message.revision)
        revision = message.revision
        say({ kind: 'applied', revision })
      } catch (error) {
        say({ kind: 'apply-failed', revision: message.revision, message: (error as Error).message })
      }
      break
    case 'report':
      say({
        kind: 'report',
        id: message.id,
        report: {
          revision,
          load: gateway.load(),
          heapUsed: process.memoryUsage().heapUsed,
          eventLoopDelayMs: loopDelay.percentile(99) / 1e6,
          callsWritten: writer.written,
          callsDropped: writer.dropped,
          metrics: null,
        },
      })
      loopDelay.reset()
      break
    case 'drain':
      void drain(message.deadlineMs)
      break
    case 'reopen-logs':
      break
  }
})

gateway.listen({ host: start.host, port: start.port, reusePort: start.reusePort }).then(
  taken => say({ kind: 'listening', port: taken }),
  (error: NodeJS.ErrnoException) => say({ kind: 'listen-failed', code: error.code ?? '', message: error.message }),
)
