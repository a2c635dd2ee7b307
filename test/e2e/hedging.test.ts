import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { get, head } from '../conformance/case-table.ts'
import {
  answerEach,
  eventually,
  type OriginConnection,
  ok,
  oneService,
  type Portico,
  type RequestMessage,
  rawCall,
  rawClient,
  type ScriptedOrigin,
  scriptedOrigin,
  startPortico,
} from '../harness.ts'

type Try = { request: RequestMessage; connection: OriginConnection }

let portico: Portico
let origins: ScriptedOrigin[] = []
/** All requests of both origins, in order of arrival. */
let tries: Try[] = []
let waiting: (() => void)[] = []

/** The try with this number, once it is there. */
const tried = async (number: number): Promise<Try> => {
  if (tries.length < number) {
    const come = new Promise<void>(resolve => waiting.push(resolve))
    if (tries.length < number) await come
    return tried(number)
  }
  return tries[number - 1] as Try
}

/** Two origins that note what comes, and whose answers the test sends. */
const use = async (upstream: object, answers?: string): Promise<void> => {
  for (let i = 0; i < 2; i++)
    origins.push(
      await scriptedOrigin(async connection => {
        for (;;) {
          const request = await connection.readRequest(600_000)
          if (request === null) return connection.end()
          tries.push({ request, connection })
          for (const wake of waiting.splice(0)) wake()
          if (answers !== undefined) connection.send(answers)
        }
      }),
    )
  const targets = origins.map(({ url }) => ({ url }))
  await portico.reload(oneService('', {}, { targets, ...upstream }))
}

const hedge = { hedge: { after: '30ms' } }

before(async () => {
  const first = await scriptedOrigin(answerEach(() => ok()))
  portico = await startPortico({ config: oneService(first.url) })
  await first.stop()
})
beforeEach(async () => {
  for (const origin of origins) await origin.stop()
  origins = []
  tries = []
  waiting = []
})
after(async () => {
  await portico?.stop()
  for (const origin of origins) await origin.stop()
})

const ask = async (send = get('/x')) => {
  const client = await rawClient(portico.gatewayPort)
  client.send(send)
  return client
}

const activeCalls = async (): Promise<number> => (await portico.status()).workers[0]?.load.activeCalls ?? 0

test('a second try at another target wins over a slow one, which is given up', async () => {
  await use(hedge)
  const client = await ask()
  const slow = await tried(1)
  const second = await tried(2)
  assert.notEqual(slow.connection.socket.localPort, second.connection.socket.localPort)
  assert.equal(second.request.target, '/x')
  second.connection.send(ok('second'))
  assert.equal((await client.readFinalResponse()).body.toString(), 'second')
  await slow.connection.waitClose()
  client.destroy()
})

test('the first try wins when it answers first, and the second one is given up', async () => {
  await use(hedge)
  const client = await ask()
  const first = await tried(1)
  const second = await tried(2)
  first.connection.send(ok('first'))
  assert.equal((await client.readFinalResponse()).body.toString(), 'first')
  await second.connection.waitClose()
  client.send(get('/again'))
  const again = await tried(3)
  again.connection.send(ok('again'))
  assert.equal((await client.readFinalResponse()).body.toString(), 'again')
  client.destroy()
})

test('a call that is answered in time is sent once', async () => {
  await use({ hedge: { after: '10s' } }, ok('quick'))
  for (let i = 0; i < 10; i++) assert.equal((await rawCall(portico.gatewayPort, get('/x'))).status, 200)
  assert.equal(tries.length, 10)
})

test('what is not idempotent, or has a body, is sent once', async () => {
  await use({ hedge: { after: '1ms' } })
  for (const [index, line] of ['POST /x HTTP/1.1', 'PUT /x HTTP/1.1'].entries()) {
    const client = await ask(`${head(line, 'Content-Length: 2')}hi`)
    const only = await tried(index + 1)
    // Far more than the hedge would have waited; a second try would be there by now.
    await new Promise(resolve => setTimeout(resolve, 100))
    only.connection.send(ok('only'))
    assert.equal((await client.readFinalResponse()).body.toString(), 'only')
    assert.equal(tries.length, index + 1)
    client.destroy()
  }
})

test('when one try fails the other one decides', async () => {
  for (const failed of [1, 2]) {
    await use(hedge)
    const client = await ask()
    await tried(2)
    ;(await tried(failed)).connection.reset()
    const other = await tried(3 - failed)
    other.connection.send(ok('other'))
    assert.equal((await client.readFinalResponse()).body.toString(), 'other')
    client.destroy()
    for (const origin of origins.splice(0)) await origin.stop()
    tries = []
  }
})

test('an answer that the policy would repeat does not win while another try runs', async () => {
  await use(hedge)
  const client = await ask()
  const first = await tried(1)
  const second = await tried(2)
  second.connection.send('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n')
  await second.connection.waitClose()
  first.connection.send(ok('first'))
  assert.equal((await client.readFinalResponse()).body.toString(), 'first')
  client.destroy()
})

test('when all tries fail the call fails', async () => {
  await use(hedge)
  const client = await ask()
  await tried(2)
  for (const { connection } of tries) connection.reset()
  assert.equal((await client.readFinalResponse()).status, 502)
  client.destroy()
  assert.equal(tries.length, 2)
})

test('as many tries join as are allowed', async () => {
  await use({ hedge: { after: '20ms', max: 2 } })
  const client = await ask()
  const third = await tried(3)
  await new Promise(resolve => setTimeout(resolve, 100))
  assert.equal(tries.length, 3)
  third.connection.send(ok('third'))
  assert.equal((await client.readFinalResponse()).body.toString(), 'third')
  client.destroy()
})

test('the budget for repetitions counts', async () => {
  await use({ hedge: { after: '1ms' }, retry: { attempts: 0, budget: { percent: 0, minimum: 0 } } })
  const client = await ask()
  const only = await tried(1)
  await new Promise(resolve => setTimeout(resolve, 100))
  only.connection.send(ok('only'))
  assert.equal((await client.readFinalResponse()).body.toString(), 'only')
  assert.equal(tries.length, 1)
  client.destroy()
})

test('a client that leaves ends all tries', async () => {
  await use({ ...hedge, limits: { requests: 10 }, breaker: {} })
  const client = await ask()
  await tried(2)
  client.destroy()
  for (const { connection } of tries) await connection.waitClose()
  await eventually(async () => ((await activeCalls()) === 0 ? true : null), 'the call to end')
  const [upstream] = (await portico.status()).workers[0]?.load.upstreams ?? []
  assert.equal(upstream?.inFlight, 0)
  assert.equal(upstream?.circuit, 'closed')
})

test('hedges respect the limits of the upstream', async () => {
  await use({ ...hedge, limits: { requests: 1 } })
  const first = await ask('GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await tried(1)
  const second = await ask('GET /2 HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await tried(2)
  await new Promise(resolve => setTimeout(resolve, 100))
  assert.equal(tries.length, 2)
  for (const { connection } of tries) connection.send(ok('done'))
  for (const client of [first, second]) {
    assert.equal((await client.readFinalResponse()).status, 200)
    client.destroy()
  }
  const [upstream] = (await portico.status()).workers[0]?.load.upstreams ?? []
  assert.equal(upstream?.inFlight, 0)
})
