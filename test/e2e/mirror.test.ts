import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import {
  answerEach,
  eventually,
  headerOf,
  ok,
  type Portico,
  type RequestMessage,
  rawCall,
  type ScriptedOrigin,
  scriptedOrigin,
  startPortico,
} from '../harness.ts'

let portico: Portico
let real: ScriptedOrigin
let shadow: ScriptedOrigin
/** The other end of the mirror answers this; null holds its answers back. */
let shadowAnswer: ((request: RequestMessage) => string) | null = () => ok('the same')
let released: (() => void)[] = []

before(async () => {
  real = await scriptedOrigin(answerEach(() => ok('the same')))
  shadow = await scriptedOrigin(async connection => {
    for (let request = await connection.readRequest(); request !== null; request = await connection.readRequest()) {
      if (shadowAnswer === null) await new Promise<void>(resolve => released.push(resolve))
      connection.send(shadowAnswer?.(request) ?? ok('late'))
    }
  })
  portico = await startPortico({
    config: {
      version: 1,
      settings: { timeouts: { drain: '2s' } },
      services: [
        {
          name: 'main',
          upstream: { targets: [{ url: real.url }], retry: { attempts: 0 }, headers: { authorization: 'real' } },
          upstreams: {
            shadow: { targets: [{ url: `${shadow.url}/shadow` }], headers: { authorization: 'shadow' } },
            gone: { targets: [{ url: 'http://127.0.0.1:1' }] },
          },
          routes: [
            { path: '/compare', mirror: { upstream: 'shadow', compare: true, headers: ['x-version'], maxBody: '1kb' } },
            { path: '/copy', mirror: { upstream: 'shadow', maxBody: '1kb' }, stripPrefix: '/copy' },
            { path: '/some', mirror: { upstream: 'shadow', percent: 25 } },
            { path: '/few', mirror: { upstream: 'shadow', concurrency: 1 } },
            { path: '/impatient', mirror: { upstream: 'shadow', timeout: '50ms' } },
            { path: '/gone', mirror: { upstream: 'gone' } },
          ],
        },
      ],
    },
  })
})
after(async () => {
  await portico?.stop()
  await real?.stop()
  await shadow?.stop()
})

const call = (path: string, body: string | null = null, more = '') =>
  rawCall(
    portico.gatewayPort,
    `${body === null ? 'GET' : 'POST'} ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${more}${
      body === null ? '\r\n' : `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
    }`,
  )

const counts = async (): Promise<Record<string, number>> => {
  const { body } = await portico.console('/metrics')
  const found = String(body).matchAll(/^portico_mirror_total\{result="(\w+)"\} (\d+)$/gm)
  return Object.fromEntries([...found].map(([, result, count]) => [result as string, Number(count)]))
}

/** Waits until the counts rose by this and no more than this. */
const rise = async (work: () => Promise<unknown>, expected: Record<string, number>): Promise<void> => {
  const before = await counts()
  await work()
  const changes = async () => {
    const now = await counts()
    return Object.fromEntries(
      Object.keys(now).flatMap(key => {
        const change = (now[key] ?? 0) - (before[key] ?? 0)
        return change === 0 ? [] : [[key, change]]
      }),
    )
  }
  const sum = (of: Record<string, number>) => Object.values(of).reduce((total, one) => total + one, 0)
  const found = await eventually(
    async () => {
      const now = await changes()
      return sum(now) >= sum(expected) ? now : null
    },
    `the mirror to count ${JSON.stringify(expected)}`,
  )
  assert.deepEqual(found, expected)
}

test('a copy of the call goes to the shadow, with its body, path and query, and the fields of its own upstream', async () => {
  await rise(
    async () => {
      const response = await call('/copy/a?b=1', 'hello', 'x-custom: 7\r\n')
      assert.equal(response.body.toString(), 'the same')
    },
    { answered: 1 },
  )
  const copy = shadow.requests.at(-1) as RequestMessage
  const original = real.requests.at(-1) as RequestMessage
  assert.equal(copy.method, 'POST')
  assert.equal(copy.target, '/shadow/a?b=1')
  assert.equal(copy.body.toString(), 'hello')
  assert.equal(headerOf(copy, 'x-custom'), '7')
  assert.equal(headerOf(copy, 'x-request-id'), headerOf(original, 'x-request-id'))
  assert.equal(headerOf(copy, 'authorization'), 'shadow')
  assert.equal(headerOf(original, 'authorization'), 'real')
  assert.equal(headerOf(original, 'content-length'), '5', 'the call itself keeps its length')
})

test('answers are compared by status, chosen headers and body', async () => {
  await rise(() => call('/compare'), { same: 1 })
  await rise(() => call('/compare', 'a body'), { same: 1 })
  const different: [RequestMessage | string, RegExp][] = [
    [ok('something else'), /differently: body \(/],
    ['HTTP/1.1 500 No\r\ncontent-length: 8\r\n\r\nthe same', /differently: status 200 and 500 \(/],
    ['HTTP/1.1 200 OK\r\nx-version: 2\r\ncontent-length: 8\r\n\r\nthe same', /differently: header x-version \(/],
  ]
  for (const [answer, line] of different) {
    shadowAnswer = () => answer as string
    const response = await call('/compare', null).then(async first => {
      await eventually(async () => (line.test(portico.output()) ? true : null), `a line that says ${line}`)
      return first
    })
    assert.equal(response.body.toString(), 'the same')
    const id = headerOf(response, 'x-request-id') as string
    assert.ok(portico.output().includes(`request ${id}`), 'the line names the request')
  }
  shadowAnswer = () => 'HTTP/1.1 200 OK\r\nx-other: 2\r\ncontent-length: 8\r\n\r\nthe same'
  await rise(() => call('/compare'), { same: 1 })
  shadowAnswer = () => ok('the same')
})

test('a body above the bound goes to the service whole and to the mirror not at all', async () => {
  const large = 'x'.repeat(1025)
  const before = shadow.requests.length
  await rise(() => call('/copy/large', large), { skipped: 1 })
  const chunked = `transfer-encoding: chunked\r\n\r\n401\r\n${large}\r\n0\r\n\r\n`
  await rise(
    () => rawCall(portico.gatewayPort, `POST /copy/chunked HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${chunked}`),
    { skipped: 1 },
  )
  const digest = (text: string | Buffer) => createHash('sha256').update(text).digest('hex')
  for (const request of real.requests.slice(-2)) assert.equal(digest(request.body), digest(large))
  assert.equal(shadow.requests.length, before)
})

test('a mirror that does not answer holds nobody up, and only so many copies wait', async () => {
  shadowAnswer = null
  await rise(
    async () => {
      for (let i = 0; i < 3; i++) assert.equal((await call('/few')).status, 200)
    },
    { skipped: 2 },
  )
  await eventually(async () => (released.length === 1 ? true : null), 'the copy at the shadow')
  shadowAnswer = () => ok('the same')
  await rise(
    async () => {
      for (const release of released) release()
      released = []
    },
    { answered: 1 },
  )
})

test('a mirror that fails, or takes too long, is counted and not seen by the caller', async () => {
  await rise(async () => assert.equal((await call('/gone', 'a')).status, 200), { failed: 1 })
  shadowAnswer = null
  await rise(async () => assert.equal((await call('/impatient')).status, 200), { failed: 1 })
  shadowAnswer = () => ok('the same')
  for (const release of released) release()
  released = []
})

test('a share of the calls is copied, exactly', async () => {
  await rise(
    async () => {
      for (let i = 0; i < 12; i++) await call('/some')
    },
    { answered: 3 },
  )
})
