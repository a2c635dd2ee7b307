import { Worker } from 'node:worker_threads'
import type { Explanation } from '#gateway/explain'
import type { Addresses, ExplainRequest, FromLoader, Loaded, Revision, ToLoader } from './loader-messages.ts'

export type Loader = {
  /** Reads, checks and compiles a config file in a thread of its own. Rejects only when that thread broke. */
  load(file: string, env: NodeJS.ProcessEnv, revision: number): Promise<Loaded>
  explain(revision: Revision, addresses: Addresses, request: ExplainRequest): Promise<Explanation>
  close(): Promise<void>
}

/** Unused for so long the thread ends, and gives back the memory that reading a large configuration takes. */
const idleMs = 30_000

type Waiting = { thread: Worker; resolve: (answer: Loaded | Explanation) => void; reject: (error: Error) => void }

/** Starts the loader thread when it is first asked, and again when it is asked after its end. */
export const createLoader = (healthMemory: SharedArrayBuffer): Loader => {
  let thread: Worker | null = null
  let question = 0
  let rest: NodeJS.Timeout | undefined
  const waiting = new Map<number, Waiting>()

  const spawn = (): Worker => {
    const fresh = new Worker(new URL('./loader-thread.ts', import.meta.url), { workerData: healthMemory })
    fresh.unref()
    fresh.on('message', (message: FromLoader) => {
      const one = waiting.get(message.id)
      waiting.delete(message.id)
      if (message.ok) one?.resolve(message.answer)
      else one?.reject(new Error(message.message))
    })
    let reason = 'it ended'
    fresh.on('error', error => {
      reason = error instanceof Error ? error.message : String(error)
    })
    fresh.on('exit', () => {
      if (thread === fresh) thread = null
      // Another thread may have been started and asked meanwhile.
      for (const [id, { thread: asked, reject }] of waiting) {
        if (asked !== fresh) continue
        waiting.delete(id)
        reject(new Error(`The thread that reads configurations broke: ${reason}`))
      }
    })
    return fresh
  }

  const ask = (message: ToLoader): Promise<Loaded | Explanation> =>
    new Promise((resolve, reject) => {
      clearTimeout(rest)
      thread ??= spawn()
      waiting.set(message.id, { thread, resolve, reject })
      thread.postMessage(message)
      rest = setTimeout(() => {
        if (waiting.size === 0) void close()
      }, idleMs)
      rest.unref()
    })

  const close = async (): Promise<void> => {
    clearTimeout(rest)
    const old = thread
    thread = null
    await old?.terminate()
  }

  return {
    load: (file, env, revision) =>
      ask({ id: ++question, kind: 'load', file, env: { ...env }, revision }) as Promise<Loaded>,
    explain: ({ revision, document }, addresses, request) =>
      ask({ id: ++question, kind: 'explain', revision, document, addresses, request }) as Promise<Explanation>,
    close,
  }
}
