import { readdirSync, readFileSync } from 'node:fs'

/** USER_HZ, which is 100 on every platform of Linux that matters here. */
const ticksPerSecond = 100

type Process = { pid: number; parent: number; ticks: number }

const readProcess = (pid: number): Process | null => {
  try {
    // The name in brackets may hold spaces, so fields are counted from its end (proc(5)).
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    // utime, stime, and both of the children that have ended: what a helper used before it went away still counts.
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
    return { pid, parent: Number(fields[1]), ticks }
  } catch {
    return null
  }
}

const residentBytesOf = (pid: number): number => {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

/** CPU seconds (user and system, all threads) and resident bytes of a process and everything below it. */
export const usageOf = (root: number): { cpuSeconds: number; residentBytes: number } => {
  const all = readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(name => readProcess(Number(name)) ?? [])
  const members = new Set([root])
  for (let grew = true; grew; ) {
    grew = false
    for (const { pid, parent } of all)
      if (members.has(parent) && !members.has(pid)) {
        members.add(pid)
        grew = true
      }
  }
  const tree = all.filter(({ pid }) => members.has(pid))
  return {
    cpuSeconds: tree.reduce((sum, { ticks }) => sum + ticks, 0) / ticksPerSecond,
    residentBytes: tree.reduce((sum, { pid }) => sum + residentBytesOf(pid), 0),
  }
}
