import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WebSocket } from 'ws'
import { echo, openSocket, socketOrigin } from '../e2e/socket-origin.ts'
import { eventually, startPortico, type WorkerStatus } from '../harness.ts'
import { inMegabytes, long, noProc, openFiles } from './process-figures.ts'

const reloads = long ? 60 : 6
/** Full collections make the heap comparable, and everything slow. */
const nodeArgs = long ? ['--gc-global', '--max-semi-space-size=1'] : []

test(`${reloads} reloads with WebSockets and event streams leave nothing behind`, { skip: noProc }, async () => {
  const origins = [await socketOrigin(), await socketOrigin()]
  const config = (n: number) => ({
    version: 1,
    settings: { timeouts: { drain: '1s' } },
    services: [
      {
        name: 'main',
        upstream: { targets: [{ url: origins[n % 2]?.url }] },
        policies: {
          'key-auth': {},
          websocket: { idle: '1h', ping: '1h' },
          'transform-response': { headers: { set: { 'x-n': `${n}` } } },
        },
        routes: Array.from({ length: long ? 3000 : 100 }, (_, index) => ({
          path: `/${index === 0 ? '' : `r${index}`}`,
        })),
      },
    ],
    consumers: [{ name: 'alice', keys: [{ secret: 'k1' }] }],
  })
  const portico = await startPortico({ config: config(0), nodeArgs })
  const url = `127.0.0.1:${portico.gatewayPort}`
  const headers = { 'x-api-key': 'k1' }
  const quiet = (connections: number): Promise<WorkerStatus> =>
    eventually(async () => {
      const [status] = (await portico.status()).workers
      return status?.load.connections === connections && status.load.activeCalls === connections ? status : null
    }, 'the short calls to be gone')
  let n = 0
  /** They live through all reloads that follow, and keep no old configuration in memory. */
  const lasting: WebSocket[] = []
  const round = async (): Promise<void> => {
    await portico.reload(config(++n))
    const socket = await openSocket(`ws://${url}/`, { headers })
    assert.equal(await echo(socket, 'x'), 'x')
    const events = new AbortController()
    const response = await fetch(`http://${url}/events`, { headers, signal: events.signal })
    assert.equal(response.status, 200)
    events.abort()
    if (n % 3 === 0) socket.terminate()
    else if (n % 3 === 1) socket.close()
    else lasting.push(socket)
  }
  try {
    for (let i = 0; i < reloads; i++) await round()
    const before = await quiet(lasting.length)
    const files = openFiles(portico.pid)
    const lastingBefore = lasting.length
    for (let i = 0; i < reloads; i++) await round()
    const after = await quiet(lasting.length)
    const grown = after.heapUsed - before.heapUsed
    if (long) assert.ok(grown < 4 * 1024 * 1024, `the heap grew by ${inMegabytes(grown)} in ${reloads} reloads`)
    assert.ok(
      after.load.timers <= before.load.timers + lasting.length + 5,
      `timers: ${before.load.timers}, then ${after.load.timers}`,
    )
    const opened = 2 * (lasting.length - lastingBefore)
    assert.ok(openFiles(portico.pid) <= files + opened + 5, `open files: ${files}, then ${openFiles(portico.pid)}`)
    for (const socket of lasting) {
      assert.equal(await echo(socket, 'still here'), 'still here')
      socket.terminate()
    }
    const { load } = await quiet(0)
    assert.ok(load.upstreamConnections <= 5, `upstream connections: ${load.upstreamConnections}`)
  } finally {
    await portico.stop()
    for (const origin of origins) origin.stop()
  }
})
