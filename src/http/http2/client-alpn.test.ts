import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createSecureServer } from 'node:http2'
import { createServer as createHttpsServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { GatewayError } from '#base/errors'
import { makeCertificate, skipCertificates as skip } from '#base/test-certificates'
import { type ClientExchange, Pool, type UpstreamProtocol } from '../client.ts'
import { TimerWheel } from '../timer-wheel.ts'

const certificate = skip ? { cert: '', key: '' } : makeCertificate({ names: ['origin.example'] })

/** What an origin behind TLS speaks; it answers with the version of each request. */
const originFor = async (t: TestContext, speaks: 'h1' | 'h2' | 'both'): Promise<number> => {
  const answer = (request: { httpVersion: string }, response: { end(text: string): void }): void =>
    response.end(request.httpVersion)
  const server =
    speaks === 'h1'
      ? createHttpsServer(certificate, answer)
      : createSecureServer({ ...certificate, allowHTTP1: speaks === 'both' }, answer)
  server.on('sessionError', () => {})
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    ;(server as Server).closeAllConnections?.()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const poolFor = (t: TestContext, port: number, protocol: UpstreamProtocol): Pool => {
  const wheel = new TimerWheel(10)
  const pool = new Pool({
    origin: { host: '127.0.0.1', port, tls: { servername: 'origin.example', rejectUnauthorized: false } },
    protocol,
    wheel,
    idleTimeout: 5000,
    maxHead: 4096,
    maxFields: 20,
  })
  t.after(() => {
    for (const connection of pool.connections) connection.abort()
    wheel.close()
  })
  return pool
}

const send = (pool: Pool, end: (body: string) => void, fail: (error: GatewayError) => void): ClientExchange => {
  let body = ''
  return pool.request(
    {
      method: 'GET',
      target: '/',
      host: 'origin.example',
      fields: '',
      length: 0,
      body: null,
      upgrade: null,
      connectTimeout: 5000,
      responseTimeout: 5000,
      idleTimeout: 5000,
      totalTimeout: 30_000,
    },
    {
      onReady: () => {},
      onInformational: () => {},
      onResponse: () => {},
      onBodyData: chunk => {
        body += chunk.toString()
      },
      onBodyEnd: () => end(body),
      onPause: () => {},
      onDrain: () => {},
      onUpgrade: () => {},
      onError: fail,
    },
  )
}

const ask = (pool: Pool): Promise<string> => new Promise((resolve, reject) => send(pool, resolve, reject))

for (const [protocol, speaks, version] of [
  ['auto', 'both', '2.0'],
  ['auto', 'h2', '2.0'],
  ['auto', 'h1', '1.1'],
  ['h1', 'both', '1.1'],
  ['h2', 'both', '2.0'],
] as const)
  test(`${protocol} at an origin of ${speaks} is HTTP/${version}`, { skip }, async t => {
    const pool = poolFor(t, await originFor(t, speaks), protocol)
    // Before the first handshake nobody knows: all of these go the same way in the end.
    assert.deepEqual(await Promise.all([ask(pool), ask(pool), ask(pool)]), [version, version, version])
    assert.equal(await ask(pool), version)
    if (version === '2.0') assert.equal(pool.connections.size, 1)
  })

test('h2 at an origin of HTTP/1.1 alone fails, and says why', { skip }, async t => {
  const pool = poolFor(t, await originFor(t, 'h1'), 'h2')
  await assert.rejects(
    ask(pool),
    (error: GatewayError) => error.code === 'upstream-tls' || error.code === 'upstream-unreachable',
  )
})

test('a request can be given up while it is not known what the origin speaks', { skip }, async t => {
  const pool = poolFor(t, await originFor(t, 'h1'), 'auto')
  const told: string[] = []
  const exchange = send(
    pool,
    () => told.push('end'),
    () => told.push('error'),
  )
  const other = ask(pool)
  exchange.abort()
  assert.equal(await other, '1.1')
  assert.deepEqual(told, [])
})
