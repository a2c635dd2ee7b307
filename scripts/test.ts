import { spawn } from 'node:child_process'
import { globSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkRooms } from './check-rooms.ts'
import { runTests, type Skip, type TestResult } from './run-tests.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const continuous = /^(1|true)$/i.test(process.env['CI'] ?? '')
const fileTimeoutMs = 240_000

type Outcome = { ok: boolean; detail: string; output: string }
type Step = { name: string; run(): Promise<Outcome> }

const runProgram = (script: string, args: string[]): Promise<Outcome> =>
  new Promise(resolve => {
    const child = spawn(process.execPath, [join(root, 'node_modules', script), ...args], { cwd: root })
    let output = ''
    const keep = (text: string): void => {
      output += text
    }
    child.stdout.setEncoding('utf8').on('data', keep)
    child.stderr.setEncoding('utf8').on('data', keep)
    child.on('error', error => resolve({ ok: false, detail: '', output: error.message }))
    child.on('close', code => resolve({ ok: code === 0, detail: '', output }))
  })

const staticSteps: Step[] = [
  { name: 'types', run: () => runProgram('typescript/bin/tsc', ['-p', 'tsconfig.json']) },
  { name: 'lint and format', run: () => runProgram('@biomejs/biome/bin/biome', ['check', '.']) },
  {
    name: 'rooms',
    run: async () => {
      const wrong = checkRooms(root)
      return { ok: wrong.length === 0, detail: '', output: wrong.join('\n') }
    },
  },
]

const total: TestResult = { passed: 0, failures: [], skips: [], output: '' }

const showFailures = ({ failures, output }: TestResult): string =>
  [
    ...failures.map(({ name, place, reason }) => `✖ ${name}\n  ${place}\n${reason.replaceAll(/^/gm, '  ')}\n`),
    output,
  ].join('\n')

/** In CI everything is there that a test may need; only what the platform cannot do may be left out. */
const isForgiven = ({ reason }: Skip): boolean => !continuous || reason.startsWith('platform:')

const testStep = (name: string, files: string[], concurrency: number): Step => ({
  name,
  run: async () => {
    const result = await runTests(files, { concurrency, timeout: fileTimeoutMs })
    for (const failure of result.failures) failure.place = relative(root, failure.place)
    for (const skip of result.skips)
      if (!isForgiven(skip))
        result.failures.push({ name: skip.name, place: relative(root, skip.file), reason: `skipped: ${skip.reason}` })
    result.skips = result.skips.filter(isForgiven)
    total.passed += result.passed
    total.failures.push(...result.failures)
    total.skips.push(...result.skips)
    const skipped = result.skips.length > 0 ? `, ${result.skips.length} skipped` : ''
    return {
      ok: result.failures.length === 0,
      detail: `${result.passed} passed${skipped}`,
      output: showFailures(result),
    }
  },
})

const findTests = (pattern: string, wanted: string[]): string[] =>
  globSync(pattern, { cwd: root, exclude: ['**/node_modules/**'] })
    .filter(file => wanted.length === 0 || wanted.some(word => file.includes(word)))
    .sort()
    .map(file => join(root, file))

/** Soak tests watch memory and need the machine for themselves, so they come last and one by one. */
const testSteps = (wanted: string[]): Step[] => {
  const kinds = readdirSync(join(root, 'test'), { withFileTypes: true })
    .filter(entry => entry.isDirectory() && entry.name !== 'soak')
    .map(entry => entry.name)
    .sort()
  return [
    testStep('unit tests', findTests('{src,scripts,bench}/**/*.test.ts', wanted), 2),
    testStep('tests of the whole', findTests('test/*.test.ts', wanted), 2),
    ...kinds.map(kind => testStep(`${kind} tests`, findTests(`test/${kind}/**/*.test.ts`, wanted), 2)),
    testStep('soak tests', findTests('test/soak/**/*.test.ts', wanted), 1),
  ]
}

const runSteps = async (steps: Step[]): Promise<number> => {
  let broken = 0
  for (const { name, run } of steps) {
    const start = performance.now()
    const { ok, detail, output } = await run()
    if (ok && detail === '0 passed') continue
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    console.log(`${ok ? '✔' : '✖'} ${name.padEnd(20)} ${`${seconds} s`.padStart(8)}  ${detail}`.trimEnd())
    if (ok) continue
    broken++
    console.log(`\n${output.trimEnd()}\n`)
  }
  return broken
}

const showSkips = (skips: Skip[]): void => {
  const counts = Map.groupBy(skips, skip => skip.reason)
  for (const [reason, list] of counts) console.log(`skipped ${list.length}: ${reason}`)
}

const words = process.argv.slice(2)
const onlyStatic = words.includes('--static')
const wanted = words.filter(word => !word.startsWith('--'))
const start = performance.now()
let broken = wanted.length > 0 ? 0 : await runSteps(staticSteps)
if (!onlyStatic) {
  broken += await runSteps(testSteps(wanted))
  const { passed, failures, skips } = total
  const count = passed + failures.length + skips.length
  showSkips(skips)
  if (count === 0) {
    console.log('✖ No test was found')
    broken++
  }
  console.log(`ℹ tests ${count}`)
  console.log(`ℹ pass ${passed}`)
  console.log(`ℹ fail ${failures.length}`)
  console.log(`ℹ skipped ${skips.length}`)
  console.log(`ℹ duration ${((performance.now() - start) / 1000).toFixed(1)} s`)
  if (broken > 0) console.log(`✖ ${broken} ${broken === 1 ? 'step' : 'steps'} failed`)
  console.log(`${passed} passed, ${failures.length} failed, ${skips.length} skipped`)
}
process.exit(broken > 0 ? 1 : 0)
