import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { within } from './raw-connection.ts'

export { RawClient, RawConnection, rawCall, rawClient, within } from './raw-connection.ts'
export { headerOf, headersOf, type RequestMessage, type ResponseMessage } from './read-message.ts'
export {
  answerEach,
  OriginConnection,
  type OriginScript,
  ok,
  ScriptedOrigin,
  scriptedOrigin,
} from './scripted-origin.ts'

/** The repository, whatever folder the tests run in. */
export const root = fileURLToPath(new URL('..', import.meta.url))

export type PorticoOptions = {
  /** A document (written as JSON, which is YAML too) or the text of a portico.yaml. */
  config: object | string
  env?: Record<string, string>
  /** More flags for `portico start`. */
  args?: string[]
  /** Flags for Node itself. */
  nodeArgs?: string[]
  workers?: number
  /** Files written beside the config before the start, by name. */
  files?: Record<string, string>
}

export type Exit = { code: number | null; signal: NodeJS.Signals | null }

/** A running gateway: the real program in a process of its own. */
export type Portico = {
  readonly gatewayPort: number
  /** 0 without `--gateway-tls` among the flags. */
  readonly gatewayTlsPort: number
  readonly consolePort: number
  /** The admin token it was started with. */
  readonly token: string
  readonly dataFolder: string
  readonly configFile: string
  readonly pid: number
  readonly exited: Promise<Exit>
  /** Everything it wrote to stdout and stderr so far. */
  output(): string
  /** GET on the console port with the admin token; parsed when it is JSON. */
  console(path: string, init?: RequestInit): Promise<{ status: number; body: unknown; headers: Headers }>
  /** What `GET /api/status` says. */
  status(): Promise<Status>
  /** Replaces the config file, sends SIGHUP, and waits until another snapshot is served or the reload was refused. */
  reload(config: object | string): Promise<Status>
  signal(signal: NodeJS.Signals): void
  /** SIGTERM, then SIGKILL if it does not end in `patience` milliseconds; removes its folder. */
  stop(patience?: number): Promise<Exit>
}

/** The parts of `GET /api/status` that tests look at. */
export type Status = {
  snapshot: { revision: number; routes: number; services: number }
  lastReloadError: { at: string; errors: string[] } | null
  workers: WorkerStatus[]
}

export type WorkerStatus = {
  load: {
    connections: number
    activeCalls: number
    upstreamConnections: number
    upstreamIdle: number
    timers: number
    requests: number
    /** TLS handshakes that failed, by reason. */
    tlsFailures: Record<string, number>
    upstreams: UpstreamStatus[]
  }
  heapUsed: number
  rss: number
}

/** How an upstream with guards is doing, seen from one worker. */
export type UpstreamStatus = {
  upstream: string
  circuit: 'closed' | 'open' | 'half-open' | null
  circuitOpened: number
  inFlight: number | null
  waiting: number | null
  adaptiveLimit: number | null
  refusals: number
  retries: number
  retriesRefused: number
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

const token = 'harness-admin-token-0123456789abcdef'

const textOf = (config: object | string): string =>
  typeof config === 'string' ? config : JSON.stringify(config, null, 2)

const program = (): string => {
  const launcher = join(root, 'bin/portico.js')
  return existsSync(launcher) ? launcher : join(root, 'src/main.ts')
}

const followParent = ['--import', pathToFileURL(join(root, 'bin/follow-parent.js')).href]

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1))

type Ready = { gateway: string; gatewayTls?: string | null; console: string; pid: number }

const readyLine = (child: ChildProcess, output: () => string): Promise<Ready> => {
  const ready = new Promise<Ready>((resolve, reject) => {
    let text = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk
      for (const line of text.split('\n')) if (line.startsWith('{"ready":true')) resolve(JSON.parse(line))
      text = text.slice(text.lastIndexOf('\n') + 1)
    })
    child.once('exit', (code, signal) =>
      reject(new Error(`portico ended at start (code ${code}, signal ${signal}):\n${output()}`)),
    )
    child.once('error', reject)
  })
  return within(ready, () => `the ready line of portico:\n${output()}`, 20_000)
}

/** Starts `portico start` with this config on free ports, and waits until it serves. */
export const startPortico = async (options: PorticoOptions): Promise<Portico> => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-test-'))
  const configFile = join(folder, 'portico.yaml')
  const dataFolder = join(folder, 'data')
  writeFileSync(configFile, textOf(options.config))
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(folder, name), text)

  const flags = [
    ...['--config', configFile, '--data', dataFolder, '--admin-token', token],
    ...['--gateway', '127.0.0.1:0', '--console', '127.0.0.1:0', '--workers', String(options.workers ?? 1)],
  ]
  const child = spawn(
    process.execPath,
    [...followParent, ...(options.nodeArgs ?? []), program(), 'start', ...flags, ...(options.args ?? [])],
    {
      cwd: folder,
      env: { ...process.env, NODE_OPTIONS: '', ...options.env, PORTICO_READY_JSON: '1', PORTICO_PARENT_FD: '3' },
      // The fourth is held open by this process: when it dies, however it dies, the gateway ends too.
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    },
  )
  running.add(child)
  let output = ''
  const keep = (chunk: Buffer) => {
    output = (output + chunk).slice(-1_000_000)
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  const exited = new Promise<Exit>(resolve =>
    child.once('exit', (code, signal) => {
      running.delete(child)
      resolve({ code, signal })
    }),
  )

  const stop = async (patience = 8000): Promise<Exit> => {
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), patience)
    const exit = await exited
    clearTimeout(timer)
    rmSync(folder, { recursive: true, force: true })
    return exit
  }

  const ready = await readyLine(child, () => output).catch(async error => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await exited
    rmSync(folder, { recursive: true, force: true })
    throw error
  })
  const consolePort = portOf(ready.console)

  const consoleCall: Portico['console'] = async (path, init = {}) => {
    const response = await fetch(`http://127.0.0.1:${consolePort}${path}`, {
      signal: AbortSignal.timeout(5000),
      ...init,
      headers: { authorization: `Bearer ${token}`, ...init.headers },
    })
    const text = await response.text()
    const json = response.headers.get('content-type')?.includes('json')
    return { status: response.status, body: json ? JSON.parse(text) : text, headers: response.headers }
  }

  const status = async (): Promise<Status> => {
    const answer = await consoleCall('/api/status')
    if (answer.status !== 200) throw new Error(`GET /api/status: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body as Status
  }

  const reload = async (config: object | string): Promise<Status> => {
    const before = await status()
    writeFileSync(`${configFile}.next`, textOf(config))
    renameSync(`${configFile}.next`, configFile)
    child.kill('SIGHUP')
    return eventually(async () => {
      const now = await status()
      const refused =
        now.lastReloadError && JSON.stringify(now.lastReloadError) !== JSON.stringify(before.lastReloadError)
      return now.snapshot.revision !== before.snapshot.revision || refused ? now : null
    }, 'the reload to be seen in /api/status')
  }

  return {
    gatewayPort: portOf(ready.gateway),
    gatewayTlsPort: portOf(ready.gatewayTls ?? '0'),
    consolePort,
    token,
    dataFolder,
    configFile,
    pid: ready.pid ?? child.pid ?? 0,
    exited,
    output: () => output,
    console: consoleCall,
    status,
    reload,
    signal: name => void child.kill(name),
    stop,
  }
}

/** Asks `take` again and again until it gives something else than null; for state that announces nothing. */
export const eventually = async <T>(take: () => Promise<T | null>, what: string, milliseconds = 10_000): Promise<T> => {
  const deadline = performance.now() + milliseconds
  for (;;) {
    const value = await take()
    if (value !== null) return value
    if (performance.now() > deadline) throw new Error(`waited ${milliseconds} ms for ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

/** A config with one service `main` on `/` in front of `url`; `more` is merged into the service. */
export const oneService = (url: string, more: object = {}, upstream: object = {}, settings: object = {}): object => ({
  version: 1,
  settings: { timeouts: { drain: '2s' }, ...settings },
  services: [
    {
      name: 'main',
      upstream: { targets: [{ url }], retry: { attempts: 0 }, ...upstream },
      routes: [{ path: '/' }],
      ...more,
    },
  ],
})
