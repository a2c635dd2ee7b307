import { parentPort } from 'node:worker_threads'
import { runSteps } from '#base/steps'
import { unpackSteps } from '#config/packed-document'
import { explain } from '#gateway/explain'
import type { Snapshot } from '#gateway/snapshot'
import { compileForReading, loadRevision } from './configuration.ts'
import type { FromLoader, ToLoader } from './loader-messages.ts'

/** Reads, checks and explains configurations, so that no thread that answers anybody is held up by a large one. */
const port = parentPort
if (port === null) throw new Error('This file runs as a worker thread')

/** The latest that was explained or read: the next question is likely to be about it. */
let latest: Snapshot | null = null

const snapshotOf = (message: Extract<ToLoader, { kind: 'explain' }>): Snapshot => {
  if (latest === null || latest.revision !== message.revision)
    latest = compileForReading(runSteps(unpackSteps(message.document)), message.revision)
  return latest
}

const answer = (message: ToLoader): FromLoader => {
  const { id } = message
  try {
    if (message.kind === 'explain') return { id, ok: true, answer: explain(snapshotOf(message), message.request) }
    const { loaded, snapshot } = loadRevision(message.file, message.env, message.revision)
    latest = snapshot ?? latest
    return { id, ok: true, answer: loaded }
  } catch (error) {
    return { id, ok: false, message: error instanceof Error ? error.message : String(error) }
  }
}

port.on('message', (message: ToLoader) => port.postMessage(answer(message)))
