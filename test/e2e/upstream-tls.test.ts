import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { connect, type TLSSocket } from 'node:tls'
import { makeCertificate, skipCertificates as skip } from '#base/test-certificates'
import { eventually, type Portico, startPortico } from '../harness.ts'

const limits = { skip, timeout: 60_000 }
const make = (...args: Parameters<typeof makeCertificate>) => (skip ? { cert: '', key: '' } : makeCertificate(...args))
const authority = make({ subject: '/CN=Test authority', authority: true })
const stranger = make({ subject: '/CN=Another authority', authority: true })
const inside = make({ names: ['inside.example'], by: authority })
const gateway = make({ subject: '/CN=gateway', by: authority })
const other = make({ subject: '/CN=other', by: authority })
const alice = make({ subject: '/CN=alice', names: ['URI:spiffe://example/alice'], by: authority })

const files = {
  'ca.pem': authority.cert,
  'stranger.pem': stranger.cert,
  'gateway.pem': gateway.cert,
  'gateway.key': gateway.key,
  'other.pem': other.cert,
  'other.key': other.key,
  'inside.pem': inside.cert,
  'inside.key': inside.key,
}

type Seen = { client: string; name: string; version: string; resumed: boolean; headers: Record<string, string> }

/** An origin that asks its clients for certificates and tells who called, and how. */
const startOrigin = async (t: TestContext): Promise<string> => {
  const server = createSecureServer({
    ...inside,
    ca: authority.cert,
    requestCert: true,
    rejectUnauthorized: false,
    allowHTTP1: true,
  })
  server.on('request', (request, response) => {
    const socket = (request.stream?.session?.socket ?? request.socket) as TLSSocket
    const seen: Seen = {
      client: String(socket.getPeerCertificate().subject?.CN),
      name: String(socket.servername),
      version: request.httpVersion,
      resumed: socket.isSessionReused(),
      headers: request.headers as Record<string, string>,
    }
    // A new connection for each call over HTTP/1.1.
    if (request.httpVersion === '1.1') response.setHeader('connection', 'close')
    const body = JSON.stringify(seen)
    response.setHeader('content-length', Buffer.byteLength(body))
    response.end(body)
  })
  server.on('error', () => {})
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const known = { ca: './ca.pem', serverName: 'inside.example' }
const asGateway = { ...known, cert: './gateway.pem', key: './gateway.key' }

const service = (name: string, url: string, tls: object, more: object = {}) => ({
  name,
  upstream: { targets: [{ url }], tls, retry: { attempts: 0 }, ...more },
  routes: [{ path: `/${name}` }],
})

const start = async (t: TestContext, services: object[], more: object = {}, args: string[] = []): Promise<Portico> => {
  const portico = await startPortico({ config: { version: 1, services, ...more }, files, args })
  t.after(() => portico.stop())
  return portico
}

const ask = async (portico: Portico, path: string): Promise<{ status: number; text: string; seen: Seen }> => {
  const response = await fetch(`http://127.0.0.1:${portico.gatewayPort}${path}`)
  const text = await response.text()
  return { status: response.status, text, seen: response.status === 200 ? JSON.parse(text) : null }
}

test(
  'an upstream is called with its own authority, name and client certificate; sessions are resumed',
  limits,
  async t => {
    const url = await startOrigin(t)
    const portico = await start(t, [
      service('h1', url, asGateway, { protocol: 'h1' }),
      service('auto', url, asGateway),
      service('other', url, { ...known, cert: './other.pem', key: './other.key' }, { protocol: 'h1' }),
      service('nobody', url, known, { protocol: 'h1' }),
    ])
    const first = await ask(portico, '/h1')
    assert.deepEqual(
      [first.seen.client, first.seen.name, first.seen.version, first.seen.resumed],
      ['gateway', 'inside.example', '1.1', false],
    )
    assert.equal((await ask(portico, '/h1')).seen.resumed, true)
    const auto = (await ask(portico, '/auto')).seen
    assert.deepEqual([auto.client, auto.version], ['gateway', '2.0'])
    // The same address, other credentials: neither connections nor sessions are shared.
    for (const [name, client] of [
      ['other', 'other'],
      ['nobody', 'undefined'],
      ['h1', 'gateway'],
    ] as const)
      assert.equal((await ask(portico, `/${name}`)).seen.client, client)
  },
)

test('what cannot be verified is not called: the caller hears upstream-tls, the log hears why', limits, async t => {
  const url = await startOrigin(t)
  const portico = await start(t, [
    service('authority', url, { ...known, ca: './stranger.pem' }),
    service('name', url, { ca: './ca.pem', serverName: 'outside.example' }),
    service('usual', url, {}),
    service('careless', url, { verify: false }),
  ])
  for (const name of ['authority', 'name', 'usual']) {
    const { status, text } = await ask(portico, `/${name}`)
    assert.equal(status, 502)
    assert.equal(JSON.parse(text).code, 'upstream-tls')
    assert.doesNotMatch(text, /inside\.example|127\.0\.0\.1|CERT|signed/)
  }
  assert.equal((await ask(portico, '/careless')).status, 200)
  const reason = (pattern: RegExp) =>
    eventually(async () => (pattern.test(portico.output()) ? true : null), `${pattern} in the log`)
  await reason(/A TLS connection to a target failed.*(UNABLE_TO_VERIFY|SELF_SIGNED)/)
  await reason(/A TLS connection to a target failed.*ERR_TLS_CERT_ALTNAME_INVALID/)
})

test('the identity of a client is a consumer and reaches the service, and cannot be made up', limits, async t => {
  const url = await startOrigin(t)
  const mtls = { by: 'uri', consumers: { 'spiffe://example/alice': 'alice' }, forward: 'chain' }
  const portico = await start(
    t,
    [
      { ...service('locked', url, known), policies: { 'mtls-auth': mtls } },
      { ...service('open', url, known), policies: { 'mtls-auth': { ...mtls, optional: true } } },
    ],
    {
      consumers: [{ name: 'alice' }],
      settings: {
        tls: {
          certificates: [{ cert: './inside.pem', key: './inside.key' }],
          clientCertificates: { ca: './ca.pem', mode: 'optional' },
        },
      },
    },
    ['--gateway-tls', '127.0.0.1:0'],
  )
  const call = async (path: string, credentials: object): Promise<string> => {
    const port = portico.gatewayTlsPort
    const socket = connect({
      host: '127.0.0.1',
      port,
      ca: authority.cert,
      servername: 'inside.example',
      ...credentials,
    })
    const forged = 'Client-Cert: :Zm9yZ2Vk:\r\nClient_Cert: :Zm9yZ2Vk:\r\nClient-Cert-Chain: :Zm9yZ2Vk:\r\n'
    socket.write(`GET ${path} HTTP/1.1\r\nhost: inside.example\r\n${forged}connection: close\r\n\r\n`)
    let text = ''
    for await (const chunk of socket) text += chunk
    return text
  }
  const good = await call('/locked', alice)
  assert.match(good, /^HTTP\/1\.1 200 /)
  const { headers } = JSON.parse(good.slice(good.indexOf('\r\n\r\n') + 4)) as Seen
  const der = (pem: string): string => pem.replace(/-----[^-]+-----|\s/g, '')
  assert.equal(headers['client-cert'], `:${der(alice.cert)}:`)
  assert.equal(headers['client-cert-chain'], `:${der(authority.cert)}:`)
  assert.equal(headers['x-consumer'], 'alice')
  assert.match(await call('/locked', {}), /^HTTP\/1\.1 403 [\s\S]*client-certificate-missing/)
  assert.match(await call('/locked', gateway), /^HTTP\/1\.1 403 [\s\S]*client-certificate-refused/)
  const open = await call('/open', {})
  assert.match(open, /^HTTP\/1\.1 200 /)
  assert.doesNotMatch(open, /client[-_]cert|Zm9yZ2Vk/)
  assert.equal((await ask(portico, '/locked')).status, 403)
})

test(
  'active checks are made with the TLS of the upstream: its authority, its certificate, its name',
  limits,
  async t => {
    const url = await startOrigin(t)
    const health = { active: { interval: '20ms', timeout: '5s', unhealthyAfter: 2 } }
    const portico = await start(t, [
      service('good', url, asGateway, { health }),
      service('stranger', url, { ca: './stranger.pem', serverName: 'inside.example' }, { health }),
      service('strange-name', url, { ca: './ca.pem', serverName: 'outside.example' }, { health, protocol: 'h1' }),
    ])
    type Page = { items: { name: string; targets: { health: string; checks: number }[] }[] }
    const wanted = 'good healthy, strange-name unhealthy, stranger unhealthy'
    await eventually(async () => {
      const { items } = (await portico.console('/api/upstreams')).body as Page
      const checked = items.every(({ targets }) => targets.every(({ checks }) => checks > 3))
      const states = items.map(({ name, targets }) => `${name} ${targets.map(target => target.health).join()}`)
      return checked && states.join(', ') === wanted ? true : null
    }, wanted)
  },
)
