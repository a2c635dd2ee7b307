import assert from 'node:assert/strict'
import { test } from 'node:test'
import { policyContract } from '#policies/policy-contract'
import { testCall, testContext, through } from '#policies/test-call'
import { ipAllow } from './index.ts'

policyContract(ipAllow, {
  config: { allow: ['192.0.2.0/24'] },
  wrong: [
    { config: {}, at: 'allow', says: /array/ },
    { config: { allow: [] }, at: 'allow', says: /at least one range/ },
    { config: { allow: ['10.0.0.0/33'] }, at: 'allow.0', says: /from \/0 to \/32/ },
    { config: { allow: ['2001:db8::/129'] }, at: 'allow.0', says: /from \/0 to \/128/ },
    { config: { allow: ['::ffff:10.0.0.0/8'] }, at: 'allow.0', says: /from \/96 to \/128/ },
    { config: { allow: ['10.0.0.0/08'] }, at: 'allow.0', says: /prefix length/ },
    { config: { allow: ['10.0.0.0/'] }, at: 'allow.0', says: /prefix length/ },
    { config: { allow: ['10.0.0.0/8/8'] }, at: 'allow.0', says: /write it like/ },
    { config: { allow: ['10.0.0.1/8'] }, at: 'allow.0', says: /bits behind its prefix/ },
    { config: { allow: ['fe80::1%eth0'] }, at: 'allow.0', says: /write it like/ },
    { config: { allow: ['::1'], deny: ['example.com'] }, at: 'deny.0', says: /write it like/ },
  ],
  passes: { clientAddress: '192.0.2.9' },
  refused: { clientAddress: '198.51.100.1' },
})

const statusFor = async (config: object, clientAddress: string): Promise<number> =>
  (await through(ipAllow.create(ipAllow.schema.parse(config), testContext()), testCall({ clientAddress }))).status

test('deny wins over allow', async () => {
  const config = { allow: ['10.0.0.0/8', '2001:db8::/32'], deny: ['10.1.0.0/16'] }
  assert.equal(await statusFor(config, '10.2.0.1'), 200)
  assert.equal(await statusFor(config, '10.1.0.1'), 403)
  assert.equal(await statusFor(config, '::ffff:10.1.0.1'), 403)
  assert.equal(await statusFor(config, '2001:db8::5'), 200)
})

test('an address that cannot be read is refused', async () => {
  assert.equal(await statusFor({ allow: ['0.0.0.0/0', '::/0'] }, ''), 403)
})

test('an address gets the same answer every time', async () => {
  const policy = ipAllow.create(ipAllow.schema.parse({ allow: ['10.0.0.0/9'] }), testContext())
  for (let round = 0; round < 3; round++)
    for (const [address, status] of [
      ['10.0.0.1', 200],
      ['10.128.0.1', 403],
    ] as const)
      assert.equal((await through(policy, testCall({ clientAddress: address }))).status, status)
})
