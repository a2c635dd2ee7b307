import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { type CallRow, createCallTable, printable, renderCall, renderJson } from './call-table.ts'

const call = (number: number, changes: Partial<CallRow> = {}): CallRow => ({
  requestId: `request-${number}`,
  startedAt: new Date(Date.UTC(2026, 0, 31, 12, 0, number)).toISOString(),
  status: 200,
  method: 'GET',
  path: `/orders/${number}`,
  service: 'orders',
  consumer: 'alice',
  durationMs: 1.25,
  errorCode: '',
  ...changes,
})

describe('call table', () => {
  it('aligns its columns and marks empty cells', () => {
    const table = createCallTable(false)
    const lines = table([call(1), call(20, { service: 'a-long-name', consumer: '', durationMs: 1234.56 })]).split('\n')
    assert.match(lines[0] as string, /^TIME +STATUS +METHOD +PATH +SERVICE +CONSUMER +MS +ERROR$/)
    const columnOf = (line: string, text: string): number => line.indexOf(text)
    assert.equal(columnOf(lines[1] as string, 'alice'), columnOf(lines[0] as string, 'CONSUMER'))
    assert.equal(columnOf(lines[2] as string, '-  '), columnOf(lines[0] as string, 'CONSUMER'))
    assert.match(lines[2] as string, /1234\.6 {2}-$/)
    assert.equal(table([call(3)]).split('\n').length, 2, 'no second head')
    assert.equal(table([]), '')
  })

  it('lets nothing of a stranger reach the terminal', () => {
    const hostile = '/\u001b]0;owned\u0007\u001b[2J\r\n\u0000\u009b31m\u202egnp\u2066\ud800\u200b'
    for (const text of [
      createCallTable(false)([call(1, { path: hostile, consumer: hostile, method: hostile, errorCode: hostile })]),
      renderCall(call(1, { path: hostile, requestId: hostile })),
      renderJson(call(1, { path: hostile, service: hostile })),
      printable(hostile),
    ]) {
      assert.doesNotMatch(
        text.replaceAll('\n', ''),
        /[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800]/,
      )
    }
    assert.equal(printable('/ü/日本/👋'), '/ü/日本/👋')
    assert.equal(JSON.parse(renderJson(call(1, { path: hostile }))).path, hostile)
  })

  it('cuts what is too long between characters', () => {
    const text = createCallTable(false)([call(1, { path: `/${'👋'.repeat(200)}` })])
    assert.match(text, /👋…/)
    assert.doesNotMatch(text, /\ufffd/)
  })
})

describe('portico calls', () => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-cli-calls-'))
  const main = new URL('../main.ts', import.meta.url).pathname
  let server: Server
  let address = ''
  let calls: CallRow[] = []
  let asked: string[] = []
  let seenAuthorization: string | undefined

  before(async () => {
    writeFileSync(join(folder, 'admin-token'), 'file-token\n', { mode: 0o600 })
    server = createServer((request, response) => {
      asked.push(request.url ?? '')
      seenAuthorization = request.headers.authorization
      const answer = (status: number, value: unknown): void => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
      }
      const url = new URL(request.url ?? '/', 'http://console')
      if (request.headers.authorization?.endsWith('wrong')) answer(401, { detail: 'no' })
      else if (url.pathname === '/api/calls') {
        const from = Number(url.searchParams.get('from') ?? 0)
        const newest = calls.filter(item => Date.parse(item.startedAt) >= from).toReversed()
        answer(200, { items: newest.slice(0, Number(url.searchParams.get('limit'))), nextCursor: null })
      } else {
        const found = calls.find(item => url.pathname === `/api/calls/${item.requestId}`)
        if (found) answer(200, found)
        else answer(404, { detail: 'The call log has no call with this request id' })
      }
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    address = `127.0.0.1:${(server.address() as AddressInfo).port}`
  })

  after(() => {
    server.close()
    server.closeAllConnections()
    rmSync(folder, { recursive: true, force: true })
  })

  beforeEach(() => {
    asked = []
    calls = [call(1), call(2, { status: 502, errorCode: 'upstream-closed' }), call(3)]
  })

  const environment = () => ({ PATH: process.env['PATH'] ?? '', PORTICO_CONSOLE: address, PORTICO_DATA: folder })

  type Run = { code: number; stdout: string; stderr: string }
  const portico = (args: string[], env: Record<string, string> = {}): Promise<Run> =>
    new Promise(resolve => {
      execFile(
        process.execPath,
        [main, 'calls', ...args],
        { env: { ...environment(), ...env } },
        (error, stdout, stderr) => resolve({ code: (error?.code as number | undefined) ?? 0, stdout, stderr }),
      )
    })

  it('prints the newest calls, newest last, with the token of the data folder', async () => {
    const { code, stdout } = await portico(['--limit', '2'])
    assert.equal(code, 0)
    assert.deepEqual(stdout.match(/\/orders\/\d/g), ['/orders/2', '/orders/3'])
    assert.match(stdout, /upstream-closed/)
    assert.equal(seenAuthorization, 'Bearer file-token')
  })

  it('passes filters on and prints JSON lines', async () => {
    const { stdout } = await portico(['--service', 'a&b', '--consumer', 'alice', '--status', '5xx', '--json'])
    assert.deepEqual(
      stdout
        .split('\n')
        .slice(0, -1)
        .map(line => JSON.parse(line)),
      calls,
    )
    const query = new URL(asked[0] ?? '', 'http://console').searchParams
    assert.deepEqual(Object.fromEntries(query), { limit: '20', service: 'a&b', consumer: 'alice', status: '5xx' })
  })

  it('prints one call in full', async () => {
    const { code, stdout } = await portico([
      '--id',
      'request-2',
      '--admin-token',
      'given',
      '--console',
      `http://${address}/`,
    ])
    assert.equal(code, 0)
    assert.match(stdout, /^status +502$/m)
    assert.equal(seenAuthorization, 'Bearer given')
    const missing = await portico(['--id', '../x'])
    assert.equal(missing.code, 1)
    assert.match(missing.stderr, /^[^\n]*no call with this request id\n$/)
    assert.equal(asked.at(-1), '/api/calls/..%2Fx')
  })

  it('says in one line what is wrong', async () => {
    const cases: [string[], number, RegExp, Record<string, string>?][] = [
      [['--servce', 'x'], 2, /'--servce'.*did you mean --service\?/],
      [['orders'], 2, /Unexpected argument 'orders'/],
      [['--limit', '0'], 2, /--limit takes a whole number/],
      [['--limit', 'many'], 2, /--limit takes a whole number/],
      [['--service'], 2, /'--service/],
      [['--id', 'x', '--follow'], 2, /give one of them/],
      [['--admin-token', 'wrong'], 1, /does not accept this admin token/],
      [[], 1, /Nothing answers at http:\/\/127\.0\.0\.1:1\. Is Portico running\?/, { PORTICO_CONSOLE: '127.0.0.1:1' }],
      [[], 1, /No admin token/, { PORTICO_DATA: join(folder, 'nothing') }],
    ]
    await Promise.all(
      cases.map(async ([args, expected, message, env]) => {
        const { code, stdout, stderr } = await portico(args, env)
        assert.equal(code, expected, `${args}: ${stderr}`)
        assert.match(stderr, message)
        assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
        assert.equal(stdout, '')
      }),
    )
  })

  it('says that there are none', async () => {
    calls = []
    const { code, stdout, stderr } = await portico([])
    assert.deepEqual([code, stdout, stderr], [0, '', 'No calls match.\n'])
  })

  it('follows new calls, each once, until it is interrupted', async () => {
    const child: ChildProcess = spawn(process.execPath, [main, 'calls', '--follow', '--json', '--limit', '2'], {
      env: environment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    const arrived = (text: string): Promise<void> =>
      new Promise(resolve => {
        const look = (): void => {
          if (!output.includes(text)) return
          child.stdout?.off('data', look)
          resolve()
        }
        child.stdout?.on('data', look)
        look()
      })
    child.stdout?.on('data', chunk => (output += chunk))
    await arrived('request-3')
    calls = [...calls, call(4), call(5)]
    await arrived('request-5')
    calls = [...calls, call(6)]
    await arrived('request-6')
    child.kill('SIGINT')
    const [code] = await once(child, 'exit')
    assert.equal(code, 0)
    assert.deepEqual(
      output.match(/request-\d/g),
      [2, 3, 4, 5, 6].map(number => `request-${number}`),
    )
  })
})
