import { fileURLToPath } from 'node:url'
import { usageOf } from './cpu.ts'
import { saturateHttp2 } from './load.ts'
import { end, endAll, freePort, startOn, stayOn, waitForPort } from './programs.ts'
import { median } from './table.ts'

/**
 * Compares Portico's own HTTP/2 with node:http2 at the same small answer: CPU microseconds per request, in turn.
 * `node bin/portico.js --dev bench/http2-engines.ts [ROUNDS]`
 */
const engines = ['own', 'node'] as const
const rounds = Number(process.argv[2] ?? 5)
const seconds = 2
const serverFile = fileURLToPath(new URL('http2-answer.ts', import.meta.url))

const measure = async (engine: string): Promise<{ perSecond: number; cpuMicros: number; errors: number }> => {
  const port = await freePort()
  const child = startOn(0, [process.execPath, serverFile, engine, String(port)])
  await waitForPort(port, child)
  const load = { port, paths: ['/'], headers: {}, connections: 8, core: 1 }
  await saturateHttp2({ ...load, seconds: 1 })
  const before = usageOf(child.pid as number)
  const { requests, errors, perSecond } = await saturateHttp2({ ...load, seconds })
  const after = usageOf(child.pid as number)
  await end(child)
  return { perSecond, errors, cpuMicros: ((after.cpuSeconds - before.cpuSeconds) * 1e6) / requests }
}

stayOn(1)
const results = new Map<string, { perSecond: number; cpuMicros: number; errors: number }[]>()
try {
  for (let round = 0; round < rounds; round++)
    for (const engine of engines) results.set(engine, [...(results.get(engine) ?? []), await measure(engine)])
} finally {
  await endAll()
}
console.log('| engine | req/s | CPU µs/req | lowest–highest | errors |\n| --- | ---: | ---: | ---: | ---: |')
for (const [engine, list] of results) {
  const cpu = list.map(({ cpuMicros }) => cpuMicros)
  const errors = list.reduce((sum, one) => sum + one.errors, 0)
  const rate = Math.round(median(list.map(({ perSecond }) => perSecond)))
  const range = `${Math.min(...cpu).toFixed(1)}–${Math.max(...cpu).toFixed(1)}`
  console.log(`| ${engine} | ${rate} | ${median(cpu).toFixed(1)} | ${range} | ${errors} |`)
}
