import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const lookMs = 250

/** Whether one of the scripts in our own package.json is being run, and npm therefore stands above this process. */
const startedByNpm = root => process.env['npm_package_json'] === join(root, 'package.json')

/** Name and parent of a process, where /proc tells (proc(5)); null elsewhere and for a process that is gone. */
const processOf = pid => {
  try {
    const [, name, parent] = /^\d+ \((.*)\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    return { name, parent: Number(parent) }
  } catch {
    return null
  }
}

/**
 * npm runs a script in a shell and does not always hand signals on: killed with SIGTERM it takes the shell along,
 * with SIGKILL not even that, and the script is left behind. Calls `onGone` once when npm, or the shell between, has
 * ended. Must be called at once: what stands above this process now is what is watched.
 */
export const followNpm = (root, onGone) => {
  if (!startedByNpm(root) || process.platform === 'win32') return
  const parent = process.ppid
  const shell = processOf(parent)
  const npm = shell && processOf(shell.parent)?.name.startsWith('npm') ? shell.parent : null
  const isGone = () => process.ppid !== parent || (npm !== null && processOf(parent)?.parent !== npm)
  const looking = setInterval(() => {
    if (!isGone()) return
    clearInterval(looking)
    onGone()
  }, lookMs)
  looking.unref()
}
