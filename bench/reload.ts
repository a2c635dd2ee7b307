import { renameSync, writeFileSync } from 'node:fs'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { usageOf } from './cpu.ts'
import { end, endAll, startOn, stayOn, temporaryFolder, waitFor } from './programs.ts'
import { routePath } from './subjects/subject.ts'
import { median } from './table.ts'

const help = `node bin/portico.js --dev bench/reload.ts [--routes 50000] [--reloads 7] [--format json|yaml]

  Reloads a large configuration while calls go on: how long until it is served, what it costs, and how long calls wait
  meanwhile. Portico with one worker on core 0, origin and calls on core 1.`

const subjectCore = 0
const loadCore = 1
const pauseMs = 1500

type Latencies = { count: number; errors: number; p50: number; p99: number; max: number }

const summarise = (times: number[], errors: number): Latencies => {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  return { count: times.length, errors, p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0 }
}

const configuration = (routes: number, originPort: number, marker: number, format: string): string => {
  const paths = [...Array.from({ length: routes }, (_, index) => routePath(index)), `/marker-${marker}`]
  if (format === 'json')
    return JSON.stringify({
      version: 1,
      settings: { calls: { keep: 0 } },
      services: [
        {
          name: 'origin',
          upstream: { targets: [{ url: `http://127.0.0.1:${originPort}` }] },
          routes: paths.map(path => ({ path })),
          policies: { 'key-auth': { optional: true } },
        },
      ],
    })
  const head = `version: 1\nsettings:\n  calls:\n    keep: 0\nservices:\n  - name: origin\n    upstream:\n      targets:\n        - url: http://127.0.0.1:${originPort}\n    policies:\n      key-auth:\n        optional: true\n    routes:\n`
  return head + paths.map(path => `      - path: ${path}\n`).join('')
}

const run = async (routes: number, reloads: number, format: string): Promise<void> => {
  stayOn(loadCore)
  const origin = createServer((_, response) => response.end('ok'))
  await new Promise<void>(resolve => origin.listen(0, '127.0.0.1', resolve))
  const originPort = (origin.address() as AddressInfo).port
  const folder = temporaryFolder()
  const file = join(folder, `portico.${format}`)
  writeFileSync(file, configuration(routes, originPort, 0, format))
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
  const started = performance.now()
  const command = [process.execPath, main, 'start', '--config', file, '--gateway', '127.0.0.1:0', '--no-console']
  const portico = startOn(subjectCore, [...command, '--workers', '1', '--data', join(folder, 'data')], {
    environment: { PORTICO_READY_JSON: '1' },
  })
  const listening = (): string | undefined => /"gateway":"[^"]*:(\d+)"/.exec(portico.said())?.[1]
  await waitFor(portico, () => listening() !== undefined)
  const startMs = performance.now() - started
  const port = Number(listening())

  const agent = new Agent({ keepAlive: true })
  const ask = (path: string): Promise<{ status: number; ms: number }> =>
    new Promise((resolve, reject) => {
      const begun = performance.now()
      const call = request({ agent, port, host: '127.0.0.1', path }, response => {
        response.resume()
        response.on('end', () => resolve({ status: response.statusCode ?? 0, ms: performance.now() - begun }))
      })
      call.on('error', reject)
      call.end()
    })

  let times: number[] = []
  let errors = 0
  let calling = true
  const callers = Array.from({ length: 4 }, async (_, caller) => {
    for (let i = caller; calling; i += 4) {
      const { status, ms } = await ask(routePath((i * 7919) % routes)).catch(() => ({ status: 0, ms: 0 }))
      times.push(ms)
      if (status !== 200) errors++
      await new Promise(resolve => setTimeout(resolve, 1))
    }
  })
  const take = (): Latencies => {
    const found = summarise(times, errors)
    times = []
    errors = 0
    return found
  }
  const pause = () => new Promise(resolve => setTimeout(resolve, pauseMs))

  await pause()
  take()
  const rows: { ms: number; cpuMs: number; quiet: Latencies; busy: Latencies }[] = []
  for (let round = 1; round <= reloads; round++) {
    await pause()
    const quiet = take()
    const cpuBefore = usageOf(portico.pid as number).cpuSeconds
    const begun = performance.now()
    writeFileSync(`${file}.next`, configuration(routes, originPort, round, format))
    const written = performance.now()
    renameSync(`${file}.next`, file)
    portico.kill('SIGHUP')
    while ((await ask(`/marker-${round}`)).status !== 200)
      if (performance.now() - begun > 60_000) throw new Error(`not reloaded:\n${portico.said().slice(-2000)}`)
    const ms = performance.now() - written
    rows.push({ ms, cpuMs: (usageOf(portico.pid as number).cpuSeconds - cpuBefore) * 1000, quiet, busy: take() })
  }
  calling = false
  await Promise.all(callers)
  agent.destroy()
  await end(portico)
  origin.close()

  const middle = (pick: (row: (typeof rows)[number]) => number): string => median(rows.slice(1).map(pick)).toFixed(1)
  const worst = (pick: (row: (typeof rows)[number]) => number): string =>
    Math.max(...rows.slice(1).map(pick)).toFixed(1)
  const lost = rows.reduce((sum, { busy, quiet }) => sum + busy.errors + quiet.errors, 0)
  process.stdout.write(
    [
      `${routes.toLocaleString('en')} routes as ${format}, ${rows.length - 1} reloads after one to warm up; start to ready ${startMs.toFixed(0)} ms`,
      `until served        ${middle(row => row.ms)} ms (worst ${worst(row => row.ms)})`,
      `CPU, calls included ${middle(row => row.cpuMs)} ms`,
      `calls meanwhile     p50 ${middle(row => row.busy.p50)} ms, p99 ${middle(row => row.busy.p99)} ms, longest ${middle(row => row.busy.max)} ms (worst ${worst(row => row.busy.max)})`,
      `calls otherwise     p50 ${middle(row => row.quiet.p50)} ms, p99 ${middle(row => row.quiet.p99)} ms, longest ${middle(row => row.quiet.max)} ms (worst ${worst(row => row.quiet.max)})`,
      `calls that failed   ${lost}`,
      '',
    ].join('\n'),
  )
}

const { values } = parseArgs({
  options: {
    routes: { type: 'string', default: '50000' },
    reloads: { type: 'string', default: '7' },
    format: { type: 'string', default: 'yaml' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) process.stdout.write(`${help}\n`)
else
  await run(Number(values.routes), Number(values.reloads), values.format)
    .catch(error => {
      process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
      process.exitCode = 1
    })
    .finally(endAll)
