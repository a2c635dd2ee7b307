import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatewayError } from '#base/errors'
import { isFieldValue } from '#http/headers'
import { policyContract } from '#policies/policy-contract'
import { type TestCallInput, testCall, testConsumer, testContext } from '#policies/test-call'
import { transformRequest } from './index.ts'

const forbidden = [
  ...['Content-Length', 'transfer-encoding', 'connection', 'Host', 'te', 'trailer', 'upgrade', 'keep-alive', 'expect'],
  'proxy-connection',
]

policyContract(transformRequest, {
  config: {},
  wrong: [
    ...forbidden.map(name => ({
      config: { headers: { set: { [name]: 'x' } } },
      at: `headers.set.${name}`,
      says: /belongs to the connection/,
    })),
    {
      config: { headers: { set: { 'X-Consumer': 'a' } } },
      at: 'headers.set.X-Consumer',
      says: /written by the gateway/,
    },
    { config: { headers: { add: { host: 'x' } } }, at: 'headers.add.host', says: /connection/ },
    { config: { headers: { remove: ['a', 'host'] } }, at: 'headers.remove.1', says: /connection/ },
    { config: { headers: { rename: { host: 'a' } } }, at: 'headers.rename.host', says: /connection/ },
    { config: { headers: { rename: { a: 'te' } } }, at: 'headers.rename.a', says: /"te" belongs to the connection/ },
    { config: { headers: { rename: { a: 'c', b: 'C' } } }, at: 'headers.rename.b', says: /twice/ },
    { config: { headers: { set: { 'x-a': '1', 'X-A': '2' } } }, at: 'headers.set.X-A', says: /twice/ },
    { config: { headers: { set: { 'x a': '1' } } }, at: 'headers.set.x a', says: /not a header name/ },
    { config: { headers: { set: { a: '{user}' } } }, at: 'headers.set.a', says: /unknown placeholder \{user\}/ },
    { config: { headers: { set: { a: '{consumer.key}' } } }, at: 'headers.set.a', says: /unknown placeholder/ },
    { config: { headers: { set: { a: '{params.}' } } }, at: 'headers.set.a', says: /unknown placeholder/ },
    { config: { headers: { set: { a: '{}' } } }, at: 'headers.set.a', says: /unknown placeholder/ },
    { config: { headers: { set: { a: '{id}' } } }, at: 'headers.set.a', says: /unknown placeholder/ },
    { config: { headers: { set: { a: 'x{requestId' } } }, at: 'headers.set.a', says: /\{ without its \}/ },
    { config: { headers: { set: { a: 'x}' } } }, at: 'headers.set.a', says: /\} without its \{/ },
    { config: { headers: { set: { a: 'x\r\nb: c' } } }, at: 'headers.set.a', says: /control character/ },
    { config: { headers: { set: { a: 1 } } }, at: 'headers.set.a', says: /string/ },
    { config: { query: { set: { '': '1' } } }, at: 'query.set.', says: /not a parameter name/ },
    { config: { query: { add: { a: '{x}' } } }, at: 'query.add.a', says: /unknown placeholder/ },
    { config: { path: { template: 'v2' } }, at: 'path.template', says: /begin with/ },
    { config: { path: { template: '/v2/../x' } }, at: 'path.template', says: /\.\. segment/ },
    { config: { path: { template: '/v2/%2E%2e' } }, at: 'path.template', says: /\.\. segment/ },
    { config: { path: { template: '/v2?x={id}' } }, at: 'path.template', says: /percent-encode/ },
    { config: { path: { template: '/v2//{id}' } }, at: 'path.template', says: /empty segment/ },
    { config: { path: { template: '/{consumer.key}' } }, at: 'path.template', says: /unknown placeholder/ },
    { config: { path: { replace: { prefix: '/a' } } }, at: 'path.replace.with', says: /string/ },
    { config: { path: { replace: { prefix: 'a', with: '/' } } }, at: 'path.replace.prefix', says: /begin with/ },
    { config: { path: { template: '/x', replace: { prefix: '/a', with: '/' } } }, at: 'path.template', says: /beside/ },
  ],
  refused: { params: { id: '..' } },
  refusedConfig: { path: { template: '/v2/{id}' } },
})

const transform = (config: object, input: TestCallInput = {}) => {
  const call = testCall(input)
  const policy = transformRequest.create(transformRequest.schema.parse(config), testContext())
  policy.request?.(call, () => {})
  return call
}

const headersAfter = (headers: object, input: TestCallInput = {}) => transform({ headers }, input).headers

test('headers are removed, renamed, set and added, in this order', () => {
  const edits = {
    remove: ['X-Debug', 'x-none'],
    rename: { 'x-old': 'X-New' },
    set: { 'X-Set': 'one' },
    add: { 'x-more': 'two' },
  }
  const headers = [
    ...['accept', '*/*', 'x-debug', '1', 'x-old', 'a', 'x-new', 'forged', 'x-set', '0', 'x-set', '00'],
    ...['x-more', '1', 'x-old', 'b'],
  ]
  assert.deepEqual(headersAfter(edits, { headers }), [
    ...['accept', '*/*', 'x-new', 'a', 'x-more', '1', 'x-new', 'b', 'x-set', 'one', 'x-more', 'two'],
  ])
})

test('headers can be swapped, and a rename without the old name changes nothing', () => {
  assert.deepEqual(headersAfter({ rename: { a: 'b', b: 'a' } }, { headers: { a: '1', b: '2' } }), ['b', '1', 'a', '2'])
  assert.deepEqual(headersAfter({ rename: { a: 'b' } }, { headers: { b: '2' } }), ['b', '2'])
})

for (const [template, expected] of [
  ['{params.id}', 'o-1'],
  ['user:{consumer.name}@{clientAddress}', 'user:alice@192.0.2.1'],
  ['{headers.X-Tenant}', 'acme'],
  ['{{"id": "{params.id}"}}', '{"id": "o-1"}'],
  ['{{{params.id}}}', '{o-1}'],
  ['plain', 'plain'],
  ['', ''],
  ['{params.name}', 'Ann Lee'],
  ['Zoë', Buffer.from('Zoë').toString('latin1')],
] as const)
  test(`the value ${JSON.stringify(template)} becomes ${JSON.stringify(expected)}`, () => {
    const input = {
      params: { id: 'o-1', name: 'Ann%20Lee' },
      consumer: testConsumer('alice'),
      headers: { 'x-tenant': 'acme' },
    }
    assert.deepEqual(headersAfter({ set: { 'x-tenant': template } }, input), ['x-tenant', expected])
  })

test('the request id is the one of the call', () => {
  const call = transform({ headers: { set: { 'x-id': '{requestId}' } } })
  assert.deepEqual(call.headers, ['x-id', call.requestId])
})

test('values come from the request as it was before the changes', () => {
  const edits = { remove: ['a'], rename: { b: 'c' }, set: { d: '{headers.a}{headers.b}' } }
  assert.deepEqual(headersAfter(edits, { headers: { a: '1', b: '2' } }), ['c', '2', 'd', '12'])
})

test('a value whose placeholder is empty is not sent, and the copy of the client is still removed', () => {
  const edits = { set: { 'x-user': '{consumer.name}' }, add: { 'x-trace': 'id-{params.id}' } }
  assert.deepEqual(headersAfter(edits, { headers: { 'x-user': 'root' } }), [])
  assert.deepEqual(headersAfter({ set: { 'x-user': '{params.constructor}' } }), [])
})

test('a value cannot break out of its header', () => {
  for (const id of ['a%0d%0ax-admin: 1', 'a\nb', 'a%00b', 'a%7F'])
    assert.throws(
      () => headersAfter({ set: { 'x-id': '{params.id}' } }, { params: { id } }),
      error => error instanceof GatewayError && error.status === 400,
    )
  // Characters whose lower byte is a line break: written as Latin-1 they would become one.
  const [, value = ''] = headersAfter(
    { set: { 'x-user': '{consumer.name}' } },
    { consumer: testConsumer('a\u010d\u010ab') },
  )
  assert.ok(isFieldValue(value))
  assert.equal(Buffer.from(value, 'latin1').toString(), 'a\u010d\u010ab')
})

const queryAfter = (query: string, edits: object, input: TestCallInput = {}) =>
  transform({ query: edits }, { ...input, query }).query

for (const [what, query, edits, expected] of [
  ['set replaces', 'a=1&b=2&a=3', { set: { a: 'x y' } }, 'b=2&a=x%20y'],
  ['set adds what is not there', '', { set: { a: '&=#' } }, 'a=%26%3D%23'],
  ['add keeps', 'a=1', { add: { a: '2' } }, 'a=1&a=2'],
  ['remove finds escaped names', 'a=1&%61=2&b', { remove: ['a'] }, 'b'],
  ['remove of all leaves nothing', 'a=1', { remove: ['a'] }, ''],
  ['rename keeps values as sent', 'old=%2f+x&o=1', { rename: { old: 'new name' } }, 'new%20name=%2f+x&o=1'],
  ['rename takes the place', 'new=0&old=1', { rename: { old: 'new' } }, 'new=1'],
  ['rename of a flag', 'old', { rename: { old: 'new' } }, 'new'],
  ['names are case-sensitive', 'A=1', { remove: ['a'] }, 'A=1'],
  ['names outside of ASCII', 'gr%C3%B6%C3%9Fe=1', { remove: ['größe'] }, ''],
  ['what is not named stays byte for byte', '&&x=%zz&y=+&z', { remove: ['a'] }, '&&x=%zz&y=+&z'],
] as [string, string, object, string][])
  test(`query: ${what}`, () => assert.equal(queryAfter(query, edits), expected))

test('a value cannot break out of its query parameter', () => {
  const id = 'a%26admin=1%23%2F..%2F%C3%A9'
  assert.equal(queryAfter('', { set: { id: '{params.id}' } }, { params: { id } }), 'id=a%26admin%3D1%23%2F..%2F%C3%A9')
})

const pathAfter = (edits: object, input: TestCallInput) => transform({ path: edits }, input).forwardPath

for (const [path, prefix, replacement, expected] of [
  ['/v1/orders', '/v1', '/v2', '/v2/orders'],
  ['/v1', '/v1', '/v2', '/v2'],
  ['/v1/', '/v1', '/v2', '/v2/'],
  ['/v10/orders', '/v1', '/v2', '/v10/orders'],
  ['/v1/orders', '/v1', '/', '/orders'],
  ['/v1', '/v1', '/', '/'],
  ['/orders', '/', '/api', '/api/orders'],
  ['/', '/', '/api', '/api/'],
  ['/v1/orders', '/v1/', '/v2/', '/v2/orders'],
] as const)
  test(`${path} with ${prefix} replaced by ${replacement} becomes ${expected}`, () => {
    assert.equal(pathAfter({ replace: { prefix, with: replacement } }, { path }), expected)
  })

for (const [template, id, expected] of [
  ['/v2/{id}/x', 'o-1', '/v2/o-1/x'],
  ['/v2/{params.id}', 'o-1', '/v2/o-1'],
  ['/v2/{id}', 'a%2Fb', '/v2/a%2Fb'],
  ['/v2/{id}', '..%2Fx', '/v2/..%2Fx'],
  ['/v2/{id}', 'a%3Fb%23c', '/v2/a%3Fb%23c'],
  ['/v2/{id}', '%252e%252e', '/v2/%252e%252e'],
  ['/v2/{id}', 'a%5Cb', '/v2/a%5Cb'],
  ['/v2/{id}', '%C3%A9', '/v2/%C3%A9'],
  ['/v2/{id}', 'a:b@c;d', '/v2/a%3Ab%40c%3Bd'],
  ['/v2/{consumer.name}', '', '/v2/alice%20a'],
] as const)
  test(`the path ${template} of ${JSON.stringify(id)} is ${expected}`, () => {
    const input = { params: { id }, consumer: testConsumer('alice a') }
    assert.equal(pathAfter({ template }, input), expected)
  })

test('a path that would climb or lose a segment is refused', () => {
  for (const params of [{ id: '.' }, { id: '..' }, { id: '' }, {}] as Record<string, string>[])
    assert.throws(
      () => pathAfter({ template: '/v2/{id}/x' }, { params }),
      error => error instanceof GatewayError && error.status === 400,
      JSON.stringify(params),
    )
  assert.throws(() => pathAfter({ template: '/v2/.{id}' }, { params: { id: '.' } }), /dot segment/)
})

test('a refused change leaves the call as it was', () => {
  const call = testCall({ headers: { a: '1' }, query: 'a=1', params: { id: '..' } })
  const config = { headers: { remove: ['a'] }, query: { remove: ['a'] }, path: { template: '/{id}' } }
  const policy = transformRequest.create(transformRequest.schema.parse(config), testContext())
  assert.throws(() => policy.request?.(call, () => {}))
  assert.deepEqual([call.headers, call.query, call.forwardPath], [['a', '1'], 'a=1', '/orders'])
})

test('without changes everything passes as it came', () => {
  const call = transform({}, { headers: { a: '1' }, query: 'a=%20', path: '/x' })
  assert.deepEqual([call.headers, call.query, call.forwardPath], [['a', '1'], 'a=%20', '/x'])
})
