import { parseArgs } from 'node:util'
import { asText } from '../../bench/table.ts'
import { eventually, type Portico, startPortico } from '../harness.ts'
import { closeLanes, lanes } from './lanes.ts'
import { type Probes, startProbes } from './probes.ts'
import { inMegabytes, openFiles, residentBytes } from './process-figures.ts'
import { levelOf, lowestOf, type Reading, slopePerMinute } from './slope.ts'
import { type SoakOrigin, startSoakOrigin } from './soak-origin.ts'

const help = `npm run soak -- [--minutes 10]

  Runs the program with two workers under mixed load (aborts, timeouts, large bodies, WebSockets, HTTP/2), reloads it every
  5 seconds, kills a worker every minute, and fails when something grows: memory after a collection, descriptors, timers,
  connections. The first half of the time warms up; the slope of the second half counts.`

const mega = 1024 * 1024
const sampleMs = 5000
const killMs = (minutes: number): number => Math.min(60_000, minutes * 30_000)

type Metric = {
  readonly name: string
  readonly perMinute: number
  readonly unit: 'bytes' | 'count'
  readonly readings: Reading[]
}
const metric = (name: string, perMinute: number, unit: Metric['unit'] = 'count'): Metric => ({
  name,
  perMinute,
  unit,
  readings: [],
})

/** What is watched, and how much growth per minute is still noise. Worker 0 lives all the time; the other one is killed. */
const metrics = {
  mainHeap: metric('heap of the main thread', 0.25 * mega, 'bytes'),
  workerHeap: metric('heap of worker 0', 0.25 * mega, 'bytes'),
  workerBuffers: metric('buffers of worker 0', 0.25 * mega, 'bytes'),
  resident: metric('resident memory', 4 * mega, 'bytes'),
  descriptors: metric('descriptors', 3),
  timers: metric('timers of worker 0', 3),
  upstream: metric('connections to the origin', 3),
  active: metric('calls in flight', 3),
}

const document = (url: string, turn: number): object => ({
  version: 1,
  settings: { timeouts: { drain: '2s' }, calls: { keep: 5000 } },
  services: [
    {
      name: 'main',
      upstream: { targets: [{ url }], retry: { attempts: 0 }, timeouts: { response: '10s', total: '20s' } },
      routes: [
        { path: '/' },
        ...Array.from({ length: 20 + (turn % 7) }, (_, index) => ({ path: `/route-${index}/{id}` })),
      ],
      policies: { 'rate-limit': { limit: 100_000, window: '1s' } },
    },
    {
      name: 'slow',
      upstream: { targets: [{ url }], retry: { attempts: 0 }, timeouts: { response: '300ms' } },
      routes: [{ path: '/slow' }],
    },
    {
      // Another upstream at each reload, so that pools come and go.
      name: 'keyed',
      upstream: { targets: [{ url, weight: 1 + (turn % 2) }], timeouts: { response: `${1 + (turn % 5)}s` } },
      routes: [{ path: '/keyed' }],
      policies: { 'key-auth': {} },
    },
  ],
  consumers: [{ name: 'alice', keys: [{ secret: `soak-key-${turn}` }] }],
})

type Tally = { done: number; failures: Map<string, number> }

const runLanes = (
  portico: Portico,
  until: number,
  excused: () => boolean,
): Promise<unknown> & { tallies: Map<string, Tally> } => {
  const tallies = new Map<string, Tally>()
  const work = lanes.flatMap(lane => {
    const tally: Tally = { done: 0, failures: new Map() }
    tallies.set(lane.name, tally)
    return Array.from({ length: lane.count }, async () => {
      while (performance.now() < until) {
        const failure = await lane.once(portico.gatewayPort, tally.done++)
        if (failure !== null && !excused()) tally.failures.set(failure, (tally.failures.get(failure) ?? 0) + 1)
        await new Promise(resolve => setTimeout(resolve, 10))
      }
    })
  })
  return Object.assign(Promise.all(work), { tallies })
}

const sample = async (portico: Portico, probes: Probes, seconds: number): Promise<void> => {
  const [status, main, worker] = await Promise.all([portico.status(), probes.memory('main'), probes.memory('worker-0')])
  const load = status.workers[0]?.load
  const note = ({ readings }: Metric, value: number | null | undefined): void => {
    if (value !== null && value !== undefined) readings.push([seconds, value])
  }
  note(metrics.mainHeap, main?.heapUsed)
  note(metrics.workerHeap, worker?.heapUsed)
  note(metrics.workerBuffers, worker?.arrayBuffers)
  note(metrics.resident, residentBytes(portico.pid))
  note(metrics.descriptors, openFiles(portico.pid))
  note(metrics.timers, load?.timers)
  note(metrics.upstream, load?.upstreamConnections)
  note(metrics.active, load?.activeCalls)
}

/** Runs `work` every so often until the end; a failure ends the run. */
const every = async (milliseconds: number, until: number, work: (turn: number) => Promise<void>): Promise<void> => {
  for (let turn = 1; performance.now() + milliseconds < until; turn++) {
    await new Promise(resolve => setTimeout(resolve, milliseconds))
    await work(turn)
  }
}

const show = (value: number, unit: Metric['unit']): string => (unit === 'bytes' ? inMegabytes(value) : value.toFixed(1))

/** Prints the tables; whether everything is flat and nothing failed. */
const judge = (tallies: Map<string, Tally>): boolean => {
  let good = true
  const rows = Object.values(metrics).map(({ name, perMinute, unit, readings }) => {
    const half = readings.slice(readings.length >> 1)
    const slope = slopePerMinute(lowestOf(half, half.length >= 24 ? 4 : 2))
    const flat = slope <= perMinute
    good &&= flat
    const level = (from: number, to: number): string => show(levelOf(readings, from, to), unit)
    return [
      name,
      level(0, 0.25),
      level(0.5, 0.75),
      level(0.75, 1),
      show(slope, unit),
      show(perMinute, unit),
      flat ? 'flat' : 'GROWS',
    ]
  })
  process.stdout.write(`\n${asText([['', 'first quarter', 'third', 'last', 'slope/min', 'allowed', ''], ...rows])}\n\n`)
  const counts = [...tallies].map(([name, { done, failures }]) => {
    if (failures.size > 0) good = false
    return [name, String(done), [...failures].map(([what, times]) => `${times} × ${what}`).join(', ') || '-']
  })
  process.stdout.write(`${asText([['traffic', 'turns', 'failures'], ...counts])}\n`)
  return good
}

const soak = async (portico: Portico, origin: SoakOrigin, probes: Probes, minutes: number): Promise<boolean> => {
  const start = performance.now()
  const until = start + minutes * 60_000
  let lastKill = Number.NEGATIVE_INFINITY
  let kills = 0
  let reloads = 0
  // Calls in flight on a killed worker fail, and none else.
  const load = runLanes(portico, until, () => performance.now() - lastKill < 6000)
  await Promise.all([
    load,
    every(sampleMs, until, () => sample(portico, probes, (performance.now() - start) / 1000)),
    every(5000, until, async turn => {
      await portico.reload(document(origin.url, turn))
      reloads++
    }),
    every(killMs(minutes), until, async () => {
      lastKill = performance.now()
      await probes.kill('worker-1')
      kills++
    }),
  ])
  closeLanes()
  const rest = await eventually(async () => {
    const { workers } = await portico.status()
    return workers.length === 2 &&
      workers.every(({ load: { connections, activeCalls } }) => connections + activeCalls === 0)
      ? workers
      : null
  }, 'two workers without connections and calls, after the load').catch(() => null)
  process.stdout.write(
    `${reloads} reloads, ${kills} workers killed; afterwards ${rest === null ? 'SOMETHING IS LEFT' : 'nothing is left'}\n`,
  )
  return judge(load.tallies) && rest !== null
}

const main = async (): Promise<boolean> => {
  const { values } = parseArgs({ options: { minutes: { type: 'string' }, help: { type: 'boolean', short: 'h' } } })
  const minutes = Number(values.minutes ?? 10)
  if (values.help === true || !(minutes > 0 && minutes <= 600)) {
    process.stdout.write(`${help}\n`)
    return values.help === true
  }
  const origin = await startSoakOrigin()
  const probes = startProbes()
  const portico = await startPortico({
    config: document(origin.url, 0),
    workers: 2,
    nodeArgs: probes.nodeArgs,
    env: probes.env,
  })
  try {
    return await soak(portico, origin, probes, minutes)
  } finally {
    await portico.stop()
    probes.stop()
    origin.stop()
  }
}

process.exit((await main()) ? 0 : 1)
