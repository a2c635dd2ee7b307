import { createHash } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const readJson = path => {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return null
  }
}

const modified = path => {
  try {
    return statSync(path).mtimeMs
  } catch {
    return 0
  }
}

const sameEntry = (wanted, present) =>
  present.link === wanted.link && present.version === wanted.version && present.integrity === wanted.integrity

/**
 * Whether node_modules holds what the lock file says. The copy of the lock file that npm leaves there is not enough:
 * `npm install --package-lock-only` writes it without installing anything.
 */
const holdsLocked = (root, lock, present, mode) => {
  if (!lock?.packages || !present?.packages) return false
  return Object.entries(lock.packages).every(([path, wanted]) => {
    if (!path.includes('node_modules/')) return true
    // A linked folder has its version, and what it is needed for, noted at the folder and not at the link.
    const noted = wanted.link ? (lock.packages[wanted.resolved] ?? wanted) : wanted
    const found = present.packages[path]
    const installed = found && readJson(join(root, path, 'package.json'))
    if (installed) return sameEntry(wanted, found) && installed.version === noted.version
    return noted.optional || ((noted.dev || noted.devOptional) && mode === 'start')
  })
}

/**
 * What is known about the installed dependencies of the checkout at `root`: `has(mode)` tells whether they are those of
 * the lock file and serve `start` or `dev`, whoever installed them. The answer is noted in node_modules.
 */
export const installState = root => {
  const lockFile = join(root, 'package-lock.json')
  const presentFile = join(root, 'node_modules', '.package-lock.json')
  const stampFile = join(root, 'node_modules', '.portico-install.json')
  const lockHash = () => createHash('sha256').update(readFileSync(lockFile)).digest('hex')

  const record = mode => {
    try {
      writeFileSync(stampFile, `${JSON.stringify({ mode, lock: lockHash(), npm: modified(presentFile) })}\n`)
    } catch {
      // Read-only: the slower comparison is repeated at the next start.
    }
  }

  const has = mode => {
    const stamp = readJson(stampFile)
    const fresh = stamp !== null && stamp.lock === lockHash() && stamp.npm === modified(presentFile)
    if (fresh && (stamp.mode === 'dev' || mode === 'start')) return true
    const lock = readJson(lockFile)
    const present = readJson(presentFile)
    if (!holdsLocked(root, lock, present, mode)) return false
    record(holdsLocked(root, lock, present, 'dev') ? 'dev' : 'start')
    return true
  }

  return { has }
}
