import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
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

const running = new Set<ChildProcess>()
const folders = new Set<string>()

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

/** Starts a program on one core. */
export const startOn = (
  core: number,
  command: string[],
  environment: Record<string, string> = {},
): ChildProcess & { readonly said: () => string } => {
  const child = spawn(findProgram('taskset'), ['-c', String(core), ...command], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const keep = (text: string): void => {
    if (output.length < 65_536) output += text
  }
  child.stdout?.setEncoding('utf8').on('data', keep)
  child.stderr?.setEncoding('utf8').on('data', keep)
  running.add(child)
  child.on('exit', () => running.delete(child))
  return Object.assign(child, { said: () => output })
}

const canConnect = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => resolve(!socket.destroy().connecting))
    socket.on('error', () => resolve(false))
  })

/** Waits until something listens; throws with what the program said when it ends before. */
export const waitForPort = async (port: number, child: ReturnType<typeof startOn>): Promise<void> => {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (child.exitCode !== null) break
    if (await canConnect(port)) return
    await new Promise(wake => setTimeout(wake, 100))
  }
  throw new Error(`A program of the benchmark did not start: ${child.said().slice(0, 2000)}`)
}

/** Ends one program that was started here. */
export const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), 5000)
  await gone
  clearTimeout(force)
}

/** Ends all of them and removes their folders. */
export const endAll = async (): Promise<void> => {
  await Promise.all([...running].map(end))
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
}
