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
settings: { limits: { requests: 1 } }
services:
  - name: a
    upstream: { targets: [{ url: "http://127.0.0.1:${port}" }], limits: { requests: 1 } }
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

test('what a worker held when it died is free again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-test-'))
  const crashPath = join(folder, 'crash')
  process.env['PORTICO_TEST_CRASH_PATH'] = crashPath
  let arrived = () => {}
  const asked = new Promise<void>(resolve => {
    arrived = resolve
  })
  const origin = createServer((request, response) => {
    if (request.url === '/hold') arrived()
    else response.end('here')
  })
  await new Promise<void>(resolve => origin.listen(0, '127.0.0.1', resolve))
  const calls = startCallStorage({ folder, keep: 1000, log: () => {} })
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
    log: () => {},
    script: new URL('./test-crashing-worker.ts', import.meta.url),
  })
  const url = `http://127.0.0.1:${workers.port}`
  try {
    const cut = assert.rejects(fetch(`${url}/hold`))
    await asked
    const refused = await fetch(url, { headers: { connection: 'close' } })
    assert.equal(refused.status, 503)
    // Reports do not say which of the two holds the call: both die.
    for (const number of [0, 1])
      await new Promise<void>(resolve => {
        const socket = connect(`${crashPath}.${number}`, () => socket.write('throw'))
        socket.on('error', () => {}).on('close', () => resolve())
      })
    await cut
    while (workers.restarts < 2) await new Promise(resolve => setImmediate(resolve))
    while ((await workers.report()).length < 2) await new Promise(resolve => setImmediate(resolve))
    const answer = await fetch(url, { headers: { connection: 'close' } })
    assert.equal(await answer.text(), 'here')
  } finally {
    await workers.drain({ delayMs: 0, deadlineMs: 1000 })
    await calls.close()
    origin.close()
    origin.closeAllConnections()
    delete process.env['PORTICO_TEST_CRASH_PATH']
    rmSync(folder, { recursive: true, force: true })
  }
})
