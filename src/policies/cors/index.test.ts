import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatewayError } from '#base/errors'
import type { Handler } from '#gateway/contract'
import { getHeader, getHeaders, type HeaderList, removeHeader } from '#http/headers'
import { policyContract } from '#policies/policy-contract'
import { okService, type TestCallInput, testCall, testContext, through } from '#policies/test-call'
import { cors } from './index.ts'

const app = 'https://app.example.com'
const named = { origins: [app] }

policyContract(cors, {
  config: named,
  wrong: [
    { config: {}, at: 'origins', says: /array/ },
    { config: { origins: [] }, at: 'origins', says: /at least one/ },
    { config: { origins: ['app.example.com'] }, at: 'origins.0', says: /not an origin/ },
    { config: { origins: [`${app}/`] }, at: 'origins.0', says: /no path/ },
    { config: { origins: ['https://App.example.com'] }, at: 'origins.0', says: /lower case/ },
    { config: { origins: ['https://app.*.com'] }, at: 'origins.0', says: /one \* only/ },
    { config: { origins: ['https://*example.com'] }, at: 'origins.0', says: /one \* only/ },
    { config: { origins: ['https://*.*.com'] }, at: 'origins.0', says: /one \* only/ },
    { config: { origins: ['null'] }, at: 'origins.0', says: /cannot be allowed/ },
    { config: { origins: ['*', app] }, at: 'origins', says: /beside others/ },
    { config: { origins: ['*'], credentials: true }, at: 'credentials', says: /all origins/ },
    { config: { ...named, credentials: true, exposeHeaders: ['*'] }, at: 'exposeHeaders', says: /together/ },
    { config: { ...named, methods: ['get'] }, at: 'methods.0', says: /upper case/ },
    { config: { ...named, headers: ['x y'] }, at: 'headers.0', says: /not a header name/ },
    { config: { ...named, maxAge: '2d' }, at: 'maxAge', says: /at most 1d/ },
  ],
  passes: { headers: { origin: app } },
})

const build = (config: object) => cors.create(cors.schema.parse(config), testContext())

const answers = (headers: HeaderList): Record<string, string | undefined> =>
  Object.fromEntries(
    headers.flatMap((name, i) => (i % 2 === 0 && name.startsWith('access-control-') ? [[name, headers[i + 1]]] : [])),
  )

const send = async (config: object, input: TestCallInput, service?: Handler) => {
  const { status, headers, body } = await through(build(config), testCall(input), service)
  return { status, body, answers: answers(headers), vary: getHeaders(headers, 'vary') }
}

const from = (origin: string): TestCallInput => ({ headers: { origin } })

const preflight = (origin: string, more: Record<string, string> = {}): TestCallInput => ({
  method: 'OPTIONS',
  headers: { origin, 'access-control-request-method': 'PUT', ...more },
})

const unreached: Handler = () => assert.fail('the service was called')

test('an allowed origin is told so, and caches are told that it matters', async () => {
  const { status, answers, vary } = await send(named, from(app))
  assert.equal(status, 200)
  assert.deepEqual(answers, { 'access-control-allow-origin': app })
  assert.deepEqual(vary, ['Origin'])
})

for (const origin of ['https://evil.example.net', 'http://app.example.com', `${app}:8443`, `${app}.evil.net`, 'null'])
  test(`the origin ${origin} is not told that it may call`, async () => {
    const { status, answers, vary } = await send(named, from(origin))
    assert.deepEqual([status, answers, vary], [200, {}, ['Origin']])
  })

test('a call from no page gets no answer but a Vary', async () => {
  const { answers, vary } = await send(named, {})
  assert.deepEqual([answers, vary], [{}, ['Origin']])
})

test('all origins may call when * is configured, and caches may share the response', async () => {
  for (const input of [from('https://any.example.net'), {}]) {
    const { answers, vary } = await send({ origins: ['*'] }, input)
    assert.deepEqual([answers, vary], [{ 'access-control-allow-origin': '*' }, []])
  }
})

for (const [pattern, origin, expected] of [
  ['https://*.example.com', 'https://app.example.com', true],
  ['https://*.example.com', 'https://a.b.example.com', true],
  ['https://*.example.com', 'https://example.com', false],
  ['https://*.example.com', 'https://.example.com', false],
  ['https://*.example.com', 'https://evilexample.com', false],
  ['https://*.example.com', 'https://evil.net/.example.com', false],
  ['https://*.example.com', 'https://evil.net#.example.com', false],
  ['https://*.example.com', 'https://evil.net:80.example.com', false],
  ['https://*.example.com', 'https://user@x.example.com', false],
  ['https://*.example.com', 'http://app.example.com', false],
  ['https://*.example.com', 'https://app.example.com:8443', false],
  ['https://*.example.com:8443', 'https://app.example.com:8443', true],
  ['capacitor://localhost', 'capacitor://localhost', true],
] as const)
  test(`the pattern ${pattern} ${expected ? 'matches' : 'does not match'} ${origin}`, async () => {
    const { answers } = await send({ origins: [pattern] }, from(origin))
    assert.equal(answers['access-control-allow-origin'], expected ? origin : undefined)
  })

test('a preflight is answered without the service', async () => {
  const config = { ...named, methods: ['GET', 'PUT'], headers: ['content-type', 'x-api-key'], maxAge: '1h' }
  const { status, body, answers } = await send(config, preflight(app), unreached)
  assert.deepEqual([status, body], [204, ''])
  assert.deepEqual(answers, {
    'access-control-allow-origin': app,
    'access-control-allow-methods': 'GET, PUT',
    'access-control-allow-headers': 'content-type, x-api-key',
    'access-control-max-age': '3600',
  })
})

test('the headers that a preflight asks for are allowed unless a list is configured', async () => {
  const asked = preflight(app, { 'access-control-request-headers': 'authorization, x-api-key' })
  const { answers, vary } = await send(named, asked, unreached)
  assert.equal(answers['access-control-allow-headers'], 'authorization, x-api-key')
  assert.deepEqual(vary, ['Access-Control-Request-Headers', 'Origin'])
  const odd = await send(named, preflight(app, { 'access-control-request-headers': 'a b' }), unreached)
  assert.equal(odd.answers['access-control-allow-headers'], undefined)
})

test('a preflight of a refused origin is answered without a permission', async () => {
  const { status, answers, vary } = await send({ ...named, headers: [] }, preflight('https://evil.net'), unreached)
  assert.deepEqual([status, answers, vary], [204, {}, ['Origin']])
})

test('an OPTIONS request that is no preflight reaches the service', async () => {
  assert.equal((await send(named, { method: 'OPTIONS', ...from(app) })).body, 'ok')
  const noOrigin = { method: 'OPTIONS', headers: { 'access-control-request-method': 'PUT' } }
  assert.equal((await send(named, noOrigin)).body, 'ok')
})

test('credentials and readable headers are granted when configured', async () => {
  const { answers } = await send({ ...named, credentials: true, exposeHeaders: ['x-total', 'etag'] }, from(app))
  assert.deepEqual(answers, {
    'access-control-allow-origin': app,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': 'x-total, etag',
  })
})

test('a page may read the errors of the gateway', async () => {
  const refusing: Handler = () => {
    throw new GatewayError('missing-credentials')
  }
  const { status, answers } = await send(named, from(app), refusing)
  assert.deepEqual([status, answers], [401, { 'access-control-allow-origin': app }])
})

test('a refusal before this policy is readable too', () => {
  const response = { status: 403, headers: [] as HeaderList }
  build(named).response?.(testCall(from(app)), response)
  assert.equal(getHeader(response.headers, 'access-control-allow-origin'), app)
})

test('what the service says about other origins is replaced', async () => {
  const generous: Handler = call =>
    call.respond(
      200,
      [
        ...['access-control-allow-origin', '*', 'x-kept', '1', 'access-control-allow-credentials', 'true'],
        ...['access-control-allow-origin', 'https://evil.net', 'vary', 'accept, origin'],
      ],
      'ok',
    )
  const policy = build(named)
  const { headers } = await through(policy, testCall(from('https://evil.net')), generous)
  assert.deepEqual(headers, ['x-kept', '1', 'vary', 'accept, origin'])
})

test('a later policy that removes the Origin does not change the answer', async () => {
  const { answers } = await send(named, from(app), call => {
    removeHeader(call.headers, 'origin')
    okService(call)
  })
  assert.deepEqual(answers, { 'access-control-allow-origin': app })
})

test('a later policy that sets an Origin does not earn it a permission', async () => {
  const { answers } = await send(named, from('https://evil.net'), call => {
    call.headers = ['origin', app]
    okService(call)
  })
  assert.deepEqual(answers, {})
})
