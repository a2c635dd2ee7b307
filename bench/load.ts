import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, startOn, temporaryFolder } from './programs.ts'
import { median } from './table.ts'

export type LoadResult = { requests: number; errors: number; perSecond: number; p50Ms: number; p99Ms: number }

export type Load = {
  port: number
  /** Called in turn; more than one only where the rate is not fixed. */
  paths: readonly string[]
  headers: Record<string, string>
  seconds: number
  connections: number
  core: number
  features?: { tls?: boolean }
  /** Sent with POST; HTTP/2 only. */
  body?: Buffer
}

const run = async (core: number, command: string[]): Promise<string> => {
  const program = startOn(core, command, { keep: 1 << 24 })
  const code = await program.ended
  if (code !== 0) throw new Error(`${command[0]} failed: ${program.said().slice(0, 2000)}`)
  return program.said()
}

const headerFlags = (headers: Record<string, string>): string[] =>
  Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])

const toMs = (text: string): number => {
  const match = /^([\d.]+)(us|ms|s|m)$/.exec(text)
  if (match === null) return Number.NaN
  const microseconds = { us: 1, ms: 1000, s: 1e6, m: 6e7 }[match[2] as 'us' | 'ms' | 's' | 'm']
  return (Number(match[1]) * microseconds) / 1000
}

const after = (output: string, pattern: RegExp): string => pattern.exec(output)?.[1] ?? ''

/** Reads the report of wrk. */
export const readWrk = (output: string): LoadResult => {
  const socketErrors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output)
  return {
    requests: Number(after(output, /(\d+) requests in/)),
    errors:
      Number(after(output, /Non-2xx or 3xx responses: (\d+)/)) +
      (socketErrors?.slice(1).reduce((sum, count) => sum + Number(count), 0) ?? 0),
    perSecond: Number(after(output, /Requests\/sec:\s+([\d.]+)/)),
    p50Ms: toMs(after(output, /^\s+50%\s+(\S+)/m)),
    p99Ms: toMs(after(output, /^\s+99%\s+(\S+)/m)),
  }
}

/** Reads the log of h2load: a line for each request, with its start (µs), status (or -1) and duration (µs). */
export const readH2loadLog = (log: string, seconds: number): LoadResult => {
  const lines = [...log.matchAll(/^\d+\t(-?\d+)\t(\d+)\s*$/gm)]
  const times = lines.map(line => Number(line[2]) / 1000).sort((a, b) => a - b)
  return {
    requests: times.length,
    errors: lines.filter(line => !/^2\d\d$/.test(line[1] as string)).length,
    perSecond: times.length / seconds,
    p50Ms: times.length === 0 ? Number.NaN : median(times),
    p99Ms: times[Math.ceil(times.length * 0.99) - 1] ?? Number.NaN,
  }
}

/** wrk calls one address unless a script tells it which. Requests are made ahead, so that a call only picks one. */
const script = (paths: readonly string[]): string => `local requests, last = {}, 0
function init()
  for path in io.lines(${JSON.stringify(pathsFile(paths))}) do requests[#requests + 1] = wrk.format("GET", path) end
end
function request()
  last = last % #requests + 1
  return requests[last]
end
`

const pathsFile = (paths: readonly string[]): string => {
  const file = join(temporaryFolder(), 'paths')
  writeFileSync(file, paths.join('\n'))
  return file
}

/** As many requests as go through, over keep-alive connections (wrk). */
export const saturate = async ({
  port,
  paths,
  headers,
  seconds,
  connections,
  core,
  features,
}: Load): Promise<LoadResult> => {
  const scriptFlags: string[] = []
  if (paths.length > 1) {
    const file = join(temporaryFolder(), 'paths.lua')
    writeFileSync(file, script(paths))
    scriptFlags.push('-s', file)
  }
  const output = await run(core, [
    ...[findProgram('wrk'), '-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '--timeout', '30s'],
    ...[
      ...headerFlags(headers),
      ...scriptFlags,
      `${features?.tls === true ? 'https' : 'http'}://127.0.0.1:${port}${paths[0]}`,
    ],
  ])
  return readWrk(output)
}

const bodyFile = (body: Buffer): string => {
  const file = join(temporaryFolder(), 'body')
  writeFileSync(file, body)
  return file
}

/** Streams at a time on each connection of HTTP/2. */
const streams = 16

/** As many requests as go through, over HTTP/2 without TLS (h2load). */
export const saturateHttp2 = async ({
  port,
  paths,
  headers,
  seconds,
  connections,
  core,
  body,
}: Load): Promise<LoadResult> => {
  const bodyFlags = body === undefined ? [] : ['-d', bodyFile(body)]
  const log = join(temporaryFolder(), 'requests.log')
  await run(core, [
    ...[findProgram('h2load'), `-c${connections}`, `-m${streams}`, '-t1', `-D${seconds}`],
    ...[`--log-file=${log}`, ...bodyFlags, ...headerFlags(headers), `http://127.0.0.1:${port}${paths[0]}`],
  ])
  return readH2loadLog(readFileSync(log, 'utf8'), seconds)
}

/** A fixed rate, whatever the answers do (h2load): latency without the queue that saturation makes. */
export const atRate = async (load: Load, perSecond: number): Promise<LoadResult> => {
  const { port, paths, headers, seconds, connections, core } = load
  const rate = Math.max(1, Math.floor(perSecond / connections))
  const log = join(temporaryFolder(), 'requests.log')
  await run(core, [
    ...[findProgram('h2load'), '--h1', `--rps=${rate}`, `-c${connections}`, '-t1', `-D${seconds}`],
    ...[`--log-file=${log}`, ...headerFlags(headers), `http://127.0.0.1:${port}${paths[0]}`],
  ])
  return readH2loadLog(readFileSync(log, 'utf8'), seconds)
}
