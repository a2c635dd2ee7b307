import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { type TestContext, test } from 'node:test'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { makeCertificate, skipCertificates as skip } from '#base/test-certificates'
import type { PeerInfo } from '../message.ts'
import { createHttpServer } from '../server.ts'
import { TimerWheel } from '../timer-wheel.ts'
import { createTlsListener, type TlsListener } from './listener.ts'
import type { TlsServerSettings } from './server-contexts.ts'

const limits = { skip, timeout: 20_000 }
const make = (...args: Parameters<typeof makeCertificate>) => (skip ? { cert: '', key: '' } : makeCertificate(...args))
const authority = make({ subject: '/CN=Test authority', authority: true })
const one = { ...make({ names: ['one.example'], by: authority }), hosts: ['one.example'] }
const two = { ...make({ names: ['two.example'], by: authority }), hosts: ['two.example'] }
const wild = {
  ...make({ names: ['*.example', '*.two.example'], by: authority }),
  hosts: ['*.example', '*.two.example'],
}
const alice = make({
  subject: '/CN=alice/O=Example',
  names: ['DNS:alice.example', 'email:a@example.com', 'URI:spiffe://example/alice'],
  by: authority,
})
const stranger = make({ subject: '/CN=alice', names: ['alice.example'] })

const plain: TlsServerSettings = {
  certificates: [one],
  minVersion: 'TLSv1.2',
  ciphers: null,
  unknownNames: 'default',
  clientCertificates: null,
  ticketKeys: null,
}

type Running = {
  listener: TlsListener
  port: number
  peers: PeerInfo[]
  connections(): number
  drain(ms: number): Promise<void>
}

const start = async (
  t: TestContext,
  settings: Partial<TlsServerSettings>,
  direct: boolean,
  requestHead = 5000,
): Promise<Running> => {
  const wheel = new TimerWheel(10)
  const peers: PeerInfo[] = []
  const server = createHttpServer({
    wheel,
    limits: { head: 65_536, headers: 100, target: 8192, connections: 100 },
    timeouts: { requestHead, idle: 5000 },
    direct,
    onExchange: exchange => {
      peers.push(exchange.peer)
      exchange.respond(200, [], `${exchange.peer.tls?.serverName} ${exchange.target}`)
    },
    onInvalid: error => ({ status: error.status, headers: [], body: error.code }),
  })
  const listener = createTlsListener(server, { ...plain, ...settings })
  const port = await listener.listen({ host: '127.0.0.1', port: 0 })
  t.after(() => {
    server.close()
    wheel.close()
  })
  return { listener, port, peers, connections: () => server.context.connections.size, drain: ms => server.drain(ms) }
}

const open = async (port: number, options: ConnectionOptions = {}): Promise<TLSSocket> => {
  const socket = connect({ host: '127.0.0.1', port, ca: authority.cert, servername: 'one.example', ...options })
  await once(socket, 'secureConnect')
  return socket
}

/** Sends a request on an open connection and reads the answer as text. */
const ask = (socket: TLSSocket, more = ''): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = ''
    socket.on('data', chunk => {
      text += chunk
      const length = /content-length: (\d+)/.exec(text)
      if (length !== null && text.length >= text.indexOf('\r\n\r\n') + 4 + Number(length[1])) resolve(text)
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('closed')))
    socket.write(`GET /a HTTP/1.1\r\nhost: one.example\r\n${more}\r\n`)
  })

const namesOf = (socket: TLSSocket): string => socket.getPeerCertificate().subjectaltname ?? ''

const failureOf = async (port: number, options: ConnectionOptions): Promise<string> => {
  const socket = connect({ host: '127.0.0.1', port, ca: authority.cert, servername: 'one.example', ...options })
  const code = await new Promise<string>(resolve => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    // With TLS 1.3 a client is done before the server has looked at its certificate.
    socket.on(
      'secureConnect',
      () =>
        void ask(socket).then(
          () => resolve('answered'),
          (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message),
        ),
    )
    socket.on('close', () => resolve('closed'))
  })
  socket.destroy()
  return code
}

for (const direct of [true, false]) {
  const way = direct ? 'direct' : 'documented'

  test(`requests over TLS are answered, and the peer is described (${way})`, limits, async t => {
    const { port, peers, connections } = await start(t, {}, direct)
    const socket = await open(port)
    assert.match(await ask(socket), /^HTTP\/1\.1 200 OK\r\n[\s\S]*one\.example \/a$/)
    assert.match(await ask(socket), / \/a$/)
    assert.equal(socket.authorized, true)
    assert.deepEqual(peers[0]?.tls, {
      version: 'TLSv1.3',
      cipher: socket.getCipher().standardName,
      serverName: 'one.example',
      resumed: false,
      clientCertificate: null,
    })
    assert.equal(peers[0]?.encrypted, true)
    assert.equal(peers[0]?.remoteAddress, '127.0.0.1')
    assert.equal(peers[0], peers[1], 'one description for a connection')
    assert.equal(connections(), 1)
    socket.destroy()
  })

  test(`ALPN: h2 before http/1.1, nothing else (${way})`, limits, async t => {
    const { port } = await start(t, {}, direct)
    for (const [offered, chosen] of [
      [['h2', 'http/1.1'], 'h2'],
      [['http/1.1', 'h2'], 'h2'],
      [['http/1.1'], 'http/1.1'],
    ] as const) {
      const socket = await open(port, { ALPNProtocols: [...offered] })
      assert.equal(socket.alpnProtocol, chosen)
      socket.destroy()
    }
    assert.match(await failureOf(port, { ALPNProtocols: ['spdy/3'] }), /ALERT_NO_APPLICATION_PROTOCOL/)
  })

  test(`a name gets its own certificate: exact before wildcard, else the default (${way})`, limits, async t => {
    const { port } = await start(t, { certificates: [one, wild, two] }, direct)
    for (const [servername, names] of [
      ['one.example', 'DNS:one.example'],
      ['TWO.example', 'DNS:two.example'],
      ['three.example', 'DNS:*.example, DNS:*.two.example'],
      ['a.two.example', 'DNS:*.example, DNS:*.two.example'],
      ['a.b.two.example', 'DNS:one.example'],
      ['elsewhere.test', 'DNS:one.example'],
      ['', 'DNS:one.example'],
    ] as const) {
      const socket = await open(port, { servername, rejectUnauthorized: false })
      assert.equal(namesOf(socket), names, servername)
      socket.destroy()
    }
  })

  test(`unknown names may be refused (${way})`, limits, async t => {
    const { port, listener } = await start(t, { unknownNames: 'refuse' }, direct)
    assert.match(await failureOf(port, { servername: 'elsewhere.test' }), /ECONNRESET|closed|ERR_SSL/)
    const socket = await open(port)
    assert.match(await ask(socket), /200 OK/)
    socket.destroy()
    assert.equal(
      [...listener.failures.values()].reduce((sum, count) => sum + count, 0),
      1,
    )
  })

  test(`versions below the least are refused, those above are served (${way})`, limits, async t => {
    const old = await start(t, {}, direct)
    assert.match(
      await failureOf(old.port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }),
      /ERR_SSL/,
    )
    const both = await open(old.port, { maxVersion: 'TLSv1.2' })
    assert.equal(both.getProtocol(), 'TLSv1.2')
    both.destroy()
    const strict = await start(t, { minVersion: 'TLSv1.3' }, direct)
    assert.match(await failureOf(strict.port, { maxVersion: 'TLSv1.2' }), /ALERT_PROTOCOL_VERSION/)
  })

  test(`new certificates are shown to new connections, old connections go on (${way})`, limits, async t => {
    const { port, listener } = await start(t, {}, direct)
    const before = await open(port)
    await ask(before)
    listener.update({ ...plain, certificates: [two] })
    const after = await open(port, { servername: 'two.example' })
    assert.equal(namesOf(after), 'DNS:two.example')
    assert.match(await ask(before), /200 OK/)
    assert.throws(() => listener.update({ ...plain, certificates: [{ ...one, key: two.key }] }))
    const still = await open(port, { servername: 'two.example' })
    assert.match(await ask(still), /200 OK/)
    for (const socket of [before, after, still]) socket.destroy()
  })

  test(`a required client certificate is asked for and verified (${way})`, limits, async t => {
    const { port, peers } = await start(t, { clientCertificates: { ca: authority.cert, mode: 'required' } }, direct)
    const socket = await open(port, { ...alice })
    assert.match(await ask(socket), /200 OK/)
    const certificate = peers[0]?.tls?.clientCertificate
    assert.equal(certificate?.subject, 'CN=alice, O=Example')
    assert.equal(certificate?.commonName, 'alice')
    assert.equal(certificate?.issuer, 'CN=Test authority')
    assert.deepEqual(certificate?.san, {
      dns: ['alice.example'],
      email: ['a@example.com'],
      uri: ['spiffe://example/alice'],
    })
    assert.match(certificate?.fingerprint256 ?? '', /^[0-9a-f]{64}$/)
    assert.equal(certificate?.notAfter, Date.UTC(2099, 11, 31, 23, 59, 59))
    assert.equal(certificate?.chain.length, 1)
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      assert.notEqual(await failureOf(port, { maxVersion }), 'answered', `without one, ${maxVersion}`)
      assert.notEqual(
        await failureOf(port, { ...stranger, maxVersion }),
        'answered',
        `with a strange one, ${maxVersion}`,
      )
    }
    assert.equal(peers.length, 1)
    socket.destroy()
  })

  test(`an optional client certificate that is not good counts as none (${way})`, limits, async t => {
    const { port, peers } = await start(t, { clientCertificates: { ca: authority.cert, mode: 'optional' } }, direct)
    for (const client of [{}, stranger, alice]) {
      const socket = await open(port, { ...client })
      assert.match(await ask(socket), /200 OK/)
      socket.destroy()
    }
    assert.deepEqual(
      peers.map(peer => peer.tls?.clientCertificate?.commonName),
      [undefined, undefined, 'alice'],
    )
  })

  test(`sessions go on with the same ticket keys only, and keep the client's identity (${way})`, limits, async t => {
    const ticketKeys = randomBytes(48)
    const name = { servername: 'one.example' }
    const clientCertificates = { ca: authority.cert, mode: 'required' } as const
    const first = await start(t, { ticketKeys, clientCertificates }, direct)
    const second = await start(t, { ticketKeys, clientCertificates }, direct)
    const third = await start(t, { ticketKeys: randomBytes(48), clientCertificates }, direct)
    const others = await start(
      t,
      { ticketKeys, clientCertificates: { ca: authority.cert + stranger.cert, mode: 'required' } },
      direct,
    )
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = connect({ host: '127.0.0.1', port: first.port, ca: authority.cert, ...name, ...alice, maxVersion })
      const session = new Promise<Buffer>(resolve => socket.once('session', resolve))
      await ask(socket)
      const resume = { session: await session, maxVersion }
      socket.destroy()
      const again = await open(second.port, { ...alice, ...resume })
      await ask(again)
      assert.equal(again.isSessionReused(), true, maxVersion)
      const peer = second.peers.at(-1)?.tls
      assert.deepEqual([peer?.resumed, peer?.clientCertificate?.commonName], [true, 'alice'])
      again.destroy()
      for (const [why, { port }] of [
        ['other keys', third],
        ['other authorities', others],
      ] as const) {
        const fresh = await open(port, { ...alice, ...resume })
        await ask(fresh)
        assert.equal(fresh.isSessionReused(), false, `${why}, ${maxVersion}`)
        fresh.destroy()
      }
    }
  })

  test(`a handshake that does not come counts as a connection and ends in time (${way})`, limits, async t => {
    const { port, listener, connections } = await start(t, {}, direct, 100)
    const silent = connectPlain(port, '127.0.0.1')
    const half = connectPlain(port, '127.0.0.1')
    half.write(Buffer.from([22, 3, 1, 0, 200, 1, 0]))
    silent.on('error', () => {})
    half.on('error', () => {})
    silent.resume()
    half.resume()
    await Promise.all([once(silent, 'close'), once(half, 'close')])
    assert.equal(listener.failures.get('ERR_TLS_HANDSHAKE_TIMEOUT'), 2)
    while (connections() > 0) await new Promise(resolve => setTimeout(resolve, 10))
  })

  test(`garbage ends its own connection and nothing else (${way})`, limits, async t => {
    const { port, connections } = await start(t, {}, direct)
    const good = await open(port)
    for (let i = 0; i < 50; i++) {
      const bad = connectPlain(port, '127.0.0.1')
      bad.on('error', () => {})
      bad.write(randomBytes(1 + i * 40))
      if (i % 2 === 0) bad.resetAndDestroy()
      else bad.end()
      bad.resume()
      await once(bad, 'close')
    }
    assert.match(await ask(good), /200 OK/)
    good.destroy()
    while (connections() > 0) await new Promise(resolve => setTimeout(resolve, 10))
  })

  test(`renegotiation is refused (${way})`, limits, async t => {
    const { port } = await start(t, {}, direct)
    const socket = await open(port, { maxVersion: 'TLSv1.2' })
    const error = await new Promise<Error | null>(resolve => {
      socket.on('error', resolve)
      socket.on('close', () => resolve(new Error('closed')))
      socket.renegotiate({ rejectUnauthorized: false }, resolve)
    })
    assert.ok(error !== null)
    socket.destroy()
  })

  test(`draining ends idle connections and handshakes, and lets answers finish (${way})`, limits, async t => {
    const { port, drain } = await start(t, {}, direct)
    const idle = await open(port)
    await ask(idle)
    const half = connectPlain(port, '127.0.0.1')
    half.on('error', () => {})
    half.resume()
    await once(half, 'connect')
    const gone = Promise.all([once(idle, 'close'), once(half, 'close')])
    idle.on('error', () => {})
    await drain(5000)
    await gone
  })
}

test('whoever speaks plain HTTP to the port is told so', limits, async t => {
  const { port, listener } = await start(t, {}, true)
  const socket = connectPlain(port, '127.0.0.1')
  let text = ''
  socket.on('data', chunk => {
    text += chunk
  })
  socket.write('GET / HTTP/1.1\r\nhost: one.example\r\n\r\n')
  await once(socket, 'close')
  assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*use https/)
  assert.equal(listener.failures.get('ERR_SSL_HTTP_REQUEST'), 1)
})
