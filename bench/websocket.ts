import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { usageOf } from './cpu.ts'
import type { Line } from './matrix.ts'
import { nginxPaths, nginxPreamble } from './origin.ts'
import { end, findProgram, freePort, startOn, temporaryFolder, waitFor, waitForPort } from './programs.ts'
import { portico } from './subjects/portico.ts'
import type { Features, RunningSubject as Running, Subject } from './subjects/subject.ts'

/** nginx with what its documentation says a WebSocket proxy needs. */
const nginx: Subject = {
  name: 'nginx',
  lacks: () => null,
  start: async (_features: Features, originPort: number, core: number): Promise<Running> => {
    const folder = temporaryFolder()
    const port = await freePort()
    writeFileSync(
      join(folder, 'nginx.conf'),
      `${nginxPreamble(folder)}http { access_log off; ${nginxPaths(folder)}
server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${originPort}; proxy_http_version 1.1;
  proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; proxy_read_timeout 1h; } } }`,
    )
    const child = startOn(core, [findProgram('nginx'), '-c', join(folder, 'nginx.conf')])
    await waitForPort(port, child)
    return { port, pid: child.pid as number, stop: () => end(child) }
  },
}

const peer = fileURLToPath(new URL('./websocket-peer.ts', import.meta.url))
const loads = [
  { name: '128-byte messages', size: 128, connections: 64 },
  { name: '64 kB messages', size: 65_536, connections: 16 },
]

type Options = { rounds: number; seconds: number; subjectCore: number; loadCore: number }

const median = (numbers: number[]): number => numbers.sort((a, b) => a - b)[numbers.length >> 1] as number

/** CPU microseconds of `pid` per message that went there and back. */
const measure = async (
  subject: Running,
  { size, connections }: (typeof loads)[number],
  { seconds, loadCore }: Options,
): Promise<{ cpu: number; perSecond: number; errors: number }> => {
  const flags = [`--call=${subject.port}`, `--size=${size}`, `--connections=${connections}`, `--seconds=${seconds}`]
  const load = startOn(loadCore, [process.execPath, peer, ...flags])
  await waitFor(load, () => load.said().includes('begins'))
  const before = usageOf(subject.pid).cpuSeconds
  await load.ended
  const after = usageOf(subject.pid).cpuSeconds
  const line = load.said().split('\n')[1] ?? ''
  if (!line.startsWith('{')) throw new Error(`the load said ${load.said()}`)
  const done = JSON.parse(line) as { messages: number; errors: number; seconds: number }
  return {
    cpu: ((after - before) * 1e6) / done.messages,
    perSecond: done.messages / done.seconds,
    errors: done.errors,
  }
}

/** Echoed WebSocket messages through Portico and nginx in turn; a table as text, and its lines of the matrix. */
export const runWebSocket = async (
  options: Options,
  complain: (message: string) => void,
): Promise<{ text: string; matrix: Line[] }> => {
  const matrix: Line[] = []
  const origin = startOn(options.loadCore, [process.execPath, peer, '--serve'])
  await waitFor(origin, () => origin.said().includes('listening'))
  const originPort = Number(/listening (\d+)/.exec(origin.said())?.[1])
  const features: Features = { key: false, limitAndLog: false, routes: 1 }
  const running: { name: string; subject: Running }[] = []
  for (const subject of [nginx, portico])
    running.push({ name: subject.name, subject: await subject.start(features, originPort, options.subjectCore) })
  const lines: string[] = []
  for (const load of loads) {
    const figures = new Map<string, { cpu: number[]; perSecond: number[] }>()
    for (let round = 0; round <= options.rounds; round++)
      for (const { name, subject } of running) {
        const { cpu, perSecond, errors } = await measure(subject, load, options)
        if (errors > 0) complain(`${name}: ${errors} errors`)
        if (round === 0) continue
        const known = figures.get(name) ?? { cpu: [], perSecond: [] }
        figures.set(name, { cpu: [...known.cpu, cpu], perSecond: [...known.perSecond, perSecond] })
      }
    const base = figures.get('nginx')?.cpu ?? []
    lines.push(`websocket, ${load.name}, ${load.connections} connections:`)
    for (const [name, { cpu, perSecond }] of figures) {
      const ratio = median(cpu.map((value, round) => value / (base[round] as number)))
      if (name !== 'nginx') matrix.push(['websocket', `${name}, ${load.name}`, ratio.toFixed(2), '-', '-'])
      lines.push(
        `  ${name.padEnd(8)} ${Math.round(median([...perSecond]))} echoes/s  ${median([...cpu]).toFixed(1)} µs CPU per echo  ${ratio.toFixed(2)} × nginx`,
      )
    }
  }
  await Promise.all(running.map(({ subject }) => subject.stop()))
  return { text: lines.join('\n'), matrix }
}
