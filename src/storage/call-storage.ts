import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import {
  type CallDestination,
  type CallThreadData,
  type FromCallThread,
  reviveError,
  type ToCallThread,
} from './call-messages.ts'
import type { CallPage, CallRecord, CallStore, CallStoreStats } from './calls.ts'

const firstRestartMs = 100
const slowestRestartMs = 5000
/** A thread that has not ended by then is terminated; what SQLite has committed is safe. */
const closeMs = 5000

export type CallStorageOptions = CallThreadData & { log?: (message: string) => void }

export type CallStorage = {
  /** The store, asked over the storage thread; rejects while that thread is being restarted. */
  readonly store: CallStore
  /** A port for one gateway worker, which opens it with `openCallWriter`; it survives restarts of the thread. */
  connect(): MessagePort
  stats(): { running: boolean; restarts: number; lastError: string | null }
  /** Writers should have been flushed before. */
  close(): Promise<void>
}

/** Starts the storage thread and keeps it running: one that dies is restarted, with a growing delay. */
export const startCallStorage = (options: CallStorageOptions): CallStorage => {
  const { folder, keep, log = message => console.error(message) } = options
  const questions = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>()
  const writers = new Set<MessagePort>()
  let worker: Worker | null = null
  let running = false
  let closing = false
  let restarts = 0
  let delay = firstRestartMs
  let lastError: string | null = null
  let timer: NodeJS.Timeout | undefined
  let questionId = 0

  const send = (message: ToCallThread, transfer: (MessagePort | ArrayBuffer)[] = []): void =>
    worker?.postMessage(message, transfer)

  /** Batches go straight from the gateway worker to the storage thread; only the new way is told through here. */
  const direct = (writer: MessagePort): void => {
    const { port1, port2 } = new MessageChannel()
    send({ kind: 'connect', port: port1 }, [port1])
    writer.postMessage({ port: port2 } satisfies CallDestination, [port2])
  }

  const onMessage = (message: FromCallThread): void => {
    if (message.kind === 'log') {
      log(message.message)
      return
    }
    if (message.kind === 'ready') {
      running = true
      delay = firstRestartMs
      lastError = null
      for (const writer of writers) direct(writer)
      return
    }
    const question = questions.get(message.id)
    questions.delete(message.id)
    if (message.kind === 'answer') question?.resolve(message.result)
    else question?.reject(reviveError(message.name, message.message))
  }

  const onError = (error: unknown): void => {
    const text = error instanceof Error ? error.message : String(error)
    if (text !== lastError) log(`call log: the storage thread failed: ${text}`)
    lastError = text
  }

  const onExit = (): void => {
    worker = null
    running = false
    for (const question of questions.values()) question.reject(new Error('the call log is not available'))
    questions.clear()
    if (closing) return
    restarts++
    timer = setTimeout(start, delay)
    delay = Math.min(delay * 2, slowestRestartMs)
  }

  const start = (): void => {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    worker = new Worker(new URL(`./calls-thread.${extension}`, import.meta.url), {
      name: 'portico-calls',
      workerData: { folder, keep } satisfies CallThreadData,
    })
    worker.on('message', onMessage)
    worker.on('error', onError)
    worker.on('exit', onExit)
  }

  const ask = <Result>(method: 'insert' | 'query' | 'get' | 'stats', ...input: unknown[]): Promise<Result> =>
    new Promise((resolve, reject) => {
      if (!worker || closing) {
        reject(new Error(closing ? 'the call log is closed' : 'the call log is not available'))
        return
      }
      const id = ++questionId
      questions.set(id, { resolve: resolve as (result: unknown) => void, reject })
      send({ kind: 'ask', id, method, input })
    })

  const stop = async (): Promise<void> => {
    closing = true
    clearTimeout(timer)
    for (const writer of writers) writer.close()
    if (!worker) return
    const stuck = worker
    const limit = setTimeout(() => void stuck.terminate(), closeMs)
    send({ kind: 'close' })
    await new Promise(resolve => stuck.once('exit', resolve))
    clearTimeout(limit)
  }
  let stopped: Promise<void> | null = null
  const close = (): Promise<void> => (stopped ??= stop())

  start()
  return {
    store: {
      insert: (batch, rows) => ask<void>('insert', batch, rows),
      query: (filter, page) => ask<CallPage>('query', filter, page),
      get: requestId => ask<CallRecord | null>('get', requestId),
      stats: () => ask<CallStoreStats>('stats'),
      close,
    },
    connect: () => {
      const { port1, port2 } = new MessageChannel()
      writers.add(port1)
      port1.on('close', () => writers.delete(port1))
      port1.unref()
      if (running) direct(port1)
      return port2
    },
    stats: () => ({ running, restarts, lastError }),
    close,
  }
}
