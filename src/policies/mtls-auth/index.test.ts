import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getHeader } from '#http/headers'
import type { ClientCertificate } from '#http/tls/peer-tls'
import { policyContract } from '#policies/policy-contract'
import { type TestCallInput, testCall, testConsumer, testContext, through } from '#policies/test-call'
import { mtlsAuth } from './index.ts'

const certificate = (more: Partial<ClientCertificate> = {}): ClientCertificate => ({
  subject: 'CN=alice',
  issuer: 'CN=Test authority',
  commonName: 'alice',
  san: { dns: ['alice.example'], uri: ['spiffe://example/alice'], email: ['alice@example.com'] },
  serial: '01',
  fingerprint256: 'ab'.repeat(32),
  notAfter: Date.UTC(2099, 0),
  raw: Buffer.from('leaf'),
  chain: [Buffer.from('middle'), Buffer.from('root')],
  ...more,
})
const consumers = [testConsumer('alice'), testConsumer('bob')]
const alice = certificate()

policyContract(mtlsAuth, {
  config: {},
  wrong: [
    { config: { by: 'cn' }, at: 'by', says: /Invalid option/ },
    { config: { consumers: { '': 'alice' } }, at: 'consumers.', says: /Invalid key/ },
    { config: { optional: 'yes' }, at: 'optional', says: /boolean/ },
    { config: { forward: true }, at: 'forward', says: /Invalid option/ },
  ],
  context: { consumers },
  passes: { clientCertificate: alice },
  refused: {},
})

const send = async (input: TestCallInput, config: object = {}) => {
  const call = testCall(input)
  const response = await through(mtlsAuth.create(mtlsAuth.schema.parse(config), testContext({ consumers })), call)
  const code = response.status === 200 ? null : (JSON.parse(response.body).code as string)
  return { call, status: response.status, code }
}

for (const [by, value] of [
  ['common-name', 'alice'],
  ['dns', 'Alice.example'],
  ['uri', 'spiffe://example/alice'],
  ['email', 'alice@example.com'],
  ['fingerprint', Array.from({ length: 32 }, () => 'AB').join(':')],
] as const)
  test(`a consumer is found by ${by}`, async () => {
    const { call, status } = await send({ clientCertificate: alice }, { by, consumers: { [value]: 'bob' } })
    assert.deepEqual([status, call.consumer?.name], [200, 'bob'])
  })

test('the name itself is the consumer where there is no map; strangers are refused', async () => {
  assert.equal((await send({ clientCertificate: alice })).call.consumer?.name, 'alice')
  const mallory = certificate({ commonName: 'mallory' })
  assert.deepEqual((await send({ clientCertificate: mallory })).code, 'client-certificate-refused')
  assert.deepEqual((await send({ clientCertificate: mallory }, { optional: true })).status, 403)
  assert.deepEqual((await send({ clientCertificate: certificate({ commonName: '' }) })).status, 403)
})

test('without a certificate a call is refused, or passes without a consumer where that is allowed', async () => {
  assert.equal((await send({})).code, 'client-certificate-missing')
  const { status, call } = await send({}, { optional: true })
  assert.deepEqual([status, call.consumer], [200, null])
})

test('any verified certificate is enough where nobody is looked for', async () => {
  const { status, call } = await send({ clientCertificate: certificate({ commonName: 'mallory' }) }, { by: 'none' })
  assert.deepEqual([status, call.consumer], [200, null])
})

test('a certificate that expired while its connection is open is refused', async () => {
  const { code } = await send({ clientCertificate: certificate({ notAfter: 1 }) })
  assert.equal(code, 'client-certificate-refused')
})

test('the certificate is forwarded where that is wanted (RFC 9440)', async () => {
  const fields = async (forward: string) => {
    const { call } = await send({ clientCertificate: alice }, { forward })
    return [getHeader(call.headers, 'client-cert'), getHeader(call.headers, 'client-cert-chain')]
  }
  assert.deepEqual(await fields('off'), [undefined, undefined])
  assert.deepEqual(await fields('certificate'), [':bGVhZg==:', undefined])
  assert.deepEqual(await fields('chain'), [':bGVhZg==:', ':bWlkZGxl:, :cm9vdA==:'])
})

test('a consumer that the configuration does not have is a mistake of the configuration', () => {
  const config = mtlsAuth.schema.parse({ consumers: { a: 'carol' } })
  assert.throws(() => mtlsAuth.create(config, testContext({ consumers })), /carol, which there is not/)
})

test('a call that goes on after a reload ends when its consumer is gone', () => {
  const policy = mtlsAuth.create(mtlsAuth.schema.parse({}), testContext({ consumers }))
  const call = testCall({ clientCertificate: alice, consumer: consumers[0] as (typeof consumers)[0] })
  assert.equal(policy.recheck?.(call, consumers), null)
  assert.equal(policy.recheck?.(call, [testConsumer('bob')])?.code, 'client-certificate-refused')
})
