import { readdirSync, readFileSync } from 'node:fs'

const mega = 1024 * 1024

/** Resident memory of a process in bytes; null where the system has no /proc. */
export const residentBytes = (pid: number): number | null => {
  try {
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
    return match ? Number(match[1]) * 1024 : null
  } catch {
    return null
  }
}

/** Open file descriptors of a process. */
export const openFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

export const hasProc = process.platform === 'linux'
export const noProc = hasProc ? false : 'platform: memory and descriptors of a process are read from /proc'

/** SOAK=1 runs the long forms. */
export const long = process.env.SOAK === '1'

export const inMegabytes = (bytes: number): string => `${(bytes / mega).toFixed(1)} MB`

/** Samples resident memory until stopped; gives the highest value. */
export const watchResident = (pid: number): { peak(): number; stop(): void } => {
  let peak = residentBytes(pid) ?? 0
  const timer = setInterval(() => {
    peak = Math.max(peak, residentBytes(pid) ?? 0)
  }, 25)
  return { peak: () => peak, stop: () => clearInterval(timer) }
}
