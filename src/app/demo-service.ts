import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { UserError } from '#base/errors'

/** A service that dies more often than this is broken, and starting it again would only use the machine up. */
const maxRestarts = 5
const readyMs = 10_000

export type Keeper = {
  readonly port: number
  /** Of the process that runs now. */
  readonly pid: number | undefined
  stop(): Promise<void>
}

type Running = { child: ChildProcess; port: number }

const launch = (name: string, file: string, port: number): Promise<Running> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file, '--port', String(port)], {
      // The service ends when its stdin does, which happens however this process ends.
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, SERVICE_PARENT: '1' },
    })
    child.stdin.on('error', () => {})
    const fail = (what: string): void => {
      clearTimeout(timer)
      child.kill('SIGKILL')
      reject(new UserError(`The example service ${name} ${what}`))
    }
    const timer = setTimeout(() => fail('did not become ready'), readyMs)
    const failEarly = (): void => fail('ended before it was ready')
    child.once('error', error => fail(`cannot be started: ${error.message}`))
    child.once('exit', failEarly)
    createInterface({ input: child.stdout }).on('line', line => {
      const match = /^\{"listening":(\d+)\}$/.exec(line)
      if (match === null) return
      clearTimeout(timer)
      child.off('exit', failEarly)
      resolve({ child, port: Number(match[1]) })
    })
  })

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

/**
 * Runs the service in `file` and starts it again on the same port when it ends by itself, five times at most.
 * Resolves when it listens. Throws a UserError when it never does.
 */
export const keepRunning = async (name: string, file: string): Promise<Keeper> => {
  let { child, port } = await launch(name, file, 0)
  let stopped = false
  let restarts = 0

  const watch = (): void => {
    child.once('exit', () => void restart())
    if (hasEnded(child)) void restart()
  }
  const restart = async (): Promise<void> => {
    child.removeAllListeners('exit')
    if (stopped || restarts++ >= maxRestarts) return
    try {
      const next = await launch(name, file, port)
      child = next.child
      if (stopped) child.kill('SIGKILL')
      else watch()
    } catch {
      void restart()
    }
  }
  watch()

  return {
    port,
    get pid() {
      return child.pid
    },
    stop: async () => {
      stopped = true
      if (hasEnded(child)) return
      const ended = new Promise(resolve => child.once('exit', resolve))
      child.stdin?.end()
      await ended
    },
  }
}
