import { randomBytes } from 'node:crypto'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const heartbeatMs = 2_000
const staleMs = 15_000

const alive = pid => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** The one file in the lock folder names its owner; null when the lock is free or changing hands. */
const ownerOf = folder => {
  try {
    return readdirSync(folder)[0] ?? null
  } catch {
    return null
  }
}

const isStale = (folder, owner) => {
  const [host, pid] = owner.split('+')
  if (host === encodeURIComponent(hostname()) && !alive(Number(pid))) return true
  try {
    return Date.now() - statSync(join(folder, owner)).mtimeMs > staleMs
  } catch {
    return false
  }
}

/** A folder that already holds the owner's file is moved into place: the lock never exists without an owner. */
const tryTake = (folder, me) => {
  const prepared = mkdtempSync(`${folder}-`)
  writeFileSync(join(prepared, me), '')
  try {
    renameSync(prepared, folder)
    return true
  } catch (error) {
    rmSync(prepared, { recursive: true, force: true })
    // POSIX says ENOTEMPTY or EEXIST when somebody holds it, Windows EPERM; that this place can be written is known.
    if (['ENOTEMPTY', 'EEXIST', 'EPERM', 'EACCES'].includes(error.code)) return false
    throw error
  }
}

/** Of several that find a dead owner, the rename of its file succeeds for exactly one. */
const tryTakeOver = (folder, owner, me) => {
  try {
    // Touched first: under its new name it must not look stale for a moment.
    utimesSync(join(folder, owner), new Date(), new Date())
    renameSync(join(folder, owner), join(folder, me))
    return true
  } catch {
    return false
  }
}

/**
 * Waits until this process alone holds the lock `folder`, and returns the function that gives it back. A lock whose
 * owner is dead, or has not shown a sign of life for 15 s, is taken over. `onWait` is called once when it must wait.
 */
export const takeLock = async (folder, onWait) => {
  mkdirSync(dirname(folder), { recursive: true })
  const me = `${encodeURIComponent(hostname())}+${process.pid}+${randomBytes(6).toString('hex')}`
  for (let waited = false; ; waited = true) {
    if (tryTake(folder, me)) break
    const owner = ownerOf(folder)
    if (owner !== null && isStale(folder, owner) && tryTakeOver(folder, owner, me)) break
    if (!waited) onWait()
    await delay(200)
  }
  const mine = join(folder, me)
  const beat = () => {
    try {
      utimesSync(mine, new Date(), new Date())
    } catch {
      // Taken over while this process was stopped; the new owner repeats the work.
    }
  }
  beat()
  const heartbeat = setInterval(beat, heartbeatMs)
  return () => {
    clearInterval(heartbeat)
    try {
      unlinkSync(mine)
      rmdirSync(folder)
    } catch {
      // Another start has it already.
    }
  }
}
