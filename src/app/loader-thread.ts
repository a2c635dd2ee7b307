import { parentPort, workerData } from 'node:worker_threads'
import { runSteps } from '#base/steps'
import { unpackSteps } from '#config/packed-document'
import { explain } from '#gateway/explain'
import { HealthTable } from '#gateway/health/health-table'
import { compileForReading, loadRevision, type Reading } from './configuration.ts'
import type { FromLoader, ToLoader } from './loader-messages.ts'

/** Reads, checks and explains configurations, so that no thread that answers anybody is held up by a large one. */
const port = parentPort
if (port === null) throw new Error('This file runs as a worker thread')

/** The latest that was explained or read: the next question is likely to be about it. */
let latest: Reading | null = null
const table = new HealthTable(workerData as SharedArrayBuffer)

const snapshotOf = (message: Extract<ToLoader, { kind: 'explain' }>): Reading['snapshot'] => {
  if (latest === null || latest.snapshot.revision !== message.revision)
    latest = compileForReading(runSteps(unpackSteps(message.document)), message.revision, table)
  latest.upstreams.resolve(message.addresses)
  return latest.snapshot
}

const answer = (message: ToLoader): FromLoader => {
  const { id } = message
  try {
    if (message.kind === 'explain') return { id, ok: true, answer: explain(snapshotOf(message), message.request) }
    const { loaded, reading } = loadRevision(message.file, message.env, message.revision, table)
    latest = reading ?? latest
    return { id, ok: true, answer: loaded }
  } catch (error) {
    return { id, ok: false, message: error instanceof Error ? error.message : String(error) }
  }
}

port.on('message', (message: ToLoader) => port.postMessage(answer(message)))
