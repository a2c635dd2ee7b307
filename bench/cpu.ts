import { readdirSync, readFileSync } from 'node:fs'

/** USER_HZ of Linux on all platforms that matter here. */
const ticksPerSecond = 100
const pageBytes = 4096

type Process = { pid: number; parent: number; ticks: number; pages: number }

const readProcess = (pid: number): Process | null => {
  try {
    // The name in brackets may hold spaces, so fields are counted from its end (proc(5)).
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return {
      pid,
      parent: Number(fields[1]),
      ticks: Number(fields[11]) + Number(fields[12]),
      pages: Number(fields[21]),
    }
  } catch {
    return null
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
    residentBytes: tree.reduce((sum, { pages }) => sum + pages, 0) * pageBytes,
  }
}
