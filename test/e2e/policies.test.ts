import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import {
  answerEach,
  headerOf,
  headersOf,
  ok,
  type Portico,
  type RequestMessage,
  type ResponseMessage,
  rawCall,
  rawClient,
  type ScriptedOrigin,
  scriptedOrigin,
  startPortico,
} from '../harness.ts'

/** A limit that no test run can refill. */
const slow = { window: '30d', algorithm: 'fixed-window' }
const app = 'https://app.example.com'

const configFor = (url: string) => {
  const route = (path: string, policies: object, more: object = {}) => ({ path, policies, ...more })
  return {
    version: 1,
    settings: { trustedProxies: ['127.0.0.1'], timeouts: { drain: '2s' } },
    services: [
      {
        name: 'main',
        upstream: { targets: [{ url }], retry: { attempts: 0 } },
        routes: [
          route('/key', { 'key-auth': { query: 'key' } }),
          route('/optional', { 'key-auth': { optional: true } }),
          route('/limited', { 'key-auth': {}, 'rate-limit': { limit: 2, ...slow, headers: 'both' } }),
          route('/limited-address', { 'rate-limit': { limit: 1, ...slow, by: 'ip' } }),
          route('/body', { 'body-limit': { max: '10b' } }),
          route('/cors', { cors: { origins: [app], credentials: true }, 'key-auth': {} }, { methods: ['GET', 'POST'] }),
          route('/addresses', { 'ip-allow': { allow: ['127.0.0.0/8', '2001:db8::/32'], deny: ['127.6.0.0/16'] } }),
          route('/request/{id}', {
            'key-auth': { optional: true },
            'transform-request': {
              headers: {
                remove: ['cookie'],
                rename: { 'x-old': 'x-new' },
                set: { 'x-user': '{consumer.name}', 'x-order': '{params.id}', 'x-from': '{clientAddress}' },
              },
              query: { rename: { q: 'search' }, add: { order: '{params.id}' } },
              path: { template: '/v2/orders/{id}/lines' },
            },
          }),
          route('/prefix', { 'transform-request': { path: { replace: { prefix: '/prefix', with: '/v3' } } } }),
          route('/response/{id}', {
            'key-auth': {},
            'transform-response': {
              headers: { remove: ['server'], rename: { 'x-old': 'x-new' }, set: { 'x-order': '{params.id}' } },
              status: { 200: 202, 401: 403 },
            },
          }),
        ],
      },
    ],
    consumers: [
      { name: 'alice', keys: [{ secret: 'k1' }] },
      { name: 'bob', keys: [{ secret: 'k2' }] },
    ],
  }
}

let origin: ScriptedOrigin
let portico: Portico

before(async () => {
  const generous = 'Server: origin\r\nX-Old: 1\r\nAccess-Control-Allow-Origin: *\r\n'
  origin = await scriptedOrigin(answerEach(() => ok('from the origin', generous)))
  portico = await startPortico({ config: configFor(origin.url) })
})

after(async () => {
  await portico?.stop()
  await origin?.stop()
})

beforeEach(() => origin.forget())

type Fields = Record<string, string>

const send = (method: string, target: string, fields: Fields = {}, body = ''): Promise<ResponseMessage> => {
  const lines = Object.entries({ Host: 'api.example.com', ...fields }).map(([name, value]) => `${name}: ${value}\r\n`)
  return rawCall(portico.gatewayPort, `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body}`, method)
}

const get = (target: string, fields: Fields = {}): Promise<ResponseMessage> => send('GET', target, fields)

/** What the origin got of the last call. */
const forwarded = (): RequestMessage => origin.requests.at(-1) ?? assert.fail('the origin saw no request')

const codeOf = (response: ResponseMessage): string => JSON.parse(response.body.toString()).code

test('a call with a key reaches the origin as its consumer and without the key', async () => {
  const response = await get('/key?a=1&key=k1', { 'X-Api-Key': 'k1', Authorization: 'Bearer k1', 'X-Consumer': 'root' })
  assert.equal(response.status, 200)
  assert.equal(headerOf(forwarded(), 'x-consumer'), 'alice')
  assert.equal(forwarded().target, '/key?a=1')
  assert.deepEqual([...headersOf(forwarded(), 'x-api-key'), ...headersOf(forwarded(), 'authorization')], [])
})

test('a call without a key is asked for one, and the origin hears nothing', async () => {
  const response = await get('/key')
  assert.equal(response.status, 401)
  assert.equal(headerOf(response, 'www-authenticate'), 'Bearer realm="portico"')
  assert.equal(headerOf(response, 'content-type'), 'application/problem+json')
  assert.equal(codeOf(response), 'missing-credentials')
  assert.equal(origin.requests.length, 0)
})

test('a wrong key is refused, also beside a good one in another place', async () => {
  for (const fields of [{ 'x-api-key': 'nope' }, { 'x-api-key': 'nope', Authorization: 'Bearer k1' }] as Fields[]) {
    const response = await get('/key', fields)
    assert.deepEqual([response.status, codeOf(response)], [401, 'invalid-credentials'])
    assert.match(headerOf(response, 'www-authenticate') ?? '', /error="invalid_token"/)
  }
  assert.equal(origin.requests.length, 0)
})

test('an optional key may be absent', async () => {
  assert.equal((await get('/optional', { 'x-consumer': 'root' })).status, 200)
  assert.deepEqual(headersOf(forwarded(), 'x-consumer'), [])
})

test('a consumer has calls until the limit, and refused keys use up nothing', async () => {
  for (let i = 0; i < 3; i++) assert.equal((await get('/limited', { 'x-api-key': 'nope' })).status, 401)
  const first = await get('/limited', { 'x-api-key': 'k1' })
  assert.equal(first.status, 200)
  assert.equal(headerOf(first, 'ratelimit-policy'), '"default";q=2;w=2592000')
  assert.match(headerOf(first, 'ratelimit') ?? '', /^"default";r=1;t=\d+$/)
  assert.equal(headerOf(first, 'x-ratelimit-remaining'), '1')
  assert.equal((await get('/limited', { 'x-api-key': 'k1' })).status, 200)
  const refused = await get('/limited', { 'x-api-key': 'k1' })
  assert.deepEqual([refused.status, codeOf(refused)], [429, 'rate-limited'])
  assert.ok(Number(headerOf(refused, 'retry-after')) >= 1)
  assert.match(headerOf(refused, 'ratelimit') ?? '', /^"default";r=0;t=\d+$/)
  assert.equal((await get('/limited', { 'x-api-key': 'k2' })).status, 200)
})

test('clients behind a trusted proxy have a limit each', async () => {
  const from = async (address: string) => (await get('/limited-address', { 'x-forwarded-for': address })).status
  assert.deepEqual([await from('192.0.2.1'), await from('192.0.2.1'), await from('192.0.2.2')], [200, 429, 200])
})

test('a body that is announced too large is refused before the origin hears of it', async () => {
  const response = await send('POST', '/body', { 'Content-Length': '11' }, 'x'.repeat(11))
  assert.deepEqual([response.status, codeOf(response)], [413, 'body-too-large'])
  assert.equal(origin.requests.length, 0)
  assert.equal((await send('POST', '/body', { 'Content-Length': '10' }, 'x'.repeat(10))).status, 200)
  assert.equal(forwarded().body.toString(), 'x'.repeat(10))
})

test('a body that grows too large while it streams is refused, and the origin never has it whole', async () => {
  const client = await rawClient(portico.gatewayPort)
  client.send('POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n')
  client.send('8\r\n12345678\r\n0\r\n\r\n')
  const response = await client.readFinalResponse({ method: 'POST' })
  client.destroy()
  assert.deepEqual([response.status, codeOf(response)], [413, 'body-too-large'])
  assert.equal(origin.requests.length, 0)
})

test('a preflight is answered though the route has no OPTIONS and needs a key', async () => {
  const response = await send('OPTIONS', '/cors/x', {
    Origin: app,
    'Access-Control-Request-Method': 'POST',
    'Access-Control-Request-Headers': 'x-api-key',
  })
  assert.equal(response.status, 204)
  assert.equal(response.body.length, 0)
  assert.equal(headerOf(response, 'access-control-allow-origin'), app)
  assert.equal(headerOf(response, 'access-control-allow-headers'), 'x-api-key')
  assert.equal(headerOf(response, 'access-control-allow-credentials'), 'true')
  assert.equal(origin.requests.length, 0)
})

test('an OPTIONS request that is no preflight is still a method the route does not have', async () => {
  assert.equal((await send('OPTIONS', '/cors')).status, 405)
})

test('a page may read answers and errors, and the permission of the origin is replaced', async () => {
  const answer = await get('/cors', { Origin: app, 'x-api-key': 'k1' })
  assert.deepEqual([answer.status, headerOf(answer, 'access-control-allow-origin')], [200, app])
  const error = await get('/cors', { Origin: app })
  assert.deepEqual([error.status, headerOf(error, 'access-control-allow-origin')], [401, app])
  const foreign = await get('/cors', { Origin: 'https://evil.example.net', 'x-api-key': 'k1' })
  assert.deepEqual(headersOf(foreign, 'access-control-allow-origin'), [])
  assert.equal(headerOf(foreign, 'vary'), 'Origin')
})

test('addresses are judged behind trusted proxies', async () => {
  const status = async (fields: Fields) => (await get('/addresses', fields)).status
  assert.equal(await status({}), 200)
  assert.equal(await status({ 'x-forwarded-for': '127.6.0.1' }), 403)
  assert.equal(await status({ 'x-forwarded-for': '2001:db8::7' }), 200)
  assert.equal(await status({ 'x-forwarded-for': '::ffff:127.6.0.1' }), 403)
  const refused = await get('/addresses', { 'x-forwarded-for': '198.51.100.1' })
  assert.deepEqual([refused.status, codeOf(refused)], [403, 'address-not-allowed'])
})

test('a request is rewritten on its way to the origin', async () => {
  const fields = { 'X-Old': 'a', Cookie: 'c=1', 'X-User': 'root', 'x-api-key': 'k1', 'x-forwarded-for': '192.0.2.9' }
  assert.equal((await get('/request/a%20b?q=%2f&x', fields)).status, 200)
  const request = forwarded()
  assert.equal(request.target, '/v2/orders/a%20b/lines?search=%2f&x&order=a%20b')
  assert.equal(headerOf(request, 'x-new'), 'a')
  assert.equal(headerOf(request, 'x-user'), 'alice')
  assert.equal(headerOf(request, 'x-order'), 'a b')
  assert.equal(headerOf(request, 'x-from'), '192.0.2.9')
  for (const name of ['cookie', 'x-old', 'x-api-key']) assert.deepEqual(headersOf(request, name), [], name)
})

test('a value that is missing is not sent, and no copy of the client either', async () => {
  await get('/request/7', { 'X-User': 'root' })
  assert.deepEqual(headersOf(forwarded(), 'x-user'), [])
})

test('the beginning of a path is replaced', async () => {
  await get('/prefix/a?b')
  assert.equal(forwarded().target, '/v3/a?b')
})

test('a response is rewritten on its way to the client', async () => {
  const response = await get('/response/o-1', { 'x-api-key': 'k1' })
  assert.equal(response.status, 202)
  assert.equal(response.body.toString(), 'from the origin')
  assert.deepEqual(headersOf(response, 'server'), [])
  assert.equal(headerOf(response, 'x-new'), '1')
  assert.equal(headerOf(response, 'x-order'), 'o-1')
  const refused = await get('/response/o-1')
  assert.deepEqual([refused.status, headerOf(refused, 'x-order')], [403, 'o-1'])
})
