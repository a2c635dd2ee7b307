import { once } from 'node:events'
import { connect } from 'node:http2'
import { get } from 'node:https'
import type { Case, Lane, Task } from './cases.ts'
import { usageOf } from './cpu.ts'
import { atRate, type Load, saturate, saturateHttp2 } from './load.ts'
import { type RunningSubject, routePath } from './subjects/subject.ts'
import type { Round } from './table.ts'

export type RoundsOptions = { rounds: number; seconds: number; subjectCore: number; loadCore: number }

/** What was measured of each lane, by its name. */
export type Measured = {
  lanes: ReadonlyMap<string, readonly Round[]>
  /** The fixed rate of a case that has one. */
  perSecond: number | null
}

const measure = async (
  subject: RunningSubject,
  task: Task,
  options: RoundsOptions,
  perSecond: number | null,
): Promise<Round> => {
  const { seconds, loadCore: core } = options
  const load: Load = { port: subject.port, ...task, seconds, core }
  const before = usageOf(subject.pid)
  const saturateIt = task.features.http2 === true ? saturateHttp2 : saturate
  const result = perSecond === null ? await saturateIt(load) : await atRate(load, perSecond)
  const after = usageOf(subject.pid)
  const cpuMicros = ((after.cpuSeconds - before.cpuSeconds) * 1e6) / result.requests
  return { ...result, cpuMicros, residentBytes: after.residentBytes }
}

const statusOverHttp2 = async (
  port: number,
  path: string,
  headers: Record<string, string>,
  body: Buffer | undefined,
): Promise<number> => {
  const session = connect(`http://127.0.0.1:${port}`)
  try {
    const stream = session.request({ ':method': body === undefined ? 'GET' : 'POST', ':path': path, ...headers })
    stream.end(body)
    const [fields] = (await once(stream, 'response')) as [Record<string, unknown>]
    return Number(fields[':status'])
  } finally {
    session.destroy()
  }
}

const statusOverTls = (port: number, path: string, headers: Record<string, string>): Promise<number> =>
  new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, headers, agent: false, rejectUnauthorized: false }, response => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    }).on('error', reject)
  })

/** One call by hand: a subject that answers wrongly, or lets a stranger in, is quick and worth nothing. */
const check = async ({ name, task }: Lane, { port }: RunningSubject): Promise<void> => {
  const status = async (path: string, headers: Record<string, string>): Promise<number> => {
    if (task.features.http2 === true) return statusOverHttp2(port, path, headers, task.body)
    if (task.features.tls === true) return statusOverTls(port, path, headers)
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { ...headers, connection: 'close' } })
    await answer.arrayBuffer()
    return answer.status
  }
  const expect = async (path: string, headers: Record<string, string>, wanted: number): Promise<void> => {
    const got = await status(path, headers)
    if (got !== wanted) throw new Error(`${name} answers ${got} to ${path}, expected ${wanted}`)
  }
  const { paths, headers, features } = task
  for (const path of new Set([paths[0]!, paths[paths.length - 1]!])) await expect(path, headers, 200)
  if (features.key) await expect(paths[0]!, {}, 401)
  if (features.routes > 1) await expect(routePath(features.routes), headers, 404)
}

/** Runs the lanes in turn, round after round, and tells `complain` of every round that had errors. */
export const runRounds = async (
  chosen: Case,
  lanes: readonly Lane[],
  originPort: number,
  options: RoundsOptions,
  complain: (message: string) => void,
): Promise<Measured> => {
  const running: RunningSubject[] = []
  try {
    for (const lane of lanes) {
      const subject = await lane.subject.start(lane.task.features, originPort, options.subjectCore)
      running.push(subject)
      await check(lane, subject)
    }
    return await measureAll(chosen, lanes, running, options, complain)
  } finally {
    await Promise.all(running.map(subject => subject.stop()))
  }
}

const measureAll = async (
  chosen: Case,
  lanes: readonly Lane[],
  running: readonly RunningSubject[],
  options: RoundsOptions,
  complain: (message: string) => void,
): Promise<Measured> => {
  const measured = new Map<string, Round[]>(lanes.map(({ name }) => [name, []]))
  let perSecond: number | null = null
  const inTurn = async (title: string): Promise<Round[]> => {
    const round: Round[] = []
    for (const [index, { name, task }] of lanes.entries()) {
      const result = await measure(running[index]!, task, options, perSecond)
      if (result.requests === 0) throw new Error(`${name} completed no request in ${title}`)
      if (result.errors > 0)
        complain(`${chosen.name}: ${name}: ${result.errors} errors in ${result.requests} requests (${title})`)
      round.push(result)
    }
    return round
  }
  // The first round warms up (caches, just-in-time compiler, connections) and is thrown away, but for the rate.
  const warmUp = await inTurn('warm-up')
  if (chosen.kind === 'rate') perSecond = Math.min(...warmUp.map(round => round.perSecond)) / 2
  for (let number = 1; number <= options.rounds; number++)
    for (const [index, round] of (await inTurn(`round ${number}`)).entries())
      measured.get(lanes[index]!.name)!.push(round)
  return { lanes: measured, perSecond }
}
