import assert from 'node:assert/strict'
import { test } from 'node:test'
import { policyContract } from '#policies/policy-contract'
import { testCall, testContext, through } from '#policies/test-call'
import { sse } from './index.ts'

policyContract(sse, {
  config: {},
  wrong: [{ config: { heartbeat: 15 }, at: 'heartbeat', says: /string/ }],
})

test('a call is told how long its stream may be silent', async () => {
  const call = testCall()
  await through(sse.create(sse.schema.parse({ heartbeat: '2s' }), testContext()), call)
  assert.equal(call.heartbeat, 2000)
})
