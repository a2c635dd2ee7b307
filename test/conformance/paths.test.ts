import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { answerEach, ok, type Portico, rawCall, type ScriptedOrigin, scriptedOrigin, startPortico } from '../harness.ts'
import { get } from './case-table.ts'

/**
 * Two services: `/public` needs nothing, `/admin` needs a key. Whatever a path looks like, what reaches the origin of
 * `/public` must not mean `/admin` to any reader, however that reader decodes, splits or resolves it.
 */
let portico: Portico
let open: ScriptedOrigin
let closed: ScriptedOrigin
before(async () => {
  open = await scriptedOrigin(answerEach(request => ok(`open ${request.target}`)))
  closed = await scriptedOrigin(answerEach(request => ok(`closed ${request.target}`)))
  portico = await startPortico({
    config: {
      version: 1,
      services: [
        { name: 'open', upstream: { targets: [{ url: open.url }] }, routes: [{ path: '/public' }] },
        {
          name: 'closed',
          upstream: { targets: [{ url: closed.url }] },
          routes: [{ path: '/admin' }],
          policies: { 'key-auth': {} },
        },
        {
          name: 'stripped',
          upstream: { targets: [{ url: open.url }] },
          routes: [{ path: '/strip/me', stripPrefix: '/strip/me' }],
        },
      ],
      consumers: [{ name: 'alice', keys: [{ secret: 'alices-key' }] }],
    },
  })
})
after(async () => {
  await portico?.stop()
  await open?.stop()
  await closed?.stop()
})

/** All the ways an origin might read a path: as it stands or decoded, then resolved, with every separator taken for `/`. */
const readings = (target: string): string[] => {
  const all: string[] = []
  let path = target.split(/[?#]/)[0] as string
  for (let round = 0; round < 2; round++) {
    for (const cutAt of [/$^/, /;[^/\\]*/g, /\0.*/s]) {
      const segments: string[] = []
      for (const segment of path.replace(/\\/g, '/').replace(cutAt, '').split('/')) {
        if (segment === '..') segments.pop()
        else if (segment !== '.' && segment !== '') segments.push(segment.toLowerCase())
      }
      all.push(`/${segments.join('/')}`)
    }
    path = path.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
  }
  return all
}

const tricks = [
  '/public/../admin/x',
  '/public/./../admin/x',
  '/public/a/../../admin/x',
  '/public/%2e%2e/admin/x',
  '/public/%2E%2E/admin/x',
  '/public/.%2e/admin/x',
  '/public/%2e./admin/x',
  '/public/..%2fadmin/x',
  '/public/..%2Fadmin/x',
  '/public/%2e%2e%2fadmin/x',
  '/public%2f..%2fadmin/x',
  '/public%2f../admin/x',
  '/public/..%5cadmin/x',
  '/public/..%5Cadmin/x',
  '/public/..\\admin/x',
  '/public\\..\\admin/x',
  '/public/\\../admin/x',
  '/public/..;/admin/x',
  '/public/..;a=b/admin/x',
  '/public/.;/../admin/x',
  '/public;/../admin/x',
  '/public/%2e%2e;/admin/x',
  '/public/..%3b/admin/x',
  '/public/..%00/admin/x',
  '/public/%00/../../admin/x',
  '/public%00/../admin/x',
  '/public/..%20/admin/x',
  '/public/..%09/admin/x',
  '/public/..%0d%0a/admin/x',
  '/public/%252e%252e/admin/x',
  '/public/..%252fadmin/x',
  '/public/%25252e%25252e/admin/x',
  '/public/%c0%ae%c0%ae/admin/x',
  '/public/..%c0%afadmin/x',
  '/public/%u002e%u002e/admin/x',
  '/public/%e0%80%ae./admin/x',
  '/public/..%ef%bc%8fadmin/x',
  '/public/..%2/admin/x',
  '/public/..%/admin/x',
  '/public/%zz/../../admin/x',
  '/public//../admin/x',
  '/public///../../admin/x',
  '//public/../admin/x',
  '/public/..//admin/x',
  '/./public/../admin/x',
  '/public/...//../../admin/x',
  'http://a.test/public/../admin/x',
  'http://a.test/public/%2e%2e/admin/x',
  'http://a.test\\admin/../public/x',
  '/strip/me/../../admin/x',
  '/strip/me/..%2f..%2fadmin/x',
  '/strip/me/admin/../../../admin/x',
  '/strip/me//admin/x',
]

for (const target of tricks)
  test(`no way into /admin: ${target}`, async () => {
    open.forget()
    closed.forget()
    const response = await rawCall(portico.gatewayPort, get(target))
    assert.deepEqual(
      closed.requests.map(request => request.target),
      [],
      'the protected origin was reached without a key',
    )
    for (const request of open.requests) {
      // Below a stripped prefix the origin's own /admin is not the gateway's route.
      if (target.startsWith('/strip')) assert.ok(!/\.\.|\\|%2e|%2f|%5c/i.test(request.target), request.target)
      else
        for (const reading of readings(request.target))
          assert.ok(reading.startsWith('/public'), `${request.target} can be read as ${reading}`)
    }
    assert.ok([200, 400, 401, 404].includes(response.status), String(response.status))
  })

const upper = [
  '/admin/x',
  '/admin',
  '/admin/',
  '//admin/x',
  '///admin///x',
  '/./admin/x',
  '/a/../admin/x',
  '/%61dmin/x',
  '/%61%64%6d%69%6e/x',
  '/admin%2fx',
  '/admin;a=b/x',
  '/admin?x',
  '/admin/%2e/x',
  '\\admin\\x',
  '/\\admin/x',
  'http://a.test/admin/x',
  'http://a.test//admin/x',
]

for (const target of upper)
  test(`no key, no ${target}`, async () => {
    closed.forget()
    const response = await rawCall(portico.gatewayPort, get(target))
    assert.ok([400, 401, 404].includes(response.status), String(response.status))
    assert.equal(closed.requests.length, 0)
  })

const forwards: readonly (readonly [id: string, target: string, forwarded: string])[] = [
  ['plain', '/public/x', '/public/x'],
  ['exact', '/public', '/public'],
  ['trailing slash', '/public/', '/public/'],
  ['query untouched', '/public/x?a=b&c=%2e%2e/../d;e', '/public/x?a=b&c=%2e%2e/../d;e'],
  ['empty query', '/public/x?', '/public/x?'],
  ['second question mark', '/public/x?a?b', '/public/x?a?b'],
  ['query with dots only', '/public?/../admin', '/public?/../admin'],
  ['dot segment', '/public/./x', '/public/x'],
  ['dot dot segment', '/public/a/../x', '/public/x'],
  ['encoded dot segments', '/public/%2e/a/%2E%2e/x', '/public/x'],
  ['repeated slashes', '/public//a///x', '/public/a/x'],
  ['dots in names', '/public/a..b/...c/..d', '/public/a..b/...c/..d'],
  ['utf-8', '/public/caf%C3%A9', '/public/caf%C3%A9'],
  ['percent-encoded space', '/public/a%20b', '/public/a%20b'],
  ['sub-delims', "/public/!$&'()*+,=:@-._~", "/public/!$&'()*+,=:@-._~"],
  ['out of the stripped prefix', '/strip/me/a/b', '/a/b'],
  ['the stripped prefix alone', '/strip/me', '/'],
]

for (const [id, target, forwarded] of forwards)
  test(`forwarded: ${id}`, async () => {
    open.forget()
    const response = await rawCall(portico.gatewayPort, get(target))
    assert.equal(response.status, 200)
    assert.deepEqual(
      open.requests.map(request => request.target),
      [forwarded],
    )
  })

test('encoded unreserved characters match the route they spell', async () => {
  open.forget()
  assert.equal((await rawCall(portico.gatewayPort, get('/%70ublic/x'))).status, 200)
  assert.deepEqual(
    open.requests.map(request => request.target),
    ['/public/x'],
  )
})

for (const target of ['/publicity', '/publi', '/public.', '/public%20', '/PUBLIC/x', '/public:x', '/public%2fx'])
  test(`a route matches whole segments: ${target} is none of /public`, async () => {
    open.forget()
    const response = await rawCall(portico.gatewayPort, get(target))
    assert.ok([400, 404].includes(response.status), String(response.status))
    assert.equal(open.requests.length, 0)
  })

for (const target of [
  '/public/%',
  '/public/%2',
  '/public/%zz',
  '/public/%00',
  '/public/a%0d%0ab',
  '/public/%7f',
  '/public/%1b',
])
  test(`not a path: ${target} is 400`, async () => {
    open.forget()
    assert.equal((await rawCall(portico.gatewayPort, get(target))).status, 400)
    assert.equal(open.requests.length, 0)
  })

test('with the key, the protected route is reached as it was matched', async () => {
  closed.forget()
  const response = await rawCall(portico.gatewayPort, get('/admin/a/../b', 'X-Api-Key: alices-key'))
  assert.equal(response.status, 200)
  assert.deepEqual(
    closed.requests.map(request => request.target),
    ['/admin/b'],
  )
})
