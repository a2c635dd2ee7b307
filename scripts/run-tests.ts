import { run } from 'node:test'
import { inspect } from 'node:util'

export type Skip = { name: string; file: string; reason: string }
export type Failure = { name: string; place: string; reason: string }

export type TestResult = {
  passed: number
  failures: Failure[]
  skips: Skip[]
  /** What failed files wrote besides. */
  output: string
}

export type RunOptions = {
  /** How many files at once. */
  concurrency: number
  /** Milliseconds after which a file that has not ended is killed. */
  timeout: number
}

/** The one shape of the runner's events that is needed here. */
type Ended = {
  name: string
  file?: string
  line?: number
  skip?: string | boolean
  todo?: string | boolean
  details: { type?: string; error?: Error & { failureType?: string; cause?: unknown } }
}

const reasonOf = (mark: string | boolean | undefined): string =>
  typeof mark === 'string' && mark !== '' ? mark : 'no reason given'

const describe = (error: (Error & { cause?: unknown }) | undefined): string => {
  const cause = error?.cause ?? error
  return typeof cause === 'string' ? cause : inspect(cause, { depth: 4, breakLength: 110 })
}

/**
 * Runs test files, each in a process of its own. Suites are not counted, a file that crashes or hangs is one failure, and
 * so is a file without a test: nothing is green because it did not run.
 */
export const runTests = async (files: readonly string[], { concurrency, timeout }: RunOptions): Promise<TestResult> => {
  const result: TestResult = { passed: 0, failures: [], skips: [], output: '' }
  if (files.length === 0) return result
  const known = new Set(files)
  const written = new Map<string, string>()
  const write = ({ file, message }: { file?: string; message: string }): void => {
    if (file !== undefined) written.set(file, `${written.get(file) ?? ''}${message}`.slice(-8_000))
  }
  const failed = new Set<string>()
  const fail = (event: Ended, reason: string): void => {
    const file = event.file ?? event.name
    failed.add(file)
    result.failures.push({ name: event.name, place: `${file}:${event.line ?? 1}`, reason })
  }
  const mark = (event: Ended): boolean => {
    const unfinished = event.skip ?? event.todo
    if (unfinished === undefined || unfinished === false) return false
    const prefix = event.skip === undefined ? 'to do: ' : ''
    result.skips.push({ name: event.name, file: event.file ?? '', reason: prefix + reasonOf(unfinished) })
    return true
  }

  const stream = run({ files, concurrency, timeout, isolation: 'process' })
  stream.on('test:stdout', write)
  stream.on('test:stderr', write)
  stream.on('test:pass', (event: Ended) => {
    if (event.details.type === 'suite' || mark(event)) return
    if (known.has(event.name)) fail(event, 'There is no test in this file')
    else result.passed++
  })
  stream.on('test:fail', (event: Ended) => {
    if (mark(event)) return
    const { error } = event.details
    // The tests inside have been reported already.
    if (error?.failureType === 'subtestsFailed') return
    fail(event, describe(error))
  })
  for await (const _ of stream.resume()) {
    // Every event is taken by the listeners above.
  }
  result.output = [...failed]
    .flatMap(file => (written.has(file) ? [`${file} wrote:\n${written.get(file)}`] : []))
    .join('\n')
  return result
}
