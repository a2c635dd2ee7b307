import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { get } from '../conformance/case-table.ts'
import {
  answerEach,
  eventually,
  ok,
  oneService,
  type Portico,
  rawCall,
  rawClient,
  type ScriptedOrigin,
  scriptedOrigin,
  startPortico,
  type WorkerStatus,
} from '../harness.ts'
import { inMegabytes, long, noProc, residentBytes } from './process-figures.ts'

const mega = 1024 * 1024
const clients = 100
const calls = long ? 100_000 : 6_000

let portico: Portico
let origin: ScriptedOrigin
before(async () => {
  // Far slower than what it is asked: most calls wait, are refused, are tried again, or are given up by their client.
  let number = 0
  origin = await scriptedOrigin(
    answerEach(async () => {
      await new Promise(resolve => setTimeout(resolve, 5))
      origin.forget()
      return ++number % 7 === 0 ? 'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n' : ok('fine')
    }),
  )
  const upstream = {
    limits: { requests: 8, queue: 40, queueTimeout: '200ms' },
    concurrency: { adaptive: { max: 20 } },
    breaker: { failureRate: 90 },
    hedge: { after: '50ms' },
    retry: { attempts: 2, backoff: { base: '1ms', max: '5ms' } },
  }
  const settings = { limits: { requests: 80 }, minimumRate: { request: '1b', response: '1b' } }
  portico = await startPortico({
    config: oneService(origin.url, {}, upstream, settings),
    nodeArgs: ['--gc-global', '--max-semi-space-size=1'],
  })
})
after(async () => {
  await portico?.stop()
  await origin?.stop()
})

const worker = async (): Promise<WorkerStatus> => (await portico.status()).workers[0] as WorkerStatus

const quiet = (): Promise<WorkerStatus> =>
  eventually(async () => {
    const status = await worker()
    return status.load.connections === 0 && status.load.activeCalls === 0 ? status : null
  }, 'all connections and calls to be gone')

/** Calls from many clients at once; every fifth client leaves without waiting. Gives the statuses that came. */
const flood = async (count: number): Promise<Map<number, number>> => {
  const statuses = new Map<number, number>()
  let next = 0
  const lane = async (): Promise<void> => {
    let client = await rawClient(portico.gatewayPort)
    while (next < count) {
      const number = next++
      client.send(get(`/${number}`))
      if (number % 5 === 0) {
        client.destroy()
        client = await rawClient(portico.gatewayPort)
        continue
      }
      const { status } = await client.readFinalResponse({ milliseconds: 20_000 })
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
    client.destroy()
  }
  await Promise.all(Array.from({ length: clients }, lane))
  return statuses
}

const lowestHeap = async (): Promise<number> => {
  let lowest = Number.POSITIVE_INFINITY
  for (let look = 0; look < 8; look++) {
    for (let call = 0; call < 30; call++) await rawCall(portico.gatewayPort, get('/x'))
    lowest = Math.min(lowest, (await worker()).heapUsed)
  }
  return lowest
}

test(`${calls} calls to a service that can take a fraction of them leave nothing behind`, {
  skip: noProc,
}, async () => {
  await flood(1_000)
  await quiet()
  const heap = await lowestHeap()
  const resident = residentBytes(portico.pid) as number
  const statuses = await flood(calls)
  assert.ok((statuses.get(200) ?? 0) > 0, 'some calls are served')
  assert.ok((statuses.get(503) ?? 0) > 0, 'some calls are refused')
  assert.deepEqual(
    [...statuses.keys()].filter(status => status !== 200 && status !== 503),
    [],
  )
  const { load } = await quiet()
  const [upstream] = load.upstreams
  assert.equal(upstream?.inFlight, 0)
  assert.equal(upstream?.waiting, 0)
  assert.ok(load.upstreamConnections <= 60, `${load.upstreamConnections} connections to the origin`)
  const growth = (await lowestHeap()) - heap
  assert.ok(growth < mega, `the heap grew by ${inMegabytes(growth)}`)
  const more = (residentBytes(portico.pid) as number) - resident
  assert.ok(more < 40 * mega, `resident memory grew by ${inMegabytes(more)}`)
})
