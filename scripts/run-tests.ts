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

const emptyResult = (): TestResult => ({ passed: 0, failures: [], skips: [], output: '' })

/** Resolves when the process of this one file has ended; it is killed when it has not after `timeout` ms. */
const runFile = async (file: string, timeout: number): Promise<TestResult> => {
  const result = emptyResult()
  let written = ''
  const write = ({ message }: { message: string }): void => {
    written = `${written}${message}`.slice(-8_000)
  }
  const fail = (event: Ended, reason: string): void => {
    result.failures.push({ name: event.name, place: `${event.file ?? file}:${event.line ?? 1}`, reason })
  }
  const mark = (event: Ended): boolean => {
    const unfinished = event.skip ?? event.todo
    if (unfinished === undefined || unfinished === false) return false
    const prefix = event.skip === undefined ? 'to do: ' : ''
    result.skips.push({ name: event.name, file, reason: prefix + reasonOf(unfinished) })
    return true
  }

  // The runner's own timeout is one for each test; a file that is done but does not end would be waited for forever.
  const tooLong = AbortSignal.timeout(timeout)
  const stream = run({ files: [file], isolation: 'process', signal: tooLong })
  stream.on('test:stdout', write)
  stream.on('test:stderr', write)
  stream.on('test:pass', (event: Ended) => {
    if (event.details.type === 'suite' || mark(event)) return
    if (event.name === file) fail(event, 'There is no test in this file')
    else result.passed++
  })
  stream.on('test:fail', (event: Ended) => {
    if (mark(event)) return
    const { error } = event.details
    // The tests inside have been reported already.
    if (error?.failureType === 'subtestsFailed') return
    fail(event, event.name === file && tooLong.aborted ? `It did not end within ${timeout} ms` : describe(error))
  })
  for await (const _ of stream.resume()) {
    // Every event is taken by the listeners above.
  }
  if (result.failures.length > 0 && written !== '') result.output = `${file} wrote:\n${written}`
  return result
}

/**
 * Runs test files, each in a process of its own. Suites are not counted, a file that crashes or hangs is one failure, and
 * so is a file without a test: nothing is green because it did not run.
 */
export const runTests = async (files: readonly string[], { concurrency, timeout }: RunOptions): Promise<TestResult> => {
  const results = new Map<string, TestResult>()
  const waiting = [...files]
  const work = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift())
      results.set(file, await runFile(file, timeout))
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  const total = emptyResult()
  for (const file of files) {
    const { passed, failures, skips, output } = results.get(file) as TestResult
    total.passed += passed
    total.failures.push(...failures)
    total.skips.push(...skips)
    total.output += output
  }
  return total
}
