import assert from 'node:assert/strict'
import { test } from 'node:test'
import { policyContract } from '#policies/policy-contract'
import { testCall, testContext, through } from '#policies/test-call'
import { webSocket } from './index.ts'

policyContract(webSocket, {
  config: {},
  wrong: [
    { config: { maxMessage: '0b' }, at: 'maxMessage', says: /out of range/ },
    { config: { rate: {} }, at: 'rate.limit', says: /number/ },
    { config: { rate: { limit: 0 } }, at: 'rate.limit', says: />=1/ },
    { config: { idle: '10' }, at: 'idle', says: /not a duration/ },
    { config: { ping: '1ms' }, at: 'ping', says: /out of range/ },
  ],
})

const limitsOf = async (config: object) => {
  const call = testCall()
  await through(webSocket.create(webSocket.schema.parse(config), testContext()), call)
  return call.webSocket
}

test('nothing is limited unless it is set', async () => {
  const none = Number.POSITIVE_INFINITY
  assert.deepEqual(await limitsOf({}), { maxMessage: none, rate: null, idle: none, ping: none })
  assert.deepEqual(await limitsOf({ maxMessage: '1mb', rate: { limit: 20 }, idle: '1m', ping: '30s' }), {
    maxMessage: 1024 * 1024,
    rate: { limit: 20, window: 1000 },
    idle: 60_000,
    ping: 30_000,
  })
})
