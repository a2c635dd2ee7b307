import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { takeLock } from './install-lock.js'
import { installState } from './install-state.js'

/** Measured on two cores with an ordinary connection; said aloud so that nobody thinks that it hangs. */
const usualSeconds = { start: 15, dev: 40 }
const shownLines = 20

/** npm as the user runs it: the one that started this process, or the one on the PATH. */
const npmCommand = () => {
  const running = process.env['npm_execpath']
  if (running && /npm-cli\.[cm]?js$/.test(running) && existsSync(running))
    return { file: process.execPath, prefix: [running] }
  return process.platform === 'win32'
    ? { file: 'npm.cmd', prefix: [], shell: true }
    : { file: 'npm', prefix: [], shell: false }
}

const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--include=optional']
const clean = mode => ['ci', mode === 'dev' ? '--include=dev' : '--omit=dev', ...quiet]
const add = mode => ['install', '--no-save', ...clean(mode).slice(1)]

const runNpm = (root, args) =>
  new Promise(resolve => {
    const { file, prefix, shell } = npmCommand()
    const child = spawn(file, [...prefix, ...args], { cwd: root, shell, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const keep = chunk => {
      output = (output + chunk).slice(-64_000)
    }
    child.stdout.setEncoding('utf8').on('data', keep)
    child.stderr.setEncoding('utf8').on('data', keep)
    child.on('error', error => resolve({ failed: true, output: `cannot run ${file}: ${error.message}` }))
    child.on('close', code => resolve({ failed: code !== 0, output }))
  })

/** npm names the cause first and a help text or the log file last. */
const shown = output => {
  const lines = output.trimEnd().split('\n')
  const cut =
    lines.length > shownLines ? [...lines.slice(0, shownLines), `… ${lines.length - shownLines} more lines`] : lines
  return cut.map(line => `  ${line}`).join('\n')
}

const failure = (output, args) =>
  new Error(
    `the dependencies could not be installed. npm said:\n\n${shown(output)}\n\n` +
      'Check the network connection (and the proxy or registry settings of npm), that there is space on the disk and\n' +
      `that the folder can be written, then start again; or run it by hand:\n\n  npm ${args.join(' ')}\n`,
  )

/**
 * `npm ci` deletes node_modules first, so it is not used where only development packages are to be added: the files
 * of a running server stay where they are. It also refuses a lock file that lacks optional packages of other platforms
 * (npm leaves out what the registry did not have when the file was made); `npm install` then does the work,
 * and the result is compared with the lock file afterwards.
 */
const installLocked = async (root, mode, state) => {
  let args = state.has('start') ? add(mode) : clean(mode)
  let result = await runNpm(root, args)
  if (result.failed && /\bEUSAGE\b/.test(result.output)) {
    args = add(mode)
    result = await runNpm(root, args)
  }
  if (result.failed) throw failure(result.output, args)
  if (!state.has(mode)) throw failure('what was installed is not what package-lock.json says', args)
}

/**
 * Installs the locked dependencies of the checkout at `root` when they are missing or stale; does nothing otherwise.
 * Starts that happen at the same time wait for one another. Throws an Error with a message for the user.
 */
export const install = async ({ root, mode }) => {
  if (!existsSync(join(root, 'package-lock.json'))) return
  const state = installState(root)
  if (state.has(mode)) return
  const release = await takeLock(join(root, '.cache', 'install.lock'), () =>
    process.stderr.write('Waiting for another start of Portico that is installing dependencies…\n'),
  ).catch(error => {
    throw new Error(`the dependencies are not installed and cannot be: ${error.message}`)
  })
  try {
    if (state.has(mode)) return
    process.stderr.write(`Installing dependencies (first start, about ${usualSeconds[mode]} s)…\n`)
    await installLocked(root, mode, state)
  } finally {
    release()
  }
}
