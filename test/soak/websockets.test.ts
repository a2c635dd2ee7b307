import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closed, echo, openSocket, socketOrigin } from '../e2e/socket-origin.ts'
import { eventually, oneService, startPortico } from '../harness.ts'
import { inMegabytes, long, noProc, openFiles, residentBytes } from './process-figures.ts'

const count = long ? 5000 : 1000
const batch = 100

test(`${count} idle WebSockets with pings cost little and all get their goodbye`, { skip: noProc }, async () => {
  const origin = await socketOrigin()
  const policies = { websocket: { ping: '1s', idle: '1h' } }
  const portico = await startPortico({ config: oneService(origin.url, { policies }), workers: 2 })
  try {
    const url = `ws://127.0.0.1:${portico.gatewayPort}/`
    const first = await openSocket(url)
    await echo(first, 'warm')
    const memory = residentBytes(portico.pid) as number
    const files = openFiles(portico.pid)
    const sockets = [first]
    while (sockets.length <= count)
      sockets.push(...(await Promise.all(Array.from({ length: batch }, () => openSocket(url)))))
    let pings = 0
    for (const socket of sockets) socket.on('ping', () => pings++)
    await eventually(async () => (pings > 2 * count ? true : null), 'two pings for each', 20_000)
    const each = ((residentBytes(portico.pid) as number) - memory) / count
    assert.ok(each < 60_000, `each costs ${inMegabytes(each)}`)
    for (const socket of [sockets[0], sockets[count >> 1], sockets.at(-1)])
      assert.equal(await echo(socket as (typeof sockets)[0], 'there'), 'there')
    // Half of them leave, each in its own way.
    for (const [index, socket] of sockets.splice(0, count >> 1).entries())
      if (index % 2 === 0) socket.terminate()
      else socket.close()
    await eventually(async () => {
      const { workers } = await portico.status()
      const calls = workers.reduce((sum, { load }) => sum + load.activeCalls, 0)
      return calls === sockets.length && openFiles(portico.pid) <= files + 2 * sockets.length + 20 ? true : null
    }, 'what belonged to them to be gone')
    const ends = sockets.map(closed)
    portico.signal('SIGTERM')
    for (const end of ends) assert.equal((await end)[0], 1001)
    assert.equal((await portico.exited).code, 0)
  } finally {
    await portico.stop()
    origin.stop()
  }
})
