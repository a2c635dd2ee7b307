import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { type Case, cases } from './cases.ts'
import { usageOf } from './cpu.ts'
import { atRate, type Load, saturate } from './load.ts'
import { startOrigin } from './origin.ts'
import { endAll } from './programs.ts'
import { caddy } from './subjects/caddy.ts'
import { haproxy } from './subjects/haproxy.ts'
import { nginx } from './subjects/nginx.ts'
import { portico } from './subjects/portico.ts'
import type { RunningSubject, Subject } from './subjects/subject.ts'
import { asMarkdown, asText, lineOf, type Round } from './table.ts'

const help = `npm run bench -- CASE… [--rounds 5] [--seconds 3] [--subjects portico,nginx] [--markdown]

  Measures Portico and others side by side: each subject on core 0, origin and load on core 1, rounds interleaved,
  the first round thrown away. Read the ratio: CPU per request against nginx in the same round.

${cases.map(({ name, what }) => `  ${name.padEnd(16)} ${what}`).join('\n')}`

const allSubjects: readonly Subject[] = [nginx, portico, haproxy, caddy]
const subjectCore = 0
const loadCore = 1

type Options = { rounds: number; seconds: number; subjects: readonly Subject[]; markdown: boolean }

const measure = async (
  subject: RunningSubject,
  chosen: Case,
  options: Options,
  perSecond: number | null,
): Promise<Round> => {
  const load: Load = {
    url: `http://127.0.0.1:${subject.port}${chosen.path}`,
    headers: chosen.headers,
    seconds: options.seconds,
    connections: chosen.connections,
    core: loadCore,
  }
  const before = usageOf(subject.pid)
  const result = perSecond === null ? await saturate(load) : await atRate(load, perSecond)
  const after = usageOf(subject.pid)
  const cpuMicros = ((after.cpuSeconds - before.cpuSeconds) * 1e6) / Math.max(result.requests, 1)
  return { ...result, cpuMicros, residentBytes: after.residentBytes, ratio: null }
}

const runCase = async (chosen: Case, originPort: number, options: Options): Promise<string> => {
  const taking = options.subjects.filter(subject => subject.lacks(chosen.features) === null)
  const running = new Map<Subject, RunningSubject>()
  for (const subject of taking) running.set(subject, await subject.start(chosen.features, originPort, subjectCore))
  const rounds = new Map<Subject, Round[]>(taking.map(subject => [subject, []]))
  let perSecond: number | null = null
  const reference = running.get(nginx)
  if (chosen.kind === 'rate') {
    const saturated = await measure(reference ?? [...running.values()][0]!, chosen, options, null)
    perSecond = saturated.perSecond / 2
  }
  for (let round = 0; round <= options.rounds; round++) {
    let nginxCpu: number | null = null
    for (const subject of taking) {
      const measured = await measure(running.get(subject)!, chosen, options, perSecond)
      if (subject === nginx) nginxCpu = measured.cpuMicros
      if (nginxCpu !== null) measured.ratio = measured.cpuMicros / nginxCpu
      // The first round warms up: caches, just-in-time compiler, connections.
      if (round > 0) rounds.get(subject)!.push(measured)
    }
  }
  await Promise.all([...running.values()].map(subject => subject.stop()))
  const lines = [...rounds].map(([subject, list]) => lineOf(subject.name, list))
  const left = options.subjects.flatMap(subject => {
    const reason = subject.lacks(chosen.features)
    return reason === null ? [] : [`${subject.name} left out: ${reason}`]
  })
  const rate = perSecond === null ? '' : `, ${Math.round(perSecond)} req/s`
  const title = `${chosen.name}: ${chosen.what}${rate}`
  const table = options.markdown ? `### ${title}\n${asMarkdown(lines)}\n` : `${title}\n${asText(lines)}\n`
  return [table, ...left].join('\n')
}

const commit = (): string => {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  } catch {
    return 'unknown'
  }
}

const number = (text: string | undefined, fallback: number, most: number): number => {
  if (text === undefined) return fallback
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > most)
    throw new Error(`expected a number from 1 to ${most}, got ${text}`)
  return value
}

const main = async (): Promise<void> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      subjects: { type: 'string' },
      markdown: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  const unknown = positionals.find(name => !cases.some(candidate => candidate.name === name))
  if (values.help === true || positionals.length === 0 || unknown !== undefined) {
    if (unknown !== undefined) process.stderr.write(`There is no case ${JSON.stringify(unknown)}.\n`)
    process.stdout.write(`${help}\n`)
    process.exitCode = values.help === true ? 0 : 2
    return
  }
  if (availableParallelism() < 2) throw new Error('a benchmark needs two cores: one for the subject, one for the load')
  const wanted = (values.subjects ?? 'nginx,portico').split(',')
  const wrong = wanted.find(name => !allSubjects.some(subject => subject.name === name))
  if (wrong !== undefined)
    throw new Error(`there is no subject ${wrong}: ${allSubjects.map(({ name }) => name).join(', ')}`)
  const options: Options = {
    rounds: number(values.rounds, 5, 100),
    seconds: number(values.seconds, 3, 600),
    subjects: allSubjects.filter(({ name }) => wanted.includes(name)),
    markdown: values.markdown === true,
  }
  const originPort = await startOrigin(loadCore)
  const day = new Date().toISOString().slice(0, 10)
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`
  process.stdout.write(`${day}, commit ${commit()}, ${machine}, ${options.rounds} rounds of ${options.seconds} s\n\n`)
  for (const name of positionals) {
    const chosen = cases.find(candidate => candidate.name === name) as Case
    process.stdout.write(`${await runCase(chosen, originPort, options)}\n`)
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void endAll().then(() => process.exit(130)))
try {
  await main()
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n`)
  process.exitCode = 1
} finally {
  await endAll()
}
