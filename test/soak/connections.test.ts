import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { get, head } from '../conformance/case-table.ts'
import {
  eventually,
  oneService,
  type Portico,
  rawCall,
  rawClient,
  type ScriptedOrigin,
  scriptedOrigin,
  startPortico,
  type WorkerStatus,
} from '../harness.ts'
import { inMegabytes, long, noProc, openFiles, residentBytes } from './process-figures.ts'

const mega = 1024 * 1024

let portico: Portico
let origin: ScriptedOrigin
before(async () => {
  // Answers /x at once, begins /half and never ends it, leaves everything else without an answer.
  origin = await scriptedOrigin(connection => {
    connection.socket.removeAllListeners('data')
    connection.socket.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString('latin1').matchAll(/^[A-Z]+ (\S+) HTTP/gm)) {
        if (line[1] === '/x') connection.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        if (line[1] === '/half') connection.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello')
      }
    })
    connection.socket.on('end', () => connection.end())
  })
  const settings = { timeouts: { requestHead: '60s', idle: '60s', drain: '2s' } }
  portico = await startPortico({
    config: oneService(origin.url, {}, {}, settings),
    // Every collection is a full one and comes early, so that what stays in the heap is what something holds.
    nodeArgs: ['--gc-global', '--max-semi-space-size=1'],
  })
})
after(async () => {
  await portico?.stop()
  await origin?.stop()
})

const worker = async (): Promise<WorkerStatus> => (await portico.status()).workers[0] as WorkerStatus

/** Waits until no client is connected and no call is running. */
const quiet = (): Promise<WorkerStatus> =>
  eventually(async () => {
    const status = await worker()
    return status.load.connections === 0 && status.load.activeCalls === 0 ? status : null
  }, 'all connections and calls to be gone')

test('2,000 idle connections cost little, are served, and leave nothing behind', { skip: noProc }, async () => {
  await rawCall(portico.gatewayPort, get('/x'))
  await quiet()
  const files = openFiles(portico.pid)
  const memory = residentBytes(portico.pid) as number
  const clients = []
  for (let i = 0; i < 2000; i++) clients.push(await rawClient(portico.gatewayPort))
  await eventually(async () => ((await worker()).load.connections >= 2000 ? true : null), '2,000 connections')
  const growth = (residentBytes(portico.pid) as number) - memory
  assert.ok(growth < 60 * mega, `2,000 idle connections took ${inMegabytes(growth)}`)
  for (const client of clients) {
    client.send(get('/x'))
    assert.equal((await client.readFinalResponse()).status, 200)
  }
  for (const client of clients) client.destroy()
  await quiet()
  assert.ok(openFiles(portico.pid) <= files + 5, `descriptors: ${files} before, ${openFiles(portico.pid)} after`)
})

const chunkedHead = head('POST /never HTTP/1.1', 'Transfer-Encoding: chunked')

/** The moments at which clients leave; `answered` waits for the first bytes of the response. */
const departures: readonly (readonly [send: string, answered: boolean])[] = [
  ['', false],
  ['GET /never HTTP/1.1\r\nHost: a.te', false],
  [get('/never'), false],
  [`${head('POST /never HTTP/1.1', 'Content-Length: 1000')}hello`, false],
  [`${chunkedHead}5\r\nhel`, false],
  [get('/half'), true],
  [get('/x'), true],
  [get('/x') + get('/never'), true],
  [`${chunkedHead}nonsense\r\n`, false],
]

const depart = (index: number): Promise<void> =>
  new Promise(resolve => {
    const [send, answered] = departures[index % departures.length] as readonly [string, boolean]
    const socket: Socket = connect(portico.gatewayPort, '127.0.0.1')
    const leave = () => (index % 2 === 0 ? socket.destroy() : socket.resetAndDestroy())
    socket.on('error', () => {})
    socket.on('close', () => resolve())
    socket.on('connect', () => {
      if (send !== '') socket.write(send)
      if (answered) socket.once('data', leave)
      else if (send === '') leave()
      else setImmediate(() => setImmediate(leave))
    })
    socket.setTimeout(5000, () => socket.destroy())
  })

const lanes = 50

const departMany = async (count: number): Promise<void> => {
  let next = 0
  const lane = async () => {
    while (next < count) await depart(next++)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

/** The lowest heap of some looks, with calls between them so that the collector has reason to run. */
const lowestHeap = async (): Promise<number> => {
  let lowest = Number.POSITIVE_INFINITY
  for (let look = 0; look < 8; look++) {
    for (let call = 0; call < 50; call++) await rawCall(portico.gatewayPort, get('/x'))
    lowest = Math.min(lowest, (await worker()).heapUsed)
  }
  return lowest
}

const count = long ? 100_000 : 10_000

test(`${count} calls that clients left leave no socket, timer or memory behind`, { skip: noProc }, async () => {
  await departMany(1000)
  const start = await quiet()
  const files = openFiles(portico.pid)
  const heap = await lowestHeap()
  await departMany(count)
  const end = await quiet()
  const compared = (name: string, before: number, after: number, slack: number) =>
    assert.ok(after <= before + slack, `${name}: ${before} before, ${after} after`)
  // At most one kept connection per lane, each with its timer.
  compared('connections to the origin', start.load.upstreamConnections, end.load.upstreamConnections, lanes)
  compared('timers', start.load.timers, end.load.timers, lanes + 10)
  compared('descriptors', files, openFiles(portico.pid), lanes + 10)
  compared('bytes of heap', heap, await lowestHeap(), mega)
  assert.equal((await rawCall(portico.gatewayPort, get('/x'))).status, 200)
})
