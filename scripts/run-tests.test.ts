import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { runTests, type TestResult } from './run-tests.ts'

/** In a process of its own: Node refuses to run tests from inside of a test. */
const runFile = async (t: TestContext, code: string, timeout = 20_000): Promise<TestResult> => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-tests-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'x.test.mjs')
  writeFileSync(file, `import { test, suite } from 'node:test'\nimport assert from 'node:assert'\n${code}\n`)
  const program = join(folder, 'run.mjs')
  writeFileSync(
    program,
    `import { runTests } from ${JSON.stringify(import.meta.resolve('./run-tests.ts'))}
    const result = await runTests([${JSON.stringify(file)}], { concurrency: 1, timeout: ${timeout} })
    process.stdout.write(JSON.stringify(result))`,
  )
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const run = promisify(execFile)
  const { stdout } = await run(process.execPath, [program], { env })
  return JSON.parse(stdout)
}

test('counts tests but not suites', async t => {
  const result = await runFile(t, "suite('s', () => { test('a', () => {}); test('b', () => {}) }); test('c', () => {})")
  assert.deepEqual([result.passed, result.failures, result.skips], [3, [], []])
})

test('a failure has its name, place, reason and what was written', async t => {
  const result = await runFile(t, "console.log('a word'); test('a', () => assert.equal(1, 2)); test('b', () => {})")
  assert.equal(result.passed, 1)
  assert.equal(result.failures.length, 1)
  assert.equal(result.failures[0]?.name, 'a')
  assert.match(result.failures[0]?.place ?? '', /x\.test\.mjs:3$/)
  assert.match(result.failures[0]?.reason ?? '', /1 == 2/)
  assert.match(result.output, /a word/)
})

test('a failing test inside of a suite is counted once', async t => {
  const result = await runFile(t, "suite('s', () => { test('a', () => assert.fail('no')) })")
  assert.deepEqual(
    result.failures.map(failure => failure.name),
    ['a'],
  )
})

test('skipped and unfinished tests are kept with their reason, also when they fail', async t => {
  const result = await runFile(
    t,
    `test('a', { skip: 'platform: none' }, () => {}); test('b', { skip: true }, () => {})
     test('c', { todo: 'later' }, () => assert.fail('x')); test('d', context => context.skip('at run time'))`,
  )
  assert.deepEqual(
    result.skips.map(({ name, reason }) => `${name} ${reason}`),
    ['a platform: none', 'b no reason given', 'c to do: later', 'd at run time'],
  )
  assert.deepEqual([result.passed, result.failures], [0, []])
})

test('a file that crashes is a failure', async t => {
  const result = await runFile(t, "throw new Error('at load')")
  assert.equal(result.failures.length, 1)
  assert.match(result.output + result.failures[0]?.reason, /at load/)
})

test('a file without a test is a failure', async t => {
  const result = await runFile(t, '')
  assert.match(result.failures[0]?.reason ?? '', /no test/)
})

test('a file that does not end is killed and is a failure', async t => {
  const result = await runFile(t, "test('a', () => new Promise(() => setInterval(() => {}, 1000)))", 700)
  assert.match(result.failures.at(-1)?.reason ?? '', /did not end within 700 ms/)
})

test('no files give an empty result', async () => {
  assert.deepEqual(await runTests([], { concurrency: 1, timeout: 1000 }), {
    passed: 0,
    failures: [],
    skips: [],
    output: '',
  })
})
