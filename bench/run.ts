import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { type Case, cases, type Lane } from './cases.ts'
import { startGrpcOrigin } from './grpc-origin.ts'
import { matrixLines, matrixOf } from './matrix.ts'
import { startOrigin } from './origin.ts'
import { endAll, stayOn } from './programs.ts'
import { runRounds } from './rounds.ts'
import { caddy } from './subjects/caddy.ts'
import { haproxy } from './subjects/haproxy.ts'
import { nginx } from './subjects/nginx.ts'
import { portico } from './subjects/portico.ts'
import type { Subject } from './subjects/subject.ts'
import { asMarkdown, asText, tableOf } from './table.ts'
import { runWebSocket } from './websocket.ts'

const allSubjects: readonly Subject[] = [nginx, portico, haproxy, caddy]
const subjectCore = 0
const loadCore = 1

const help = `npm run bench -- [all | CASE…] [--rounds 5] [--seconds 3] [--subjects portico,nginx] [--markdown]

  Measures Portico and others side by side: the subject on one core, origin and load on the other, rounds interleaved,
  the first one thrown away. Read the ratio: CPU per request against nginx in the same round. Without a case all are run.
  Subjects: ${allSubjects.map(({ name }) => name).join(', ')}.

${cases.map(({ name, what }) => `  ${name.padEnd(16)} ${what}`).join('\n')}
  websocket        echoed WebSocket messages, Portico and nginx`

type Options = { rounds: number; seconds: number; subjects: readonly Subject[]; markdown: boolean }

let interrupted = false
let errorsSeen = false
const complain = (message: string): void => {
  errorsSeen = true
  process.stderr.write(`!!! ${message}\n`)
}

const lanesOf = ({ task, variants }: Case, subjects: readonly Subject[]): Lane[] =>
  variants === undefined
    ? subjects
        .filter(subject => subject.lacks(task.features) === null)
        .map(subject => ({ name: subject.name, subject, task }))
    : variants.map(({ name, task }) => ({ name, subject: portico, task }))

/** What the matrix at the end is made of. */
const summary: ReturnType<typeof matrixLines> = []

const runCase = async (chosen: Case, originPort: number, options: Options): Promise<string> => {
  const lanes = lanesOf(chosen, options.subjects)
  const left = (chosen.variants === undefined ? options.subjects : []).flatMap(({ name, lacks }) => {
    const reason = lacks(chosen.task.features)
    return reason === null ? [] : [`${name} is left out: ${reason}.`]
  })
  if (lanes.length === 0) return `${chosen.name}\n${left.join('\n')}\n`
  const port = chosen.task.features.grpc === true ? await startGrpcOrigin(loadCore) : originPort
  const measured = await runRounds(chosen, lanes, port, { ...options, subjectCore, loadCore }, complain)
  const base = chosen.variants?.[0]?.name ?? (lanes.some(({ subject }) => subject === nginx) ? nginx.name : null)
  const table = tableOf(measured.lanes, { base, compareLatency: chosen.kind === 'rate' })
  summary.push(...matrixLines(chosen.name, table))
  const rate = measured.perSecond === null ? '' : ` (${Math.round(measured.perSecond)} req/s)`
  return [
    options.markdown ? `### ${chosen.name}\n${chosen.what}${rate}\n` : `${chosen.name}: ${chosen.what}${rate}`,
    options.markdown ? asMarkdown(table) : asText(table),
    ...left.map(line => (options.markdown ? `\n${line}` : line)),
    '',
  ].join('\n')
}

const git = (...args: string[]): string =>
  execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()

const commit = (): string => {
  try {
    const changed = git('status', '--porcelain', '--', '../src', '.') !== ''
    return `${git('rev-parse', '--short', 'HEAD')}${changed ? ' with changes' : ''}`
  } catch {
    return 'unknown'
  }
}

const readNumber = (flag: string, text: string | undefined, fallback: number, most: number): number => {
  if (text === undefined) return fallback
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > most)
    throw new Error(`${flag} must be a number from 1 to ${most}, not ${JSON.stringify(text)}`)
  return value
}

const readSubjects = (text: string | undefined): Subject[] => {
  const wanted = (text ?? 'portico,nginx').split(',')
  const wrong = wanted.find(name => !allSubjects.some(subject => subject.name === name))
  if (wrong !== undefined)
    throw new Error(`there is no subject ${JSON.stringify(wrong)}: ${allSubjects.map(({ name }) => name).join(', ')}`)
  return allSubjects.filter(({ name }) => wanted.includes(name))
}

const main = async (): Promise<void> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      subjects: { type: 'string' },
      markdown: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  const wanted =
    positionals.length === 0 || positionals.includes('all')
      ? [...cases.map(({ name }) => name), 'websocket']
      : positionals
  const unknown = wanted.find(name => name !== 'websocket' && !cases.some(candidate => candidate.name === name))
  if (values.help === true || unknown !== undefined) {
    if (unknown !== undefined) process.stderr.write(`There is no case ${JSON.stringify(unknown)}.\n`)
    process.stdout.write(`${help}\n`)
    process.exitCode = values.help === true ? 0 : 2
    return
  }
  const options: Options = {
    rounds: readNumber('--rounds', values.rounds, 5, 100),
    seconds: readNumber('--seconds', values.seconds, 3, 600),
    subjects: readSubjects(values.subjects),
    markdown: values.markdown === true,
  }
  if (process.platform !== 'linux') throw new Error('reads CPU time from /proc and needs Linux')
  if (availableParallelism() < 2) throw new Error('needs two cores: one for the subject, one for origin and load')
  const machine = `${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}`
  stayOn(loadCore)
  const originPort = await startOrigin(loadCore)
  const day = new Date().toISOString().slice(0, 10)
  const command = ['npm run bench --', ...process.argv.slice(2)].join(' ')
  process.stdout.write(`${day}, commit ${commit()}, ${machine}, ${options.rounds} rounds of ${options.seconds} s:\n`)
  process.stdout.write(options.markdown ? `\`${command}\`\n\n` : `${command}\n\n`)
  for (const name of wanted) {
    const chosen = cases.find(candidate => candidate.name === name) as Case
    try {
      if (name === 'websocket') {
        const { text, matrix } = await runWebSocket({ ...options, subjectCore, loadCore }, complain)
        summary.push(...matrix)
        process.stdout.write(`${text}\n\n`)
        continue
      }
      process.stdout.write(`${await runCase(chosen, originPort, options)}\n`)
    } catch (error) {
      if (interrupted) throw error
      // One case that cannot be measured keeps nobody from the others.
      complain(`${name}: ${(error as Error).message}`)
    }
  }
  if (wanted.length > 1) {
    const matrix = matrixOf(wanted, summary)
    process.stdout.write(options.markdown ? `### all\n\n${asMarkdown(matrix)}\n` : `${asText(matrix)}\n`)
  }
  if (errorsSeen) complain('there were errors: the lines above do not count as a measurement')
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => {
    interrupted = true
    void endAll().then(() => process.exit(130))
  })
try {
  await main()
  if (errorsSeen) process.exitCode = 1
} catch (error) {
  // What fails because it was ended on purpose is no news.
  if (!interrupted) process.stderr.write(`bench: ${(error as Error).message}\n`)
  process.exitCode = 1
} finally {
  await endAll()
}
