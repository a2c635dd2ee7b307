import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { get } from '../conformance/case-table.ts'
import { answerEach, eventually, ok, oneService, rawCall, rawClient, scriptedOrigin, startPortico } from '../harness.ts'

/** Tells one worker what becomes of it (src/app/test-crashing-worker.ts). */
const doom = (path: string, word: string): Promise<void> =>
  new Promise(resolve => {
    const socket = connect(path, () => socket.write(word))
    socket.on('error', () => {})
    socket.on('close', () => resolve())
  })

const what = { throw: 'throws', exit: 'exits', loop: 'never returns to its event loop' }

for (const [fate, does] of Object.entries(what))
  test(`a worker that ${does} is replaced; only its own calls fail`, async () => {
    let answer = () => {}
    const gate = new Promise<void>(resolve => {
      answer = resolve
    })
    const origin = await scriptedOrigin(
      answerEach(async request => {
        if (request.target === '/slow') await gate
        return ok(request.target)
      }),
    )
    const folder = mkdtempSync(join(tmpdir(), 'portico-doom-'))
    const crashPath = join(folder, 'worker')
    const settings = { timeouts: { drain: '2s', stall: '1s' } }
    const portico = await startPortico({
      config: oneService(origin.url, {}, {}, settings),
      workers: 2,
      env: { PORTICO_TEST_CRASH_PATH: crashPath },
    })
    try {
      const clients = await Promise.all(Array.from({ length: 24 }, () => rawClient(portico.gatewayPort)))
      for (const client of clients) client.send(get('/slow'))
      await eventually(
        async () => (origin.requests.filter(({ target }) => target === '/slow').length === 24 ? true : null),
        'all calls at the origin',
      )
      const results = clients.map(client =>
        client.readFinalResponse({ milliseconds: 20_000 }).then(
          response => response.status,
          () => 'cut',
        ),
      )
      await doom(`${crashPath}.0`, fate)
      await eventually(async () => {
        const { workerRestarts } = (await portico.console('/api/status')).body as { workerRestarts: number }
        return workerRestarts === 1 && (await portico.status()).workers.length === 2 ? true : null
      }, 'the replacement')
      answer()
      const seen = await Promise.all(results)
      // With 24 connections both workers have some, but for one time in eight million.
      assert.ok(seen.includes(200) && seen.includes('cut'), seen.join())
      assert.deepEqual([...new Set(seen)].sort(), [200, 'cut'])
      const after = await Promise.all(Array.from({ length: 40 }, () => rawCall(portico.gatewayPort, get('/after'))))
      assert.ok(after.every(({ status }) => status === 200))
      assert.match(portico.output(), fate === 'exit' ? /./ : /A gateway worker (stopped|is replaced)/)
      for (const client of clients) client.destroy()
    } finally {
      await portico.stop()
      await origin.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  })
