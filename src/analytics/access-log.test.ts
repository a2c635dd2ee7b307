import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { accessLine } from './access-line.ts'
import { type AccessLog, openAccessLog } from './access-log.ts'
import { emptyRecord } from './record-call.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-access-log-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const lines = (file: string): Record<string, unknown>[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line))

describe('access line', () => {
  it('is one line of JSON with the fields of the call', () => {
    const record = { ...emptyRecord(), requestId: 'r', startedAt: 1_700_000_000_005, path: '/x', durationMs: 1.5 }
    const line = accessLine(record)
    assert.ok(line.endsWith('}\n'))
    const { model, provider, tokensIn, tokensOut, tokensCached, costNanoUsd, firstTokenMs, grpcStatus, ...rest } =
      record
    assert.deepEqual(JSON.parse(line), { ...rest, startedAt: '2023-11-14T22:13:20.005Z' })
    const ai = { ...record, model: 'm', provider: 'p', tokensIn: 5, grpcStatus: 5 }
    assert.deepEqual(JSON.parse(accessLine(ai)), { ...ai, startedAt: '2023-11-14T22:13:20.005Z' })
  })

  it('survives hostile texts, and holds no control character but its end', () => {
    const hostile = '/"\\\u0000\n\r\u001b[2J\u007f\u009b31m\u2028ü👋\ud800'
    const line = accessLine({ ...emptyRecord(), path: hostile, consumer: hostile, clientAddress: hostile })
    assert.equal(JSON.parse(line).path, hostile)
    assert.match(line, /^[^\x00-\x1f\x7f-\x9f\u2028]*\n$/)
  })

  it('knows the time across seconds', () => {
    for (const time of [999, 1000, 1001, 1_700_000_000_999, 0, 1_700_000_001_000]) {
      assert.equal(
        JSON.parse(accessLine({ ...emptyRecord(), startedAt: time })).startedAt,
        new Date(time).toISOString(),
      )
    }
  })
})

describe('access log', () => {
  it('is nothing when switched off', () => {
    assert.equal(openAccessLog('off'), null)
  })

  it('appends one line per call to a file that only its owner can read', async () => {
    const file = join(folder, 'plain.log')
    for (let run = 0; run < 2; run++) {
      const log = openAccessLog(file) as AccessLog
      for (let i = 0; i < 2000; i++) log.write({ ...emptyRecord(), requestId: `${run}.${i}` })
      await log.close()
      assert.equal(log.dropped, 0)
    }
    assert.deepEqual(
      lines(file).map(line => line['requestId']),
      [0, 1].flatMap(run => Array.from({ length: 2000 }, (_, i) => `${run}.${i}`)),
    )
    assert.equal(statSync(file).mode & 0o777, 0o600)
  })

  it('goes on in a new file after rotation', async () => {
    const file = join(folder, 'rotated.log')
    const log = openAccessLog(file) as AccessLog
    log.write({ ...emptyRecord(), requestId: 'before' })
    await log.flush()
    renameSync(file, `${file}.1`)
    log.reopen()
    log.write({ ...emptyRecord(), requestId: 'after' })
    await log.close()
    assert.deepEqual(
      [`${file}.1`, file].map(name => lines(name).map(line => line['requestId'])),
      [['before'], ['after']],
    )
  })

  it('counts what it cannot write, says so once, and never throws', async () => {
    const messages: string[] = []
    const log = openAccessLog(join(folder, 'missing', 'x.log'), { log: text => messages.push(text) }) as AccessLog
    for (let i = 0; i < 10; i++) {
      log.write(emptyRecord())
      await log.flush()
    }
    await log.close()
    assert.equal(log.dropped, 10)
    assert.equal(messages.length, 1)
    assert.match(messages[0] as string, /access log: lines are dropped: ENOENT/)
  })

  it('drops and counts lines when they come faster than they can be written', async () => {
    const file = join(folder, 'flood.log')
    const log = openAccessLog(file) as AccessLog
    // All in one turn: no write can end in between.
    const calls = 30_000
    for (let i = 0; i < calls; i++) log.write(emptyRecord())
    assert.ok(log.dropped > 0)
    await log.close()
    assert.equal(lines(file).length + log.dropped, calls)
  })

  it('writes whole lines of several workers to stdout', async () => {
    const script = `
      import { Worker, isMainThread, workerData } from 'node:worker_threads'
      const { openAccessLog } = await import(${JSON.stringify(new URL('./access-log.ts', import.meta.url).href)})
      const { emptyRecord } = await import(${JSON.stringify(new URL('./record-call.ts', import.meta.url).href)})
      if (isMainThread) for (const name of ['a', 'b']) new Worker(new URL(import.meta.url), { workerData: name })
      else {
        const log = openAccessLog('stdout')
        for (let i = 0; i < 1500; i++) log.write({ ...emptyRecord(), requestId: workerData + i })
        await log.close()
      }`
    const url = `data:text/javascript,${encodeURIComponent(script)}`
    const run = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '-e', `await import(${JSON.stringify(url)})`],
      { maxBuffer: 64 * 1024 * 1024 },
    )
    const names = run.stdout
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line).requestId as string)
    assert.equal(new Set(names).size, 3000)
  })
})
