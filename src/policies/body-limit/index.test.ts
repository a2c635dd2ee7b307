import assert from 'node:assert/strict'
import { test } from 'node:test'
import { policyContract } from '#policies/policy-contract'
import { testCall, testContext, through } from '#policies/test-call'
import { bodyLimit } from './index.ts'

policyContract(bodyLimit, {
  config: {},
  wrong: [
    { config: { max: '10 megabytes' }, at: 'max', says: /not a size/ },
    { config: { max: 1000 }, at: 'max', says: /string/ },
    { config: { max: '-1kb' }, at: 'max', says: /not a size/ },
  ],
})

const limitOf = async (config: object): Promise<number> => {
  const call = testCall({ method: 'POST' })
  await through(bodyLimit.create(bodyLimit.schema.parse(config), testContext()), call)
  return call.bodyLimit
}

test('the limit is 10 MB unless set', async () => {
  assert.equal(await limitOf({}), 10 * 1024 * 1024)
  assert.equal(await limitOf({ max: '64kb' }), 65536)
})
