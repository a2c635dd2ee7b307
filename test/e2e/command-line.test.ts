import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { root } from '../harness.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-test-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const good = join(folder, 'good.yaml')
writeFileSync(
  good,
  'version: 1\nservices:\n  - name: a\n    upstream: { targets: [{ url: "http://127.0.0.1:1" }] }\n    routes: [{ path: / }]\n',
)
const bad = join(folder, 'bad.yaml')
writeFileSync(bad, 'version: 1\nservices:\n  - nam: a\n')

type Ended = { code: number; stdout: string; stderr: string }

const portico = (...args: string[]): Promise<Ended> =>
  new Promise(resolve => {
    execFile(
      process.execPath,
      [join(root, 'src/main.ts'), ...args],
      { timeout: 20_000, cwd: folder, env: { PATH: process.env['PATH'] } },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    )
  })

const free = ['--gateway', '127.0.0.1:0', '--console', '127.0.0.1:0', '--data', join(folder, 'data')]

/** What a user did wrong, and the beginning of the one line that says so. */
const mistakes: { name: string; args: string[]; code: number; says: RegExp }[] = [
  { name: 'an unknown command', args: ['strat'], code: 2, says: /^There is no command "strat"; did you mean start\?/ },
  { name: 'an unknown flag', args: ['start', '--confg', 'x'], code: 2, says: /^Unknown option '--confg'/ },
  { name: 'a flag without its value', args: ['start', '--config'], code: 2, says: /argument missing/ },
  { name: 'a stray word', args: ['start', 'now'], code: 2, says: /^Unexpected argument 'now'/ },
  {
    name: 'an address without a port',
    args: ['start', '--gateway', 'here'],
    code: 2,
    says: /^--gateway takes HOST:PORT/,
  },
  {
    name: 'a port out of range',
    args: ['start', '--gateway', '[::1]:70000'],
    code: 2,
    says: /^--gateway takes HOST:PORT/,
  },
  { name: 'no workers', args: ['start', '--workers', '0'], code: 2, says: /^--workers takes a number/ },
  { name: 'an unknown log level', args: ['start', '--log-level', 'loud'], code: 2, says: /^--log-level takes one of/ },
  {
    name: 'a config file that is not there',
    args: ['start', '--config', 'none.yaml'],
    code: 2,
    says: /none\.yaml:1:1 {2}cannot be read/,
  },
  {
    name: 'a folder as config file',
    args: ['start', '--config', '.'],
    code: 2,
    says: /cannot be read: it is a folder/,
  },
  {
    name: 'an address of another machine',
    args: ['start', '--config', good, '--gateway', '192.0.2.1:80'],
    code: 1,
    says: /^Cannot listen on 192\.0\.2\.1:80 for the gateway/,
  },
  {
    name: 'a data folder that cannot be made',
    args: ['start', '--config', good, ...free, '--data', '/proc/portico'],
    code: 1,
    says: /^Cannot use the data folder/,
  },
  { name: 'validate without a file', args: ['validate'], code: 1, says: /^portico validate takes one argument/ },
  {
    name: 'explain without a URL',
    args: ['explain', 'GET'],
    code: 2,
    says: /^portico explain takes a method and a URL/,
  },
  {
    name: 'calls of a console that does not run',
    args: ['calls', '--console', '127.0.0.1:1', '--admin-token', 'x'],
    code: 1,
    says: /127\.0\.0\.1:1/,
  },
]

for (const { name, args, code, says } of mistakes) {
  test(`one clear line and no stack trace: ${name}`, async () => {
    const ended = await portico(...args)
    assert.match(ended.stderr, says)
    assert.equal(ended.stderr.trim().split('\n').length, 1, ended.stderr)
    assert.doesNotMatch(ended.stderr, /^\s+at /m)
    assert.equal(ended.code, code)
  })
}

for (const flag of ['--gateway', '--console']) {
  test(`a port in use is named: ${flag}`, async () => {
    const taken = createServer()
    await new Promise<void>(resolve => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as { port: number }
    const ended = await portico('start', '--config', good, ...free, flag, `127.0.0.1:${port}`)
    taken.close()
    assert.match(
      ended.stderr,
      new RegExp(
        `^Cannot listen on 127\\.0\\.0\\.1:${port} for the ${flag.slice(2)}: another program listens there already. Choose another with ${flag} HOST:PORT\n$`,
      ),
    )
    assert.equal(ended.code, 1)
  })
}

test('a wrong config at start: nothing listens, exit code 2, every error with its place', async () => {
  const ended = await portico('start', '--config', bad, ...free)
  assert.equal(ended.code, 2)
  assert.match(ended.stderr, /bad\.yaml:3:5 {2}services\[0\]\.nam {2}unknown key "nam"; did you mean "name"\?/)
  assert.equal(ended.stdout, '')
})

test('validate says what it found, or every mistake with exit code 1', async () => {
  const fine = await portico('validate', good)
  assert.deepEqual([fine.code, fine.stdout], [0, `${good} is valid: 1 service, 1 route, 0 consumers\n`])
  const wrong = await portico('validate', bad)
  assert.equal(wrong.code, 1)
  assert.match(wrong.stderr, /bad\.yaml:3:5/)
})

test('explain reads a file: the route with its target, or why there is none', async () => {
  const found = await portico('explain', 'GET', '/x?y=1', '--config', good)
  assert.equal(found.code, 0)
  assert.match(found.stdout, /^route {5}a\/ .*service a, path \//m)
  assert.match(found.stdout, /^target {4}http:\/\/127\.0\.0\.1:1 \/x/m)
  const refused = await portico('explain', 'GET', '/%2e%2e/x', '--config', good)
  assert.equal(refused.code, 1)
  assert.match(refused.stdout, /^answer {4}400 bad-request/m)
})

test('every command has help', async () => {
  for (const name of ['start', 'validate', 'explain', 'calls', 'schema']) {
    const ended = await portico(name, '--help')
    assert.equal(ended.code, 0)
    assert.match(ended.stdout, new RegExp(`^portico ${name}`))
  }
})
