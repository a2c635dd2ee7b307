import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { makeCertificate, skipCertificates as skip } from '#base/test-certificates'
import { eventually, oneService, type Portico, type PorticoOptions, startPortico } from '../harness.ts'

const limits = { skip, timeout: 60_000 }
const make = (...args: Parameters<typeof makeCertificate>) => (skip ? { cert: '', key: '' } : makeCertificate(...args))
const authority = make({ subject: '/CN=Test authority', authority: true })
const one = make({ names: ['one.example', 'IP:127.0.0.1'], by: authority })
const two = make({ names: ['two.example'], by: authority })
const alice = make({ subject: '/CN=alice', names: ['URI:spiffe://example/alice'], by: authority })

const origin = createServer((request, response) => {
  const { url, headers } = request
  response.end(JSON.stringify({ url, headers }))
}).listen(0, '127.0.0.1')
after(() => origin.close())
await once(origin, 'listening')
const originUrl = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`

const files = {
  'one.pem': one.cert,
  'one.key': one.key,
  'two.pem': two.cert,
  'two.key': two.key,
  'ca.pem': authority.cert,
}
const bothCertificates = [
  { cert: './one.pem', key: './one.key' },
  { cert: './two.pem', key: './two.key' },
]

const start = async (t: TestContext, tls: object, more: Partial<PorticoOptions> = {}): Promise<Portico> => {
  const portico = await startPortico({
    config: oneService(originUrl, {}, {}, { tls }),
    args: ['--gateway-tls', '127.0.0.1:0'],
    files,
    ...more,
  })
  t.after(() => portico.stop())
  return portico
}

const open = async (port: number, options: ConnectionOptions = {}): Promise<TLSSocket> => {
  const socket = connect({ host: '127.0.0.1', port, ca: authority.cert, servername: 'one.example', ...options })
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  return socket
}

const ask = async (socket: TLSSocket, path = '/'): Promise<string> => {
  socket.write(`GET ${path} HTTP/1.1\r\nhost: one.example\r\n\r\n`)
  let text = ''
  while (!/\r\n\r\n[\s\S]*\}$/.test(text)) {
    const [chunk] = await once(socket, 'data')
    text += chunk
  }
  return text
}

const certificateNames = (socket: TLSSocket): string => socket.getPeerCertificate().subjectaltname ?? ''

test('curl calls the TLS port over HTTP/1.1 and HTTP/2, and the plain port beside it', limits, async t => {
  const { gatewayPort, gatewayTlsPort, configFile } = await start(t, { certificates: bothCertificates })
  const ca = join(dirname(configFile), 'ca.pem')
  const curl = async (...args: string[]) =>
    (await promisify(execFile)('curl', ['-sS', '--max-time', '10', '--cacert', ca, '-w', '\n%{http_version}', ...args]))
      .stdout
  const name = ['--resolve', `two.example:${gatewayTlsPort}:127.0.0.1`]
  for (const version of ['1.1', '2']) {
    const flag = version === '2' ? '--http2' : '--http1.1'
    const [body, spoken] = (await curl(flag, ...name, `https://two.example:${gatewayTlsPort}/a`)).split('\n')
    assert.equal(spoken, version)
    assert.equal(JSON.parse(body as string).headers['x-forwarded-proto'], 'https')
  }
  assert.match(await curl(`http://127.0.0.1:${gatewayPort}/a`), /"x-forwarded-proto":"http"/)
})

test('certificates that change on disk are shown to new connections; open ones are not dropped', limits, async t => {
  const portico = await start(t, { certificates: [{ cert: './one.pem', key: './one.key' }] })
  const folder = dirname(portico.configFile)
  const replace = (name: string, text: string) => {
    writeFileSync(join(folder, `${name}.next`), text)
    renameSync(join(folder, `${name}.next`), join(folder, name))
  }
  const before = await open(portico.gatewayTlsPort)
  await ask(before)
  replace('one.pem', 'broken')
  const broken = await eventually(async () => (await portico.status()).lastReloadError, 'the broken file to be seen')
  assert.match(broken.errors.join('\n'), /certificates\[0\]\.cert\s+holds no certificate/)
  assert.match(portico.output(), /not reloaded/)
  const still = await open(portico.gatewayTlsPort)
  assert.equal(certificateNames(still), 'DNS:one.example, IP Address:127.0.0.1')
  still.destroy()

  replace('one.key', two.key)
  replace('one.pem', two.cert)
  await eventually(async () => ((await portico.status()).lastReloadError === null ? true : null), 'the good files')
  const after = await open(portico.gatewayTlsPort, { servername: 'two.example' })
  assert.equal(certificateNames(after), 'DNS:two.example')
  assert.match(await ask(before), /200 OK/)
  const status = (await portico.console('/api/status')).body as { tls: { certificates: { hosts: string[] }[] } }
  assert.deepEqual(
    status.tls.certificates.map(({ hosts }) => hosts),
    [['two.example']],
  )
  assert.ok(!`${JSON.stringify(status)}${portico.output()}`.includes('PRIVATE KEY'))
  for (const socket of [before, after]) socket.destroy()
})

test('a session begun at one worker goes on at the others', limits, async t => {
  const portico = await start(t, { certificates: bothCertificates }, { workers: 3 })
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const first = connect({
      host: '127.0.0.1',
      port: portico.gatewayTlsPort,
      ca: authority.cert,
      servername: 'one.example',
      maxVersion,
    })
    const got = once(first, 'session') as Promise<[Buffer]>
    await once(first, 'secureConnect')
    await ask(first)
    const [session] = await got
    first.destroy()
    // The kernel spreads connections over the workers by their ports: 20 do not all meet the same one.
    for (let i = 0; i < 20; i++) {
      const again = await open(portico.gatewayTlsPort, { session, maxVersion })
      await ask(again)
      assert.ok(again.isSessionReused(), `${maxVersion}, connection ${i}`)
      again.destroy()
    }
  }
  const { workers } = await portico.status()
  assert.ok(workers.filter(({ load }) => load.requests > 0).length >= 2, 'more than one worker served')
})

test('openssl agrees that sessions are reused', limits, async t => {
  const portico = await start(t, { certificates: bothCertificates }, { workers: 2 })
  const { stdout } = spawnSync(
    'openssl',
    ['s_client', '-connect', `127.0.0.1:${portico.gatewayTlsPort}`, '-reconnect', '-tls1_2', '-no_ign_eof'],
    { input: '', encoding: 'utf8', timeout: 20_000 },
  )
  assert.equal(stdout.match(/^Reused, /gm)?.length, 5, stdout)
})

test('clients without a certificate are refused where one is required, others go on', limits, async t => {
  const clientCertificates = { ca: './ca.pem', mode: 'required' }
  const portico = await start(t, { certificates: bothCertificates, clientCertificates })
  const known = await open(portico.gatewayTlsPort, alice)
  assert.match(await ask(known), /200 OK/)
  const unknown = connect({
    host: '127.0.0.1',
    port: portico.gatewayTlsPort,
    ca: authority.cert,
    servername: 'one.example',
  })
  unknown.on('error', () => {})
  unknown.resume()
  await new Promise(resolve => unknown.once('close', resolve))
  known.destroy()
  const [worker] = (await portico.status()).workers
  assert.deepEqual(worker?.load.tlsFailures, { ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 1 })
})

test('without settings.tls the TLS port does not open, and says why', limits, async () => {
  await assert.rejects(
    startPortico({ config: oneService(originUrl), args: ['--gateway-tls', '127.0.0.1:0'] }),
    /--gateway-tls needs certificates: give settings\.tls/,
  )
})

test('a reload that takes settings.tls away is refused', limits, async t => {
  const portico = await start(t, { certificates: bothCertificates })
  const { lastReloadError } = await portico.reload(oneService(originUrl))
  assert.match(lastReloadError?.errors.join('\n') ?? '', /settings\.tls is gone/)
  const socket = await open(portico.gatewayTlsPort)
  assert.match(await ask(socket), /200 OK/)
  socket.destroy()
})
