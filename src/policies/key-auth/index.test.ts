import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getHeader } from '#http/headers'
import { policyContract } from '#policies/policy-contract'
import { type TestCallInput, testCall, testConsumer, testContext, through } from '#policies/test-call'
import { keyAuth } from './index.ts'

const consumers = [testConsumer('alice', 'k1', 'k1-second'), testConsumer('bob', 'k2', 'schlüssel', 'k'.repeat(513))]

policyContract(keyAuth, {
  config: {},
  wrong: [
    { config: { header: 'x api key' }, at: 'header', says: /not a header name/ },
    { config: { header: '' }, at: 'header', says: /not a header name/ },
    { config: { query: '' }, at: 'query', says: /empty/ },
    { config: { optional: 'yes' }, at: 'optional', says: /boolean/ },
  ],
  context: { consumers },
  passes: { headers: { 'x-api-key': 'k1' } },
  refused: {},
})

const send = async (input: TestCallInput, config: object = {}) => {
  const call = testCall(input)
  const policy = keyAuth.create(keyAuth.schema.parse(config), testContext({ consumers }))
  const response = await through(policy, call)
  const code = response.status === 200 ? null : (JSON.parse(response.body).code as string)
  return { call, status: response.status, code, challenge: getHeader(response.headers, 'www-authenticate') }
}

for (const [place, input, config] of [
  ['the header', { headers: { 'x-api-key': 'k1' } }, {}],
  ['a header of another name, in any case', { headers: { 'x-shop-key': 'k1' } }, { header: 'X-Shop-Key' }],
  ['a bearer token', { headers: { authorization: 'Bearer k1' } }, {}],
  ['a bearer token whose scheme is in lower case', { headers: { authorization: 'bearer  k1' } }, {}],
  ['the header of Google clients', { headers: { 'x-goog-api-key': 'k1' } }, {}],
  [
    'a bare Authorization header when it is the configured one',
    { headers: { authorization: 'k1' } },
    { header: 'authorization' },
  ],
  ['the configured query parameter', { query: 'key=k1' }, { query: 'key' }],
  ['an escaped query parameter', { query: '%6bey=%6b1' }, { query: 'key' }],
  [
    'several places at once',
    { headers: { 'x-api-key': 'k1', authorization: 'Bearer k1' }, query: 'key=k1' },
    { query: 'key' },
  ],
] as [string, TestCallInput, object][])
  test(`a key in ${place} names its consumer and is not forwarded`, async () => {
    const { call, status } = await send(input, config)
    assert.equal(status, 200)
    assert.equal(call.consumer?.name, 'alice')
    assert.deepEqual(call.headers, [])
    assert.equal(call.query, '')
  })

test('only the key is taken out of the request', async () => {
  const { call } = await send(
    { headers: ['accept', '*/*', 'x-api-key', 'k2', 'authorization', 'Basic dTpw'], query: 'a=1&key=k2&b=%20' },
    { query: 'key' },
  )
  assert.equal(call.consumer?.name, 'bob')
  assert.deepEqual(call.headers, ['accept', '*/*', 'authorization', 'Basic dTpw'])
  assert.equal(call.query, 'a=1&b=%20')
})

test('a key outside of ASCII is the same in a header and in a query', async () => {
  const inHeader = Buffer.from('schlüssel').toString('latin1')
  const input = { headers: { 'x-api-key': inHeader }, query: 'key=schl%C3%BCssel' }
  assert.equal((await send(input, { query: 'key' })).call.consumer?.name, 'bob')
})

test('without a key the answer asks for one', async () => {
  const { status, code, challenge } = await send({})
  assert.deepEqual([status, code, challenge], [401, 'missing-credentials', 'Bearer realm="portico"'])
})

for (const [what, input] of [
  ['an empty key', { headers: { 'x-api-key': '' } }],
  ['another scheme', { headers: { authorization: 'Basic dTpw' } }],
  ['a bearer scheme without a token', { headers: { authorization: 'Bearer ' } }],
  ['a bearer scheme with spaces', { headers: { authorization: 'Bearer   ' } }],
  ['a bearer scheme alone', { headers: { authorization: 'Bearer' } }],
  ['a key in a query that is not configured', { query: 'key=k1' }],
] as [string, TestCallInput][])
  test(`${what} is no key`, async () => assert.equal((await send(input)).code, 'missing-credentials'))

test('another scheme is no key though Authorization is the configured header', async () => {
  const { code } = await send({ headers: { authorization: 'Basic dTpw' } }, { header: 'authorization' })
  assert.equal(code, 'missing-credentials')
})

for (const [what, input] of [
  ['an unknown key', { headers: { 'x-api-key': 'nope' } }],
  ['a key that is longer than 512 characters', { headers: { 'x-api-key': 'k'.repeat(513) } }],
  ['the hash of a key', { headers: { 'x-api-key': consumers[0]?.keyHashes[0] ?? '' } }],
  ['the name of a property of objects', { headers: { 'x-api-key': '__proto__' } }],
] as [string, TestCallInput][])
  test(`${what} is refused`, async () => {
    const { status, code, challenge, call } = await send(input)
    assert.deepEqual(
      [status, code, challenge],
      [401, 'invalid-credentials', 'Bearer realm="portico", error="invalid_token"'],
    )
    assert.equal(call.consumer, null)
  })

for (const [where, input] of [
  ['in one header twice', { headers: ['x-api-key', 'k1', 'x-api-key', 'k2'] }],
  ['in the query twice', { query: 'key=k1&key=k2' }],
  ['as bearer twice', { headers: ['authorization', 'Bearer k1', 'authorization', 'Bearer k2'] }],
] as [string, TestCallInput][])
  test(`different keys ${where} are refused`, async () => {
    assert.equal((await send(input, { query: 'key' })).code, 'invalid-credentials')
  })

test('a key where it is expected leaves another credential to the service', async () => {
  const { status, call } = await send({ headers: { 'x-api-key': 'k1', authorization: 'Bearer for-the-service' } })
  assert.deepEqual([status, call.consumer?.name], [200, 'alice'])
  assert.deepEqual(call.headers, ['authorization', 'Bearer for-the-service'])
  const wrong = await send({ headers: { 'x-api-key': 'nope', authorization: 'Bearer k1' } })
  assert.equal(wrong.code, 'invalid-credentials', 'a wrong key is not made good by another place')
})

test('an optional key may be absent but not wrong', async () => {
  const anonymous = await send({}, { optional: true })
  assert.deepEqual([anonymous.status, anonymous.call.consumer], [200, null])
  assert.equal((await send({ headers: { 'x-api-key': 'k1' } }, { optional: true })).call.consumer?.name, 'alice')
  assert.equal((await send({ headers: { 'x-api-key': 'nope' } }, { optional: true })).status, 401)
})

test('a key that is gone after a reload is refused though it was seen before', async () => {
  const create = (list: typeof consumers) => keyAuth.create(keyAuth.schema.parse({}), testContext({ consumers: list }))
  const headers = { 'x-api-key': 'k1' }
  assert.equal((await through(create(consumers), testCall({ headers }))).status, 200)
  assert.equal((await through(create([testConsumer('alice', 'k9')]), testCall({ headers }))).status, 401)
})

test('two consumers with the same key are a mistake of the configuration', () => {
  const twins = [testConsumer('alice', 'same'), testConsumer('bob', 'same')]
  assert.throws(
    () => keyAuth.create(keyAuth.schema.parse({}), testContext({ consumers: twins })),
    /alice and bob have the same key/,
  )
})
