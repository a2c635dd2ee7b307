import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, temporaryFolder } from './programs.ts'

export type LoadResult = { requests: number; errors: number; perSecond: number; p50Ms: number; p99Ms: number }

export type Load = {
  url: string
  headers: Record<string, string>
  seconds: number
  connections: number
  core: number
}

const run = (command: string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const [program = '', ...args] = command
    execFile(program, args, { maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${program} failed: ${stderr || error.message}`))
    })
  })

const headerFlags = (headers: Record<string, string>): string[] =>
  Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])

const toMs = (text: string): number => {
  const match = /([\d.]+)(us|ms|s)/.exec(text)
  if (match === null) return Number.NaN
  return Number(match[1]) * ({ us: 0.001, ms: 1, s: 1000 }[match[2] as 'us' | 'ms' | 's'] ?? 1)
}

const after = (output: string, pattern: RegExp): string => pattern.exec(output)?.[1] ?? ''

/** As many requests as go through, over keep-alive connections (wrk). An answer that is not 2xx is an error. */
export const saturate = async ({ url, headers, seconds, connections, core }: Load): Promise<LoadResult> => {
  const output = await run([
    ...[findProgram('taskset'), '-c', String(core), findProgram('wrk'), '-t1', `-c${connections}`, `-d${seconds}s`],
    ...['--latency', '--timeout', '30s', ...headerFlags(headers), url],
  ])
  const socketErrors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output)
  return {
    requests: Number(after(output, /(\d+) requests in/)),
    errors:
      Number(after(output, /Non-2xx or 3xx responses: (\d+)/) || 0) +
      (socketErrors?.slice(1).reduce((sum, count) => sum + Number(count), 0) ?? 0),
    perSecond: Number(after(output, /Requests\/sec:\s+([\d.]+)/)),
    p50Ms: toMs(after(output, /50%\s+(\S+)/)),
    p99Ms: toMs(after(output, /99%\s+(\S+)/)),
  }
}

/** A fixed rate, whatever the answers do (h2load): latency without the queue that saturation makes. */
export const atRate = async (load: Load, perSecond: number): Promise<LoadResult> => {
  const { url, headers, seconds, connections, core } = load
  const rate = Math.max(1, Math.floor(perSecond / connections))
  const log = join(temporaryFolder(), 'requests.log')
  await run([
    ...[findProgram('taskset'), '-c', String(core), findProgram('h2load'), '--h1', `--rps=${rate}`],
    ...[`-c${connections}`, '-t1', `-D${seconds}`, `--log-file=${log}`, ...headerFlags(headers), url],
  ])
  // One line per request: start, status, microseconds.
  const lines = [...readFileSync(log, 'utf8').matchAll(/^\d{10,}\t(-?\d+)\t(\d+)\s*$/gm)]
  const times = lines.map(line => Number(line[2]) / 1000).sort((a, b) => a - b)
  const at = (share: number): number =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN
  return {
    requests: times.length,
    errors: lines.filter(line => !/^2\d\d$/.test(line[1] as string)).length,
    perSecond: times.length / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  }
}
