import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { eventually, type Portico, rawClient, root, startPortico } from '../harness.ts'

type Item = Record<string, unknown> & { requestId: string; path: string; status: number; startedAt: string }

const folder = mkdtempSync(join(tmpdir(), 'portico-call-log-'))
const accessLog = join(folder, 'access.log')

let origin: Server
let portico: Portico
let config: object

const call = (path: string, headers: Record<string, string> = {}, init: RequestInit = {}): Promise<Response> =>
  fetch(`http://127.0.0.1:${portico.gatewayPort}${path}`, { headers: { 'x-api-key': 'k1', ...headers }, ...init })

const list = async (query = ''): Promise<Item[]> =>
  ((await portico.console(`/api/calls${query}`)).body as { items: Item[] }).items

/** The interface promises a call in the log within two seconds after its end. */
const logged = (query: string, matches: (item: Item) => boolean = () => true): Promise<Item> =>
  eventually(async () => (await list(query)).find(matches) ?? null, `a call for ${query}`, 2000)

before(async () => {
  origin = createServer((request, response) => {
    if (request.url?.startsWith('/orders/never')) return
    response.end('hello')
  })
  await new Promise<void>(resolve => origin.listen(0, '127.0.0.1', resolve))
  const target = { url: `http://127.0.0.1:${(origin.address() as AddressInfo).port}` }
  config = {
    version: 1,
    settings: { accessLog, timeouts: { drain: '1s' } },
    services: [
      {
        name: 'orders',
        upstream: { targets: [target] },
        routes: [{ path: '/orders/{id}', methods: ['GET', 'POST'] }],
        policies: { 'key-auth': {} },
      },
      {
        name: 'gone',
        upstream: { targets: [{ url: 'http://127.0.0.1:1' }], retry: { attempts: 0 } },
        routes: [{ path: '/gone' }],
      },
    ],
    consumers: [{ name: 'alice', keys: [{ secret: 'k1' }] }],
  }
  portico = await startPortico({ config, workers: 2 })
})

after(async () => {
  await portico.stop()
  origin.closeAllConnections()
  origin.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('call log of the running program', () => {
  it('holds a call with all its fields, under the id that the response carried', async () => {
    const response = await call('/orders/7?secret=1')
    assert.equal(await response.text(), 'hello')
    const id = response.headers.get('x-request-id') as string
    const item = await eventually(
      async () => {
        const answer = await portico.console(`/api/calls/${id}`)
        return answer.status === 200 ? (answer.body as Item) : null
      },
      'the call by its id',
      2000,
    )
    const { service, route, consumer, method, path, status, clientAddress, errorCode, retries } = item
    assert.deepEqual(
      { service, route, consumer, method, path, status, clientAddress, errorCode, retries },
      {
        service: 'orders',
        route: '/orders/{id}',
        consumer: 'alice',
        method: 'GET',
        path: '/orders/7',
        status: 200,
        clientAddress: '127.0.0.1',
        errorCode: '',
        retries: 0,
      },
    )
    assert.ok((item['durationMs'] as number) >= (item['upstreamMs'] as number))
    assert.ok((item['bytesIn'] as number) > 0 && (item['bytesOut'] as number) > 0)
    assert.match(item['traceId'] as string, /^[0-9a-f]{32}$/)
    assert.doesNotMatch(JSON.stringify(item), /secret|k1/)
  })

  it('holds refused, failed, broken and abandoned calls too', async () => {
    await call('/orders/1', { 'x-api-key': 'wrong' })
    await call('/nowhere')
    await call('/orders/1', {}, { method: 'DELETE' })
    await call('/gone')
    const client = await rawClient(portico.gatewayPort)
    client.send('GET /orders/1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n')
    const leaving = new AbortController()
    const never = call('/orders/never', {}, { signal: leaving.signal }).catch(() => null)
    const [request] = (await once(origin, 'request')) as [IncomingMessage]
    assert.equal(request.url, '/orders/never')
    leaving.abort()
    await never

    const expected: [string, number, string, string][] = [
      ['status=401', 401, 'invalid-credentials', 'client'],
      ['status=404', 404, 'no-route', 'client'],
      ['status=405', 405, 'method-not-allowed', 'client'],
      ['service=gone', 502, 'upstream-unreachable', 'upstream'],
      ['status=400', 400, 'bad-request', 'client'],
      ['q=never', 499, 'client-closed', 'client'],
    ]
    for (const [query, status, code, source] of expected) {
      const item = await logged(`?${query}`)
      assert.deepEqual([item.status, item['errorCode'], item['errorSource']], [status, code, source], query)
    }
  })

  it('is counted in the metrics and written to the access log', async () => {
    const response = await call('/orders/counted')
    await response.text()
    const id = response.headers.get('x-request-id') as string
    await eventually(async () => (readFileSync(accessLog, 'utf8').includes(id) ? true : null), 'the access log', 2000)
    const lines = readFileSync(accessLog, 'utf8').split('\n').slice(0, -1)
    const line = lines.map(text => JSON.parse(text)).find(entry => entry.requestId === id)
    assert.deepEqual([line.path, line.status, line.consumer], ['/orders/counted', 200, 'alice'])
    const metrics = (await portico.console('/metrics')).body as string
    assert.match(metrics, /portico_requests_total\{service="orders",route="\/orders\/\{id\}",method="GET",status="200"/)
    assert.match(metrics, /^portico_calls_dropped_total 0$/m)
    assert.doesNotMatch(metrics, /counted/)
  })

  it('is shown by portico calls', async () => {
    const response = await call('/orders/shown')
    await response.text()
    const id = response.headers.get('x-request-id') as string
    await logged('?q=shown')
    const run = (...args: string[]): Promise<string> =>
      new Promise((resolve, reject) => {
        const console = `127.0.0.1:${portico.consolePort}`
        const flags = ['--console', console, '--admin-token', portico.token]
        execFile(process.execPath, [join(root, 'src/main.ts'), 'calls', ...flags, ...args], (error, stdout, stderr) =>
          error ? reject(new Error(stderr)) : resolve(stdout),
        )
      })
    assert.match(await run('--service', 'orders'), /200 +GET +\/orders\/shown +orders +alice/)
    assert.match(await run('--id', id), new RegExp(`requestId +${id}`))
    await assert.rejects(run('--id', 'no-such-id'), /no call with this request id/)
  })

  it('survives the death of the program', async () => {
    await (await call('/orders/before-the-end')).text()
    const before = await logged('?q=before-the-end')
    portico.signal('SIGKILL')
    await portico.exited
    // Its data folder goes away with `stop`, so that comes last.
    const dead = portico
    portico = await startPortico({ config, args: ['--data', dead.dataFolder] })
    assert.equal((await logged('?q=before-the-end')).requestId, before.requestId)
    await dead.stop()
  })
})
