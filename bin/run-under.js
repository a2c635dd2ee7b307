import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const followParent = join(dirname(fileURLToPath(import.meta.url)), 'follow-parent.js')

/**
 * Runs `script` under another Node and ends as it ends: same exit code, same signal. Node cannot replace its own
 * process, so this one stays as a thin parent. It holds one end of a pipe that the child watches: when this process
 * is killed in a way it cannot notice, the child drains instead of being left behind. Returns the child.
 */
export const runUnder = (node, script, args) => {
  const child = spawn(node, ['--import', pathToFileURL(followParent).href, script, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, PORTICO_PARENT_FD: '3' },
  })
  child.stdio[3].on('error', () => {})

  const forward = signal => {
    // A terminal sends Ctrl-C to the whole foreground group: the child already has it.
    if (signal === 'SIGINT' && process.stdin.isTTY) return
    child.kill(signal)
  }
  const signals = process.platform === 'win32' ? ['SIGINT', 'SIGTERM'] : ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']
  for (const signal of signals) process.on(signal, forward)

  child.on('error', error => {
    process.stderr.write(`portico: cannot run ${node}: ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    for (const name of signals) process.off(name, forward)
    process.kill(process.pid, signal)
    // A signal whose default is to be ignored does not end this process.
    setTimeout(() => process.exit(1), 1000)
  })
  return child
}
