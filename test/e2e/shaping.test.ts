import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  answerEach,
  eventually,
  headerOf,
  headersOf,
  ok,
  type Portico,
  rawCall,
  type ScriptedOrigin,
  scriptedOrigin,
  startPortico,
} from '../harness.ts'

let portico: Portico
const origins: Record<string, ScriptedOrigin> = {}

const config = (url: (name: string) => string) => ({
  version: 1,
  settings: { timeouts: { drain: '2s' }, trustedProxies: ['127.0.0.1'] },
  services: [
    {
      name: 'split',
      upstream: { targets: [{ url: url('stable') }] },
      upstreams: {
        canary: { targets: [{ url: url('canary') }] },
        next: { targets: [{ url: url('next') }] },
      },
      routes: [
        {
          path: '/share',
          split: {
            to: [
              { upstream: 'canary', percent: 10 },
              { upstream: 'next', percent: 25.5 },
            ],
          },
        },
        { path: '/sticky', split: { to: [{ upstream: 'canary', percent: 50 }], stickyBy: 'header:x-user' } },
        { path: '/cookie', split: { to: [{ upstream: 'canary', percent: 50 }], stickyBy: 'cookie:session' } },
        {
          path: '/when',
          split: {
            to: [
              {
                upstream: 'canary',
                when: { headers: { 'x-canary': 'always' }, cookies: { canary: '*' }, groups: ['beta'] },
              },
              { upstream: 'next', when: { query: { v: { prefix: '2' } } } },
            ],
          },
          policies: { 'key-auth': { optional: true } },
        },
      ],
    },
    {
      name: 'inherited',
      upstream: { targets: [{ url: url('stable') }] },
      upstreams: { canary: { targets: [{ url: url('canary') }] } },
      split: { to: [{ upstream: 'canary', percent: 50 }] },
      routes: [{ path: '/inherited/a' }, { path: '/inherited/b' }],
    },
    {
      name: 'rewrites',
      upstream: { targets: [{ url: `${url('stable')}/base` }] },
      routes: [
        { path: '/orders/{id}', rewrite: { path: '/v2/{id}/items{rest}', host: 'orders.internal' } },
        { path: '/find/{what}', rewrite: { path: '/search?kind={what}&below={rest}' } },
        { path: '/old', rewrite: { regex: '^/old/([^/]+)/(.*)$', to: '/new/$1?rest=$2' } },
        { path: '/cut', rewrite: { regex: '^/cut/(.*)-(.*)$', to: '/x$1$2/y' } },
        { path: '/dots/{a}/{b}', rewrite: { path: '/safe/{a}{b}/x' } },
        { path: '/host', rewrite: { host: 'named.internal' } },
      ],
    },
    {
      name: 'redirects',
      routes: [
        { path: '/moved', redirect: { to: 'https://new.example.com{path}', status: 301 } },
        { path: '/rest', redirect: { to: '/elsewhere{rest}' } },
        { path: '/only-rest', redirect: { to: '{rest}', status: 307 } },
        { path: '/same/{id}', redirect: { to: 'https://{host}:8443/{id}?from={path}', status: 303 } },
        { path: '/drop', redirect: { to: 'https://new.example.com/', keepQuery: false } },
        { path: '/query', redirect: { to: '/q?was={query}' } },
      ],
    },
    {
      name: 'secure',
      upstream: { targets: [{ url: url('stable') }] },
      routes: [{ path: '/secure', redirect: 'https', policies: { 'key-auth': {} } }],
    },
    {
      name: 'answers',
      routes: [
        { path: '/text', respond: { status: 503, headers: { 'retry-after': '60' }, body: 'back soon\n' } },
        { path: '/json', respond: { json: { ok: true } }, policies: { 'key-auth': {} } },
        { path: '/file', respond: { file: 'robots.html' } },
        { path: '/none', respond: { status: 204 } },
      ],
    },
    {
      name: 'conditions',
      upstream: { targets: [{ url: url('stable') }] },
      routes: [
        { path: '/c', name: 'plain', rewrite: { path: '/plain' } },
        { path: '/c', name: 'list', headers: { 'x-region': ['eu', 'us'] }, rewrite: { path: '/list' } },
        {
          path: '/c',
          name: 'agent',
          headers: { 'user-agent': { regex: '^curl/[78]\\.' } },
          rewrite: { path: '/curl' },
        },
        {
          path: '/c',
          name: 'cookie',
          cookies: { beta: { not: { suffix: 'off' } }, id: '*' },
          rewrite: { path: '/cookie' },
        },
        { path: '/c', name: 'query', query: { debug: { prefix: 'v' } }, rewrite: { path: '/query' } },
        { path: '/n', name: 'absent', headers: { 'x-internal': { not: '*' } }, rewrite: { path: '/absent' } },
      ],
    },
  ],
  consumers: [
    { name: 'bea', groups: ['beta'], keys: [{ secret: 'beas-key' }] },
    { name: 'al', keys: [{ secret: 'als-key' }] },
  ],
})

before(async () => {
  for (const name of ['stable', 'canary', 'next'])
    origins[name] = await scriptedOrigin(
      answerEach(request => ok(`${name} ${request.target} ${headerOf(request, 'host')}`)),
    )
  portico = await startPortico({
    config: config(name => (origins[name] as ScriptedOrigin).url),
    files: { 'robots.html': '<p>hello</p>\n' },
  })
})
after(async () => {
  await portico?.stop()
  for (const origin of Object.values(origins)) await origin.stop()
})

const call = (path: string, headers: Record<string, string> = {}, method = 'GET') => {
  const { host = 'api.example.com', ...rest } = headers
  const fields = Object.entries({ ...rest, connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`)
  return rawCall(portico.gatewayPort, `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${fields.join('')}\r\n`, method)
}

const answered = async (path: string, headers: Record<string, string> = {}): Promise<string> =>
  (await call(path, headers)).body.toString()

const who = async (path: string, headers: Record<string, string> = {}): Promise<string> =>
  (await answered(path, headers)).split(' ')[0] as string

const tally = async (count: number, ask: (index: number) => Promise<string>): Promise<Record<string, number>> => {
  const sums: Record<string, number> = {}
  for (let i = 0; i < count; i++) {
    const name = await ask(i)
    sums[name] = (sums[name] ?? 0) + 1
  }
  return sums
}

test('each branch of a split gets exactly its share', async () => {
  assert.deepEqual(await tally(200, () => who('/share')), { stable: 129, canary: 20, next: 51 })
})

test('who is recognised is always sent the same way, and about the asked share of people goes there', async () => {
  const first = await tally(60, index => who('/sticky', { 'x-user': `user-${index}` }))
  assert.ok((first['canary'] ?? 0) > 15 && (first['canary'] ?? 0) < 45, JSON.stringify(first))
  for (let user = 0; user < 8; user++) {
    const names = await tally(4, () => who('/sticky', { 'x-user': `user-${user}` }))
    assert.equal(Object.keys(names).length, 1, JSON.stringify(names))
  }
  const cookie = { cookie: 'a=b; session=one' }
  assert.equal(Object.keys(await tally(5, () => who('/cookie', cookie))).length, 1)
  assert.deepEqual(await tally(10, () => who('/cookie')), { stable: 5, canary: 5 })
})

test('conditions decide before shares: a header, a cookie, a group, the query', async () => {
  assert.equal(await who('/when'), 'stable')
  assert.equal(await who('/when', { 'x-canary': 'always' }), 'canary')
  assert.equal(await who('/when', { 'x-canary': 'never' }), 'stable')
  assert.equal(await who('/when', { cookie: 'canary=1' }), 'canary')
  assert.equal(await who('/when', { 'x-api-key': 'beas-key' }), 'canary')
  assert.equal(await who('/when', { 'x-api-key': 'als-key' }), 'stable')
  assert.equal(await who('/when?v=2.1'), 'next')
  assert.equal(await who('/when?v=2.1', { 'x-canary': 'always' }), 'canary', 'the first branch first')
})

test('what a service says of splits holds for all its routes together', async () => {
  const sums = await tally(20, index => who(index % 2 === 0 ? '/inherited/a' : '/inherited/b'))
  assert.deepEqual(sums, { stable: 10, canary: 10 })
})

test('the call log names the target that answered', async () => {
  await who('/when?log=canary', { 'x-canary': 'always' })
  const logged = await eventually(async () => {
    const { body } = await portico.console('/api/calls?route=/when')
    return (
      (body as { items: { path: string; target: string }[] }).items.find(({ target }) =>
        target.endsWith(`:${origins['canary']?.port}`),
      ) ?? null
    )
  }, 'the call in the log')
  assert.equal(logged.path, '/when')
})

test('a path is rewritten by its template, and what is below the route goes along', async () => {
  assert.equal(await answered('/orders/7'), 'stable /base/v2/7/items orders.internal')
  assert.equal(await answered('/orders/7/a/b?x=1'), 'stable /base/v2/7/items/a/b?x=1 orders.internal')
  assert.equal(await answered('/orders/7/'), 'stable /base/v2/7/items/ orders.internal')
  assert.match(await answered('/host/x?y'), /^stable \/base\/host\/x\?y named\.internal$/)
})

test('what of a path goes into the query stays one value', async () => {
  assert.match(await answered('/find/a&b=c/d+e?own=1'), /\/base\/search\?kind=a%26b%3Dc&below=\/d%2Be&own=1 /)
})

test('a path is rewritten by a pattern; where it does not match the path stays', async () => {
  assert.match(await answered('/old/a/b/c'), /\/base\/new\/a\?rest=b\/c /)
  assert.match(await answered('/old/a/b?q=1'), /\/base\/new\/a\?rest=b&q=1 /)
  assert.match(await answered('/old/a?q=1'), /\/base\/old\/a\?q=1 /)
})

test('no piece of a path can climb out of the place it is put', async () => {
  for (const path of ['/dots/%2e/%2e', '/dots/./.', '/dots/..;a/x'])
    assert.ok([400, 404].includes((await call(path)).status), path)
  assert.equal((await call('/cut/%2-Fetc')).status, 400, 'half an escape')
  assert.equal((await call('/cut/%25-2Fetc')).status, 200)
  const seen = origins['stable']?.requests.at(-1)?.target
  assert.equal(seen, '/base/x%252Fetc/y', 'an escaped percent sign stays one')
})

test('redirects lead where they say, with the query', async () => {
  const location = async (path: string, headers: Record<string, string> = {}) => {
    const response = await call(path, headers)
    return [response.status, headerOf(response, 'location')]
  }
  assert.deepEqual(await location('/moved/a?x=1&y'), [301, 'https://new.example.com/moved/a?x=1&y'])
  assert.deepEqual(await location('/rest/a/b'), [302, '/elsewhere/a/b'])
  assert.deepEqual(await location('/only-rest/a?b'), [307, '/a?b'])
  assert.deepEqual(await location('/only-rest'), [307, '/'])
  assert.deepEqual(await location('/same/9?q=1'), [303, 'https://api.example.com:8443/9?from=/same/9&q=1'])
  assert.deepEqual(await location('/drop/x?q=1'), [302, 'https://new.example.com/'])
  assert.deepEqual(await location('/query?a=1'), [302, '/q?was=a=1'])
})

test('a redirect cannot be led to another host, nor out of its header line', async () => {
  for (const path of [
    '/only-rest//evil.example',
    '/only-rest/%2f/evil.example',
    '/rest/\\evil.example',
    '/only-rest/\\/evil',
  ]) {
    const response = await call(path)
    const location = headerOf(response, 'location') ?? ''
    if (response.status !== 400) assert.match(location, /^\/(?!\/)/, path)
    assert.equal(new URL(location || '/', 'https://own.example').host, 'own.example', path)
  }
  const response = await call('/rest/a%0d%0aset-cookie:x=1')
  assert.equal(response.status, 400)
  assert.deepEqual(headersOf(response, 'set-cookie'), [])
  assert.equal((await call('/same/9', { host: 'evil.example:99' })).status, 303)
  assert.equal((await call('/same/9', { host: 'a,b' })).status, 400)
})

test('calls without TLS are sent to https before anything else; what a trusted proxy says of TLS counts', async () => {
  const plain = await call('/secure/a?b=1', { host: 'api.example.com:8080' })
  assert.equal(plain.status, 308)
  assert.equal(headerOf(plain, 'location'), 'https://api.example.com/secure/a?b=1')
  assert.equal((await call('/secure/a', { 'x-forwarded-proto': 'https' })).status, 401)
  const passed = await call('/secure/a', { 'x-forwarded-proto': 'https', 'x-api-key': 'als-key' })
  assert.equal(passed.status, 200)
})

test('static answers, with policies before them', async () => {
  const text = await call('/text')
  assert.deepEqual(
    [text.status, headerOf(text, 'retry-after'), headerOf(text, 'content-type'), text.body.toString()],
    [503, '60', 'text/plain; charset=utf-8', 'back soon\n'],
  )
  assert.equal((await call('/json')).status, 401)
  const json = await call('/json', { 'x-api-key': 'als-key' })
  assert.deepEqual(JSON.parse(json.body.toString()), { ok: true })
  assert.equal(headerOf(json, 'content-type'), 'application/json')
  const file = await call('/file')
  assert.equal(headerOf(file, 'content-type'), 'text/html; charset=utf-8')
  assert.equal(file.body.toString(), '<p>hello</p>\n')
  const head = await call('/file', {}, 'HEAD')
  assert.equal(headerOf(head, 'content-length'), '13')
  const none = await call('/none')
  assert.deepEqual([none.status, none.body.length, headerOf(none, 'content-length')], [204, 0, undefined])
})

test('routes are chosen by headers, cookies and query in every form', async () => {
  const path = async (headers: Record<string, string>, query = '') =>
    (await answered(`/c${query}`, headers)).split(' ')[1]?.split('?')[0]
  assert.equal(await path({}), '/plain')
  assert.equal(await path({ 'x-region': 'us' }), '/list')
  assert.equal(await path({ 'x-region': 'asia' }), '/plain')
  assert.equal(await path({ 'user-agent': 'curl/8.1' }), '/curl')
  assert.equal(await path({ 'user-agent': 'curl/81' }), '/plain')
  assert.equal(await path({ cookie: 'id=7; beta=on' }), '/cookie')
  assert.equal(await path({ cookie: 'id=7; beta=is-off' }), '/plain')
  assert.equal(await path({ cookie: 'beta=on' }), '/plain')
  assert.equal(await path({}, '?debug=v1'), '/query')
  assert.match(await answered('/n'), /^stable \/absent /)
  assert.equal((await call('/n', { 'x-internal': '' })).status, 404)
})

test('explain shows what a route does with a call', async () => {
  const explain = async (url: string, headers: string[][] = []) => {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' } }
    const { body } = await portico.console('/api/explain', {
      ...init,
      body: JSON.stringify({ method: 'GET', url, headers }),
    })
    return body as {
      handler: string
      target: { path: string; url: string } | null
      shaping: { key: string; text: string }[]
    }
  }
  const rewritten = await explain('/orders/7/x?y=1')
  assert.equal(rewritten.target?.path, '/base/v2/7/items/x')
  assert.deepEqual(rewritten.shaping, [
    { key: 'rewrite', text: '/v2/7/items/x?y=1' },
    { key: 'rewrite', text: 'host orders.internal' },
  ])
  assert.deepEqual((await explain('/moved/a')).shaping, [
    { key: 'redirect', text: '301 to https://new.example.com/moved/a' },
  ])
  const split = await explain('/when')
  assert.equal(split.handler, 'forward')
  assert.match(split.shaping[0]?.text ?? '', /0 % to canary, and by header x-canary or cookie canary or group beta/)
  const canary = await explain('/when', [['x-canary', 'always']])
  assert.equal(canary.target?.url, origins['canary']?.url)
  assert.equal((await explain('/when?v=2')).target?.url, origins['next']?.url)
  assert.deepEqual((await explain('/text')).shaping, [{ key: 'respond', text: '503 with 10 bytes' }])
})
