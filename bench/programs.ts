import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { accessSync, closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

/** Which Debian package brings a program that a benchmark needs. */
const packages: Record<string, string> = {
  nginx: 'nginx-light',
  haproxy: 'haproxy',
  caddy: 'caddy',
  wrk: 'wrk',
  h2load: 'nghttp2-client',
  taskset: 'util-linux',
  setpriv: 'util-linux',
}

/** The path of a program; throws one clear line when it is not installed. */
export const findProgram = (name: string): string => {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']) {
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {}
  }
  throw new Error(`${name} is not installed: apt-get install -y --no-install-recommends ${packages[name] ?? name}`)
}

export const isInstalled = (name: string): boolean => {
  try {
    findProgram(name)
    return true
  } catch {
    return false
  }
}

const running = new Set<ChildProcess>()
const folders = new Set<string>()
let ending = false

/** A folder that goes away with the run. */
export const temporaryFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-bench-'))
  folders.add(folder)
  return folder
}

export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })

/** Moves this process, with all of its threads, to one core: it must not take time from the subject. */
export const stayOn = (core: number): void => {
  execFileSync(findProgram('taskset'), ['-acp', String(core), String(process.pid)], { stdio: 'ignore' })
}

export type Program = ChildProcess & {
  /** What it has written to both outputs, up to 64 kB. */
  said(): string
  /** Resolves when it has ended, with its exit code (null after a signal). */
  readonly ended: Promise<number | null>
}

type StartOptions = {
  environment?: Record<string, string>
  /** Where standard output goes instead of into `said()`. */
  outputFile?: string
  /** How much of the output `said()` keeps. */
  keep?: number
}

/** Starts a program on one core. taskset becomes the program, so the process id is the program's own. */
export const startOn = (core: number, command: string[], options: StartOptions = {}): Program =>
  start([findProgram('taskset'), '-c', String(core), ...command], options)

/** Starts a program, to be ended by the kernel if this process dies without time to do so. */
export const start = (command: string[], options: StartOptions = {}): Program => {
  if (ending) throw new Error('interrupted')
  const { environment = {}, outputFile, keep = 65_536 } = options
  const file = outputFile === undefined ? null : openSync(outputFile, 'a')
  const child = spawn(findProgram('setpriv'), ['--pdeathsig', 'TERM', ...command], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', file ?? 'pipe', 'pipe'],
  })
  if (file !== null) closeSync(file)
  let output = ''
  const add = (text: string): void => {
    if (output.length < keep) output += text
  }
  child.stdout?.setEncoding('utf8').on('data', add)
  child.stderr?.setEncoding('utf8').on('data', add)
  running.add(child)
  const ended = new Promise<number | null>(resolve => {
    child.on('close', code => {
      running.delete(child)
      resolve(code)
    })
  })
  return Object.assign(child, { said: () => output, ended })
}

const canConnect = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })

/** Asks `ready` every tenth of a second; throws with what the program said when it ends before, or needs a minute. */
export const waitFor = async (child: Program, ready: () => boolean | Promise<boolean>): Promise<void> => {
  for (let attempt = 0; attempt < 600 && child.exitCode === null && child.signalCode === null; attempt++) {
    if (await ready()) return
    await new Promise(wake => setTimeout(wake, 100))
  }
  throw new Error(`${child.spawnargs.slice(3).join(' ')} did not start: ${child.said().slice(0, 2000)}`)
}

/** Waits until something listens. */
export const waitForPort = (port: number, child: Program): Promise<void> => waitFor(child, () => canConnect(port))

/** Ends one program that was started here. */
export const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), 5000)
  await gone
  clearTimeout(force)
}

/** Ends all of them, lets no other start, and removes their folders. */
export const endAll = async (): Promise<void> => {
  ending = true
  await Promise.all([...running].map(end))
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
}
