import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  answerEach,
  ok,
  oneService,
  type Portico,
  rawClient,
  type ScriptedOrigin,
  scriptedOrigin,
  startPortico,
} from '../harness.ts'

let portico: Portico
let origin: ScriptedOrigin
before(async () => {
  origin = await scriptedOrigin(answerEach(() => ok('here')))
  portico = await startPortico({ config: oneService(origin.url), workers: 2 })
})
after(async () => {
  await portico?.stop()
  await origin?.stop()
})

test('workers share connections, and with them the calls', async () => {
  const clients = await Promise.all(Array.from({ length: 200 }, () => rawClient(portico.gatewayPort)))
  for (const client of clients) {
    client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    assert.equal((await client.readFinalResponse()).status, 200)
  }
  const requests = (await portico.status()).workers.map(worker => worker.load.requests)
  for (const client of clients) client.destroy()
  assert.equal(
    requests.reduce((sum, count) => sum + count, 0),
    200,
  )
  // The kernel spreads connections by a hash of their addresses: 60 of 200 or less would be one chance in 10⁸.
  for (const count of requests) assert.ok(count > 60, `the workers served ${requests.join(' and ')} calls`)
})
