import { setPriority } from 'node:os'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { CallAcknowledgement, CallBatch, CallThreadData, FromCallThread, ToCallThread } from './call-messages.ts'
import type { CallStore } from './calls.ts'
import { openSqliteCalls } from './drivers/sqlite-calls.ts'

// The storage thread: owns the call store, takes batches from gateway workers and questions from the main thread.

// On Linux this is the priority of this thread alone: what is written to disk must never keep a call waiting that shares
// its core (a batch is a few milliseconds of work, which was seen in the latency of one call in a hundred).
if (process.platform === 'linux') setPriority(5)

const main = parentPort as MessagePort
const tell = (message: FromCallThread): void => main.postMessage(message)
const log = (message: string): void => tell({ kind: 'log', message })

const { folder, keep } = workerData as CallThreadData
const store = openSqliteCalls({ folder, keep, log })

let failing = false

const takeBatch = async (port: MessagePort, { data, rows, span }: CallBatch): Promise<void> => {
  let stored = true
  try {
    await store.insert(data, rows, span)
  } catch (error) {
    stored = false
    // One line per trouble, not one per batch: a full disk refuses all of them.
    if (!failing) log(`call log: calls are dropped: ${(error as Error).message}`)
  }
  if (failing && stored) log('call log: calls are stored again')
  failing = !stored
  const memory = data.buffer
  port.postMessage({ stored, memory } satisfies CallAcknowledgement, [memory])
}

const answer = async (id: number, method: keyof CallStore, input: unknown[]): Promise<void> => {
  try {
    const ask = store[method] as (...input: unknown[]) => Promise<unknown>
    tell({ kind: 'answer', id, result: await ask.apply(store, input) })
  } catch (error) {
    const { name, message } = error as Error
    tell({ kind: 'failure', id, name, message })
  }
}

main.on('message', (message: ToCallThread) => {
  if (message.kind === 'ask') void answer(message.id, message.method, message.input)
  else if (message.kind === 'connect') {
    const { port } = message
    port.on('message', (batch: CallBatch) => void takeBatch(port, batch))
  } else void store.close().finally(() => process.exit(0))
})

tell({ kind: 'ready' })
