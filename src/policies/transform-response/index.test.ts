import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatewayError } from '#base/errors'
import type { Handler } from '#gateway/contract'
import { getHeader } from '#http/headers'
import { policyContract } from '#policies/policy-contract'
import { type TestCallInput, testCall, testContext, through } from '#policies/test-call'
import { transformResponse } from './index.ts'

policyContract(transformResponse, {
  config: {},
  wrong: [
    { config: { headers: { set: { 'content-length': '1' } } }, at: 'headers.set.content-length', says: /connection/ },
    { config: { headers: { remove: ['x-request-id'] } }, at: 'headers.remove.0', says: /written by the gateway/ },
    { config: { headers: { set: { a: '{nobody}' } } }, at: 'headers.set.a', says: /unknown placeholder/ },
    { config: { headers: { keep: ['a'] } }, at: 'headers', says: /keep/ },
    { config: { status: { 404: 204 } }, at: 'status.404', says: /whether there is a body/ },
    { config: { status: { 304: 200 } }, at: 'status.304', says: /whether there is a body/ },
    { config: { status: { 404: 600 } }, at: 'status.404', says: /200 to 599/ },
    { config: { status: { 101: 200 } }, at: 'status.101', says: /200 to 599/ },
    { config: { status: { '4xx': 400 } }, at: 'status.4xx', says: /200 to 599/ },
    { config: { status: { 404: '200' } }, at: 'status.404', says: /number/ },
  ],
})

const send = (config: object, service: Handler, input: TestCallInput = {}) =>
  through(transformResponse.create(transformResponse.schema.parse(config), testContext()), testCall(input), service)

const answering =
  (status: number, ...headers: string[]): Handler =>
  call =>
    call.respond(status, headers, 'body')

test('headers are removed, renamed, set and added', async () => {
  const edits = { remove: ['Server'], rename: { 'x-old': 'x-new' }, set: { 'x-set': '1' }, add: { 'x-more': 'b' } }
  const service = answering(200, 'server', 'nginx', 'x-old', 'o', 'x-set', '0', 'x-more', 'a')
  const { headers, body } = await send({ headers: edits }, service)
  assert.deepEqual(headers, ['x-new', 'o', 'x-more', 'a', 'x-set', '1', 'x-more', 'b'])
  assert.equal(body, 'body')
})

test('a status is replaced once and others stay', async () => {
  const config = { status: { 404: 410, 410: 418 } }
  assert.equal((await send(config, answering(404))).status, 410)
  assert.equal((await send(config, answering(410))).status, 418)
  assert.equal((await send(config, answering(200))).status, 200)
})

test('values may come from the request', async () => {
  const config = { headers: { set: { 'x-order': '{params.id}', 'x-seen': '{headers.x-tenant}' } } }
  const { headers } = await send(config, answering(200), { params: { id: 'o-1' }, headers: { 'x-tenant': 'acme' } })
  assert.deepEqual([getHeader(headers, 'x-order'), getHeader(headers, 'x-seen')], ['o-1', 'acme'])
})

test('a value with control characters is left out', async () => {
  const config = { headers: { set: { 'x-order': '{params.id}' } } }
  const { status, headers } = await send(config, answering(200), { params: { id: 'a%0d%0aset-cookie: x' } })
  assert.deepEqual([status, headers], [200, []])
})

test('errors of the gateway are changed too', async () => {
  const refusing: Handler = () => {
    throw new GatewayError('rate-limited')
  }
  const { status, headers } = await send({ status: { 429: 503 }, headers: { set: { 'x-a': '1' } } }, refusing)
  assert.deepEqual([status, getHeader(headers, 'x-a')], [503, '1'])
})
