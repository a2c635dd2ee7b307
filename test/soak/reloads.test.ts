import assert from 'node:assert/strict'
import { test } from 'node:test'
import { echo, openSocket, socketOrigin } from '../e2e/socket-origin.ts'
import { eventually, startPortico, type WorkerStatus } from '../harness.ts'
import { inMegabytes, long, noProc, openFiles } from './process-figures.ts'

const reloads = long ? 200 : 6
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
        routes: Array.from({ length: 1000 }, (_, index) => ({ path: `/${index === 0 ? '' : `r${index}`}` })),
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
  const round = async (): Promise<void> => {
    await portico.reload(config(++n))
    const socket = await openSocket(`ws://${url}/`, { headers })
    assert.equal(await echo(socket, 'x'), 'x')
    const events = new AbortController()
    const response = await fetch(`http://${url}/events`, { headers, signal: events.signal })
    assert.equal(response.headers.get('x-n'), `${n}`)
    events.abort()
    if (n % 2 === 0) socket.terminate()
    else socket.close()
  }
  try {
    // It lives through all of them.
    const lasting = await openSocket(`ws://${url}/`, { headers })
    for (let i = 0; i < reloads; i++) await round()
    const before = await quiet(1)
    const files = openFiles(portico.pid)
    for (let i = 0; i < reloads; i++) await round()
    const after = await quiet(1)
    const grown = after.heapUsed - before.heapUsed
    if (long) assert.ok(grown < 4 * 1024 * 1024, `the heap grew by ${inMegabytes(grown)} in ${reloads} reloads`)
    assert.ok(after.load.timers <= before.load.timers + 5, `timers: ${before.load.timers}, then ${after.load.timers}`)
    assert.ok(openFiles(portico.pid) <= files + 5, `open files: ${files}, then ${openFiles(portico.pid)}`)
    assert.ok(after.load.upstreamConnections <= 5, `upstream connections: ${after.load.upstreamConnections}`)
    assert.equal(await echo(lasting, 'still here'), 'still here')
    lasting.terminate()
  } finally {
    await portico.stop()
    for (const origin of origins) origin.stop()
  }
})
