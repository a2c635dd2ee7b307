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

/** Compares the lock file with the one npm leaves in node_modules when it has finished. */
const holdsLocked = (lock, present, mode) => {
  if (!lock?.packages || !present?.packages) return false
  return Object.entries(lock.packages).every(([path, wanted]) => {
    if (!path.includes('node_modules/')) return true
    const found = present.packages[path]
    if (found) return sameEntry(wanted, found)
    return wanted.optional || ((wanted.dev || wanted.devOptional) && mode === 'start')
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
    if (!holdsLocked(lock, present, mode)) return false
    record(holdsLocked(lock, present, 'dev') ? 'dev' : 'start')
    return true
  }

  return { has }
}
