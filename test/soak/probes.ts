import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

export type ThreadMemory = { heapUsed: number; external: number; arrayBuffers: number }

/** What a gateway needs to be probed: flags for Node and environment; and the calls to the threads. */
export type Probes = {
  readonly nodeArgs: string[]
  readonly env: Record<string, string>
  /** The memory of a thread (`main`, `worker-0`) after a collection; null when it is not there. */
  memory(thread: string): Promise<ThreadMemory | null>
  /** Lets a thread die of an uncaught error. */
  kill(thread: string): Promise<void>
  stop(): void
}

const ask = (path: string, order: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(path, () => socket.write(order))
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no answer to ${order}`)))
    socket.on('data', chunk => {
      answer += chunk
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(answer))
  })

export const startProbes = (): Probes => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-probes-'))
  /** The newest thread of this name; the names of dead ones stay. */
  const pathOf = (thread: string): string | null => {
    const found = readdirSync(folder).filter(name => name.startsWith(`${thread}-`))
    found.sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
    const last = found.at(-1)
    return last === undefined ? null : join(folder, last)
  }
  return {
    nodeArgs: ['--expose-gc', '--import', pathToFileURL(join(import.meta.dirname, 'thread-probe.ts')).href],
    env: { PORTICO_PROBES: folder },
    memory: async thread => {
      const path = pathOf(thread)
      if (path === null) return null
      try {
        return JSON.parse(await ask(path, 'memory')) as ThreadMemory
      } catch {
        return null
      }
    },
    kill: async thread => {
      const path = pathOf(thread)
      if (path === null) throw new Error(`${thread} has no probe`)
      await ask(path, 'die').catch(() => {})
    },
    stop: () => rmSync(folder, { recursive: true, force: true }),
  }
}
