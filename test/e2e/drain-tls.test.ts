import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:http2'
import { Agent, get } from 'node:https'
import { test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { makeCertificate, skipCertificates as skip } from '#base/test-certificates'
import { eventually, oneService, type Portico, startPortico, within } from '../harness.ts'
import { closed, echo, openSocket, type SocketOrigin, socketOrigin } from './socket-origin.ts'

const { cert, key } = skip ? { cert: '', key: '' } : makeCertificate({ names: ['a.test', 'IP:127.0.0.1'] })

const start = (origin: SocketOrigin, drainDelay = '0s'): Promise<Portico> => {
  const tls = { certificates: [{ cert: './a.pem', key: './a.key' }] }
  return startPortico({
    config: oneService(origin.url, {}, {}, { tls, timeouts: { drain: '10s', drainDelay } }),
    args: ['--gateway-tls', '127.0.0.1:0'],
    files: { 'a.pem': cert, 'a.key': key },
    workers: 2,
  })
}

const ended = (portico: Portico) => within(portico.exited, () => 'the end of the process', 15_000)

test('SIGTERM on the TLS port: 1001, event streams over HTTP/2 end whole, exit code 0', { skip }, async () => {
  const origin = await socketOrigin()
  const portico = await start(origin)
  const session = connect(`https://127.0.0.1:${portico.gatewayTlsPort}`, { ca: cert })
  session.on('error', () => {})
  try {
    const sockets = await Promise.all(
      Array.from({ length: 10 }, () => openSocket(`wss://127.0.0.1:${portico.gatewayTlsPort}/ws`, { ca: cert })),
    )
    for (const socket of sockets) assert.equal(await echo(socket, 'secret'), 'secret')
    const stream = session.request({ ':path': '/events' })
    let text = ''
    stream.on('data', chunk => (text += chunk))
    await eventually(async () => origin.streams[0] ?? null, 'the stream at the origin')
    origin.streams[0]?.response.write('data: hello\n\ndata: half')
    await eventually(async () => (text.includes('half') ? true : null), 'the beginning of the stream')
    const goaway = once(session, 'goaway')
    const ends = [...sockets, ...origin.sockets].map(closed)
    portico.signal('SIGTERM')
    for (const end of ends) assert.deepEqual(await end, [1001, 'the gateway is shutting down'])
    assert.equal((await within(goaway, () => 'GOAWAY'))[0], 0)
    origin.streams[0]?.response.write(' an event\n\n')
    await within(once(stream, 'end'), () => 'the end of the stream')
    assert.equal(stream.rstCode, 0)
    assert.equal(text, 'data: hello\n\ndata: half an event\n\n')
    assert.deepEqual(await ended(portico), { code: 0, signal: null })
  } finally {
    session.destroy()
    await portico.stop()
    origin.stop()
  }
})

test('SIGTERM on the TLS port with a delay: no call fails, also over new connections', { skip }, async () => {
  const origin = await socketOrigin()
  const portico = await start(origin, '800ms')
  const url = { port: portico.gatewayTlsPort, host: '127.0.0.1', path: '/x', ca: cert }
  const agent = new Agent({ keepAlive: true })
  const call = (given: Agent | false): Promise<void> =>
    new Promise((resolve, reject) => {
      const request = get({ ...url, agent: given }, response => {
        response.resume().on('end', () => resolve())
        response.on('error', reject)
      })
      request.on('error', reject)
    })
  try {
    await call(agent)
    let count = 0
    portico.signal('SIGTERM')
    // Until a little before the listener goes.
    const end = performance.now() + 500
    const repeat = async (given: Agent | false): Promise<void> => {
      for (; performance.now() < end; count++) await call(given)
    }
    await Promise.all([repeat(agent), repeat(false), repeat(false)])
    assert.ok(count > 5, `${count} calls`)
    assert.equal((await ended(portico)).code, 0)
  } finally {
    agent.destroy()
    await portico.stop()
    origin.stop()
  }
})

test('SIGTERM: a TLS connection that asks nothing holds nothing up', { skip }, async () => {
  const origin = await socketOrigin()
  const portico = await start(origin)
  const done = connectTls({ host: '127.0.0.1', port: portico.gatewayTlsPort, ca: cert })
  try {
    await once(done, 'secureConnect')
    portico.signal('SIGTERM')
    assert.equal((await ended(portico)).code, 0)
  } finally {
    done.destroy()
    await portico.stop()
    origin.stop()
  }
})
