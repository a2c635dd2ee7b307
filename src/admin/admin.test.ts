import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { GatewayError } from '#base/errors'
import { createHttpServer, type HttpServer } from '#http/server'
import { TimerWheel } from '#http/timer-wheel'
import type { CallStore } from '#storage/calls'
import { batchOf, idAt, sampleCall } from '#storage/calls-contract'
import { openSqliteCalls } from '#storage/drivers/sqlite-calls'
import { type AdminOptions, createAdmin, type ExplainInput } from './admin.ts'

const token = 'a-token-for-tests'
const time = Date.parse('2026-01-31T12:00:00.000Z')
const folder = mkdtempSync(join(tmpdir(), 'portico-admin-'))

type Reply = { status: number; headers: Record<string, string | string[] | undefined>; body: string }
type Ask = { method?: string; token?: string | null; headers?: Record<string, string>; body?: string }

let port = 0
let readiness: 'starting' | 'ready' | 'draining' = 'ready'
let explained: ExplainInput | null = null
const logged: string[] = []
let server: HttpServer
let wheel: TimerWheel
let store: CallStore
let answering: CallStore

const options: AdminOptions = {
  token,
  calls: {
    insert: (batch, rows) => answering.insert(batch, rows),
    query: (filter, page) => answering.query(filter, page),
    get: id => answering.get(id),
    stats: () => answering.stats(),
    close: () => answering.close(),
  },
  status: async () => ({ snapshot: { revision: 7 } }),
  metrics: async () => 'portico_connections 1\n',
  explain: async input => {
    explained = input
    if (input.url === '/bug') throw new Error('a bug with secrets in its text')
    if (input.url === 'nonsense') throw new GatewayError('bad-request', { detail: 'no such URL' })
    return { route: 'orders' }
  },
  upstreams: async query => ({ items: [query], nextCursor: null }),
  readiness: () => readiness,
  log: message => logged.push(message),
}

const ask = (path: string, { method = 'GET', token: own = token, headers = {}, body }: Ask = {}): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const outgoing = request(
      {
        port,
        host: '127.0.0.1',
        path,
        method,
        headers: { ...(own && { authorization: `Bearer ${own}` }), ...headers },
      },
      incoming => {
        const chunks: Buffer[] = []
        incoming.on('data', chunk => chunks.push(chunk))
        incoming.on('end', () =>
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        )
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })

const askJson = async (path: string, more: Ask = {}) => JSON.parse((await ask(path, more)).body)

/** A refusal must be problem details with all members, and say the same thing in status line and body. */
const expectProblem = async (path: string, status: number, code: string, more: Ask = {}): Promise<Reply> => {
  const reply = await ask(path, more)
  assert.equal(reply.status, status, `${path}: ${reply.body}`)
  assert.equal(reply.headers['content-type'], 'application/problem+json')
  const problem = JSON.parse(reply.body)
  assert.deepEqual(Object.keys(problem), ['type', 'title', 'status', 'detail', 'instance', 'code', 'requestId'])
  assert.deepEqual([problem.status, problem.code], [status, code])
  assert.equal(problem.requestId, reply.headers['x-request-id'])
  assert.equal(problem.instance, path.split('?')[0])
  return reply
}

before(async () => {
  store = answering = openSqliteCalls({ folder, keep: 10_000 })
  await store.insert(
    batchOf(
      Array.from({ length: 120 }, (_, i) =>
        sampleCall({
          requestId: idAt(time + i * 1000, i),
          startedAt: time + i * 1000,
          service: i % 2 === 0 ? 'orders' : 'users',
          status: i % 10 === 0 ? 502 : 200,
        }),
      ),
    ),
    120,
  )
  wheel = new TimerWheel()
  server = createHttpServer({
    wheel,
    limits: { head: 65_536, headers: 128, target: 16_384, connections: 100 },
    timeouts: { requestHead: 10_000, idle: 60_000 },
    onExchange: createAdmin(options),
    onInvalid: error => ({ status: error.status, headers: [], body: '' }),
  })
  port = await server.listen({ host: '127.0.0.1', port: 0 })
})

after(async () => {
  server.close()
  wheel.close()
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('admin API: access', () => {
  const guarded = [
    '/api/status',
    '/api/calls',
    '/api/calls/x',
    '/api/openapi.json',
    '/metrics',
    '/api',
    '/api/',
    '/api/no',
  ]

  it('refuses everything but health and start page without the token', async () => {
    for (const path of guarded) {
      const { headers } = await expectProblem(path, 401, 'missing-credentials', { token: null })
      assert.match(String(headers['www-authenticate']), /^Bearer realm="/)
    }
    await expectProblem('/api/explain', 401, 'missing-credentials', { token: null, method: 'POST', body: '{}' })
    await expectProblem('/api/status', 401, 'missing-credentials', { token: null, method: 'DELETE' })
  })

  it('refuses a wrong token in whatever form', async () => {
    const wrong = ['x', `${token}x`, token.slice(1), token.toUpperCase(), 'x'.repeat(5000)]
    for (const presented of wrong) {
      const { headers, body } = await expectProblem('/api/status', 401, 'invalid-credentials', { token: presented })
      assert.match(String(headers['www-authenticate']), /error="invalid_token"/)
      assert.ok(!body.includes(token))
    }
    for (const authorization of [`Basic ${token}`, token, 'Bearer', 'Bearer ', `Bearer ${token} ${token}`]) {
      await expectProblem('/api/status', 401, 'invalid-credentials', { token: null, headers: { authorization } })
    }
    const inQuery = await ask(`/api/status?token=${token}&access_token=${token}`, { token: null })
    assert.equal(inQuery.status, 401)
  })

  it('takes the token whatever the case of the scheme', async () => {
    assert.equal((await ask('/api/status', { token: null, headers: { authorization: `bearer ${token}` } })).status, 200)
  })

  it('tells health without a token', async () => {
    assert.deepEqual(await askJson('/api/health/live', { token: null }), { status: 'live' })
    assert.deepEqual(await askJson('/api/health/ready', { token: null }), { status: 'ready' })
    for (const state of ['starting', 'draining'] as const) {
      readiness = state
      const answer = await ask('/api/health/ready', { token: null })
      assert.deepEqual([answer.status, JSON.parse(answer.body)], [503, { status: state }])
      assert.equal((await ask('/api/health/live', { token: null })).status, 200)
    }
    readiness = 'ready'
  })

  it('sends a request id and headers that forbid to keep, guess or frame the answer', async () => {
    for (const path of ['/', '/api/health/live', '/api/status', '/api/calls', '/metrics', '/nowhere']) {
      const { headers } = await ask(path)
      assert.match(String(headers['x-request-id']), /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
      assert.equal(headers['x-content-type-options'], 'nosniff')
      assert.equal(headers['cache-control'], 'no-store')
      assert.match(String(headers['content-security-policy']), /default-src 'none'.*frame-ancestors 'none'/)
    }
  })
})

describe('admin API: paths and methods', () => {
  it('answers 404 for what there is not', async () => {
    for (const path of [
      '/api/nothing',
      '/api/calls/',
      '/api/calls/a/b',
      '/api/calls/%ff',
      '/portal',
      '/index.html',
      '//',
    ]) {
      await expectProblem(path, 404, 'not-found')
    }
  })

  it('answers 405 with Allow', async () => {
    const reply = await expectProblem('/api/calls', 405, 'method-not-allowed', { method: 'DELETE' })
    assert.equal(reply.headers['allow'], 'GET, HEAD')
    assert.equal((await ask('/api/explain')).headers['allow'], 'POST')
    assert.equal((await ask('/', { method: 'POST', token: null })).status, 405)
  })

  it('answers HEAD like GET, without the body', async () => {
    for (const path of ['/', '/api/status', '/api/health/live']) {
      const [head, get] = [await ask(path, { method: 'HEAD' }), await ask(path)]
      assert.equal(head.status, 200)
      assert.equal(head.body, '')
      assert.equal(head.headers['content-length'], get.headers['content-length'])
    }
  })
})

describe('admin API: state', () => {
  it('gives status and metrics of the program', async () => {
    assert.deepEqual(await askJson('/api/status'), { snapshot: { revision: 7 } })
    assert.deepEqual(await askJson('/api/upstreams?name=orders&limit=7&cursor=a'), {
      items: [{ name: 'orders', after: 'a', limit: 7 }],
      nextCursor: null,
    })
    for (const query of ['limit=0', 'limit=1001', 'limit=x', 'named=a', 'name=a&name=b', `name=${'a'.repeat(300)}`])
      await expectProblem(`/api/upstreams?${query}`, 400, 'invalid-parameter')
    const metrics = await ask('/metrics')
    assert.match(String(metrics.headers['content-type']), /^text\/plain; version=0\.0\.4/)
    assert.equal(metrics.body, 'portico_connections 1\n')
  })

  it('explains a request', async () => {
    const body = JSON.stringify({ method: 'GET', url: '/orders/7', headers: [['X-Version', '2']] })
    assert.deepEqual(await askJson('/api/explain', { method: 'POST', body }), { route: 'orders' })
    assert.deepEqual(explained, { method: 'GET', url: '/orders/7', headers: [['x-version', '2']] })
    await askJson('/api/explain', { method: 'POST', body: '{"method":"GET","url":"/"}' })
    assert.deepEqual(explained?.headers, [])
  })

  it('says what is wrong with a body', async () => {
    const wrong: [string, RegExp][] = [
      ['', /not valid JSON/],
      ['{', /not valid JSON/],
      ['\xff\xfe', /./],
      ['[]', /body/i],
      ['{"method":"GET"}', /url/],
      ['{"method":"G T","url":"/"}', /method/],
      ['{"method":"GET","url":"/","headers":[["a"]]}', /headers\.0/],
      ['{"method":"GET","url":"/","extra":1}', /extra/],
    ]
    for (const [body, detail] of wrong) {
      const reply = await expectProblem('/api/explain', 400, 'invalid-body', { method: 'POST', body })
      assert.match(JSON.parse(reply.body).detail, detail)
    }
  })

  it('refuses a body above 64 kB, announced or not', async () => {
    const body = JSON.stringify({ method: 'GET', url: '/', headers: [['a', 'x'.repeat(70_000)]] })
    await expectProblem('/api/explain', 413, 'body-too-large', { method: 'POST', body })
    const headers = { 'transfer-encoding': 'chunked' }
    await expectProblem('/api/explain', 413, 'body-too-large', { method: 'POST', body, headers })
  })

  it('passes on a refusal of explain, and hides a bug', async () => {
    const wrong = await expectProblem('/api/explain', 400, 'bad-request', {
      method: 'POST',
      body: '{"method":"GET","url":"nonsense"}',
    })
    assert.match(wrong.body, /no such URL/)
    logged.length = 0
    const bug = await expectProblem('/api/explain', 500, 'internal', {
      method: 'POST',
      body: '{"method":"GET","url":"/bug"}',
    })
    assert.doesNotMatch(bug.body, /secrets/)
    assert.equal(logged.length, 1)
    assert.match(logged[0] as string, /POST \/api\/explain failed .*a bug with secrets/)
  })

  it('survives a client that leaves in the middle of its body', async () => {
    const socket = connect(port, '127.0.0.1')
    socket.write(
      `POST /api/explain HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: 100\r\n\r\n{"method`,
    )
    await new Promise(resolve => socket.once('connect', resolve))
    socket.destroy()
    assert.equal((await ask('/api/health/live')).status, 200)
  })
})

describe('admin API: calls', () => {
  it('lists the newest calls first, 50 unless told otherwise', async () => {
    const { items, nextCursor } = await askJson('/api/calls')
    assert.equal(items.length, 50)
    assert.equal(typeof nextCursor, 'string')
    assert.equal(items[0].requestId, idAt(time + 119_000, 119))
    assert.equal(items[0].startedAt, '2026-01-31T12:01:59.000Z')
    const { startedAt: _, ...rest } = items[0]
    const { startedAt: __, ...expected } = sampleCall({ requestId: items[0].requestId, service: 'users' })
    assert.deepEqual(rest, expected)
  })

  it('gives all pages by cursor', async () => {
    const seen: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: { items: { requestId: string }[]; nextCursor: string | null } = await askJson(
        `/api/calls?limit=33&cursor=${encodeURIComponent(cursor)}`,
      )
      seen.push(...page.items.map(item => item.requestId))
      cursor = page.nextCursor
    }
    assert.equal(seen.length, 120)
    assert.equal(new Set(seen).size, 120)
  })

  it('filters', async () => {
    const count = async (query: string): Promise<number> =>
      (await askJson(`/api/calls?limit=1000&${query}`)).items.length
    assert.equal(await count('service=orders'), 60)
    assert.equal(await count('status=5xx'), 12)
    assert.equal(await count('status=error&service=users'), 0)
    assert.equal(await count('consumer=nobody'), 0)
    assert.equal(await count('route=%2Forders%2F%7Bid%7D&method=GET&q=ORDERS'), 120)
    assert.equal(await count(`from=${time + 10_000}&to=${time + 20_000}`), 10)
    assert.equal(await count('from=2026-01-31T12:01:00Z'), 60)
    assert.equal(await count('from=2026-01-31T13:01:00+01:00'), 60)
    assert.equal(await count('from=2026-01-31T12:01:00'), 60, 'UTC where no zone is written')
    assert.equal(await count('to=2026-01-31'), 0)
    assert.equal(await count('service=&status='), 120, 'empty is as good as absent')
  })

  it('names the parameter that is wrong', async () => {
    const wrong: [string, string][] = [
      ['limit', 'limit=0'],
      ['limit', 'limit=1001'],
      ['limit', 'limit=ten'],
      ['limit', 'limit=-1'],
      ['limit', 'limit=1.5'],
      ['status', 'status=abc'],
      ['status', 'status=6'],
      ['from', 'from=yesterday'],
      ['from', 'from=2026-02-31T99:00:00Z'],
      ['to', 'to=-5'],
      ['cursor', 'cursor=forged'],
      ['service', `service=${'x'.repeat(2000)}`],
      ['service', 'service=a&service=b'],
      ['servce', 'servce=orders'],
    ]
    for (const [name, query] of wrong) {
      const { body } = await expectProblem(`/api/calls?${query}`, 400, 'invalid-parameter')
      assert.match(JSON.parse(body).detail, new RegExp(`"${name}"`))
    }
  })

  it('shows one call', async () => {
    const id = idAt(time + 5000, 5)
    const call = await askJson(`/api/calls/${id}`)
    assert.deepEqual([call.requestId, call.startedAt], [id, '2026-01-31T12:00:05.000Z'])
    await expectProblem(`/api/calls/${idAt(time, 77)}`, 404, 'not-found')
  })

  it('answers 503 and goes on when the call log cannot answer', async () => {
    const broken = new Error('disk full')
    answering = {
      insert: () => Promise.reject(broken),
      query: () => Promise.reject(broken),
      get: () => Promise.reject(broken),
      stats: () => Promise.reject(broken),
      close: async () => {},
    }
    const list = await expectProblem('/api/calls', 503, 'overloaded')
    assert.ok(list.headers['retry-after'])
    assert.doesNotMatch(list.body, /disk full/)
    await expectProblem('/api/calls/x', 503, 'overloaded')
    assert.equal((await ask('/api/status')).status, 200)
    answering = store
    assert.equal((await ask('/api/calls')).status, 200)
  })
})

describe('start page', () => {
  it('is one page without foreign resources, whose own blocks the policy allows', async () => {
    const { status, headers, body } = await ask('/', { token: null })
    assert.equal(status, 200)
    assert.match(String(headers['content-type']), /^text\/html/)
    assert.match(body, /Portico is running/)
    for (const path of ['/api/health/live', '/api/health/ready', '/api/status', '/metrics', '/api/openapi.json']) {
      assert.ok(body.includes(`"${path}"`), path)
    }
    assert.doesNotMatch(body, /https?:\/\/|<link|<img|src=|style=|onclick=|innerHTML/)
    const policy = String(headers['content-security-policy'])
    assert.match(policy, /script-src 'sha256-[^']{43}='; style-src 'sha256-[^']{43}='/)
    assert.doesNotMatch(policy, /unsafe/)
  })
})
