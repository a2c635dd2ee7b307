import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseDocument } from '#config/load'
import { packDocument } from '#config/packed-document'
import { createHealthMemory } from '#gateway/health/health-table'
import { startCallStorage } from '#storage/call-storage'
import { createCountersMemory } from '#storage/shared-counters'
import { configCatalogue } from './catalogue.ts'
import { startWorkers } from './workers.ts'

const documentFor = (port: number) => {
  const text = `
version: 1
services:
  - name: a
    upstream: { targets: [{ url: "http://127.0.0.1:${port}" }] }
    routes: [{ path: / }]
`
  const parsed = parseDocument(text, {
    file: 'portico.yaml',
    catalogue: configCatalogue,
    env: {},
    readFile: () => assert.fail('nothing is read'),
  })
  assert.ok(parsed.ok)
  return packDocument(parsed.document)
}

test('a worker that dies is replaced while the others keep the port and go on serving', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-test-'))
  const crashPath = join(folder, 'crash')
  process.env['PORTICO_TEST_CRASH_PATH'] = crashPath
  const origin = createServer((_, response) => response.end('here'))
  await new Promise<void>(resolve => origin.listen(0, '127.0.0.1', resolve))
  const calls = startCallStorage({ folder, keep: 1000, log: () => {} })
  const errors: string[] = []
  const workers = await startWorkers({
    count: 2,
    host: '127.0.0.1',
    port: 0,
    document: documentFor((origin.address() as AddressInfo).port),
    revision: 1,
    countersMemory: createCountersMemory(),
    healthMemory: createHealthMemory({ slots: 16 }),
    addresses: new Map(),
    connectCalls: () => calls.connect(),
    stallMs: () => 0,
    log: (_, message, details) => errors.push(`${message} ${String(details?.['reason'] ?? '')}`),
    script: new URL('./test-crashing-worker.ts', import.meta.url),
  })
  const url = `http://127.0.0.1:${workers.port}/`
  const ask = async (): Promise<string> => (await fetch(url, { headers: { connection: 'close' } })).text()
  try {
    for (let i = 0; i < 20; i++) assert.equal(await ask(), 'here')
    const before = await workers.report()
    const counted = before.flatMap(({ metrics }) => metrics.calls).reduce((sum, { requests }) => sum + requests, 0)
    assert.equal(counted, 20)

    await new Promise<void>(resolve => {
      const socket = connect(`${crashPath}.0`, () => socket.write('throw'))
      socket.on('error', () => {}).on('close', () => resolve())
    })
    while (workers.restarts === 0) await new Promise(resolve => setImmediate(resolve))
    for (let i = 0; i < 20; i++) assert.equal(await ask(), 'here')
    while ((await workers.report()).length < 2) await new Promise(resolve => setImmediate(resolve))
    for (let i = 0; i < 20; i++) assert.equal(await ask(), 'here')

    assert.match(errors.join('\n'), /told to die/)
    const after = [workers.retired, ...(await workers.report()).map(({ metrics }) => metrics)]
    const sum = after.flatMap(({ calls: series }) => series).reduce((total, { requests }) => total + requests, 0)
    assert.equal(sum, 60, 'what the dead worker had counted is still in the sums')
  } finally {
    await workers.drain({ delayMs: 0, deadlineMs: 1000 })
    await calls.close()
    origin.close()
    origin.closeAllConnections()
    delete process.env['PORTICO_TEST_CRASH_PATH']
    rmSync(folder, { recursive: true, force: true })
  }
})
