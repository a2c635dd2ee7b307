import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { connect } from 'node:tls'
import { makeCertificate, skipCertificates } from '#base/test-certificates'
import { dnsServer } from '../dns-server.ts'
import { eventually, oneService, type Portico, root, startPortico } from '../harness.ts'

/** Pebble is the test server of Let's Encrypt, built from Go (see .ci/run). */
const pebbleFile = process.env['PORTICO_PEBBLE'] ?? join(root, '.cache/bin/pebble')

const skip = ((): string | false => {
  if (skipCertificates !== false) return skipCertificates
  try {
    accessSync(pebbleFile, constants.X_OK)
    return false
  } catch {
    return `needs the ACME test server Pebble at PORTICO_PEBBLE or ${pebbleFile} (.ci/run builds it where Go is)`
  }
})()
const here = { type: 'A', address: '127.0.0.1' } as const
const limits = { skip, timeout: 120_000 }

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}

type Pebble = { directory: string; ca: string; said(): string }

/** Validates names at `httpPort`, and refuses some nonces for no reason, as servers may. */
const startPebble = async (t: TestContext, httpPort: number, dnsPort: number): Promise<Pebble> => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-pebble-'))
  const authority = makeCertificate({ subject: '/CN=Pebble', authority: true })
  const own = makeCertificate({ names: ['IP:127.0.0.1', 'localhost'], by: authority })
  const port = await freePort()
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const pebble = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${await freePort()}`,
    certificate: file('cert.pem', own.cert),
    privateKey: file('key.pem', own.key),
    httpPort,
    tlsPort: httpPort,
    ocspResponderURL: '',
    externalAccountBindingRequired: false,
  }
  const flags = ['-config', file('pebble.json', JSON.stringify({ pebble })), '-dnsserver', `127.0.0.1:${dnsPort}`]
  const child = spawn(pebbleFile, flags, {
    env: { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '20' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', chunk => {
      output += chunk
    })
  const exited = once(child, 'exit')
  t.after(async () => {
    child.kill()
    await exited
    rmSync(folder, { recursive: true, force: true })
  })
  await eventually(async () => (output.includes('Listening on') ? true : null), 'Pebble to listen')
  return { directory: `https://127.0.0.1:${port}/dir`, ca: authority.cert, said: () => output }
}

type AcmeStatus = {
  certificate: { hosts: string[]; fingerprint256: string } | null
  lastError: { message: string } | null
  nextTry: string | null
}
const acmeOf = async (portico: Portico): Promise<AcmeStatus> =>
  ((await portico.console('/api/status')).body as { tls: { acme: AcmeStatus } }).tls.acme

const shown = async (port: number, servername: string): Promise<{ names: string; fingerprint: string }> => {
  const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { subjectaltname = '', fingerprint256 } = socket.getPeerCertificate()
  socket.destroy()
  return { names: subjectaltname, fingerprint: fingerprint256 }
}

const start = (port: number, pebble: Pebble, hosts: string[], data: string): Promise<Portico> =>
  startPortico({
    config: oneService(
      'http://127.0.0.1:1',
      {},
      {},
      {
        tls: { acme: { directory: pebble.directory, email: 'it@one.test', hosts, ca: './pebble-ca.pem' } },
      },
    ),
    files: { 'pebble-ca.pem': pebble.ca },
    workers: 2,
    args: ['--gateway', `127.0.0.1:${port}`, '--gateway-tls', '127.0.0.1:0', '--data', data],
  })

test('a certificate is got, shown by all workers, kept for its owner only, and used again', limits, async t => {
  const dns = await dnsServer({ 'one.test': [here], 'two.test': [here] })
  t.after(() => dns.stop())
  const port = await freePort()
  const pebble = await startPebble(t, port, dns.port)
  const data = mkdtempSync(join(tmpdir(), 'portico-acme-'))
  t.after(() => rmSync(data, { recursive: true, force: true }))

  const first = await start(port, pebble, ['one.test', 'two.test'], data)
  const { certificate, nextTry } = await eventually(
    async () => {
      const status = await acmeOf(first)
      assert.equal(status.lastError, null, pebble.said())
      return status.certificate === null ? null : status
    },
    'the certificate',
    60_000,
  ).catch(async error => {
    await first.stop()
    throw error
  })
  for (let i = 0; i < 10; i++) {
    const { names, fingerprint } = await shown(first.gatewayTlsPort, i % 2 === 0 ? 'one.test' : 'two.test')
    assert.equal(names, 'DNS:one.test, DNS:two.test')
    assert.equal(fingerprint, certificate?.fingerprint256)
  }
  assert.ok(Date.parse(nextTry ?? '') > Date.now() + 86_400_000, 'it is renewed long after now')
  assert.ok(!first.output().includes('PRIVATE KEY'))
  // The token is no longer answered; what is not a challenge goes its usual way.
  const stale = await fetch(`http://127.0.0.1:${port}/.well-known/acme-challenge/${'a'.repeat(43)}`)
  assert.notEqual(stale.status, 200)
  await first.stop()

  const [folder = ''] = readdirSync(join(data, 'acme'))
  for (const name of ['account.key', 'certificate.json'])
    assert.equal(statSync(join(data, 'acme', folder, name)).mode & 0o777, 0o600, name)
  assert.match(readFileSync(join(data, 'acme', folder, 'account.key'), 'utf8'), /PRIVATE KEY/)

  const second = await start(port, pebble, ['one.test', 'two.test'], data)
  t.after(() => second.stop())
  assert.equal((await shown(second.gatewayTlsPort, 'one.test')).fingerprint, certificate?.fingerprint256)
})

test('what fails is in the status, and tried again later', limits, async t => {
  const dns = await dnsServer({ 'one.test': [here] })
  t.after(() => dns.stop())
  const port = await freePort()
  // Names are validated at a port where nobody listens.
  const pebble = await startPebble(t, await freePort(), dns.port)
  const data = mkdtempSync(join(tmpdir(), 'portico-acme-'))
  t.after(() => rmSync(data, { recursive: true, force: true }))
  const portico = await start(port, pebble, ['one.test'], data)
  t.after(() => portico.stop())
  const failed = await eventually(
    async () => {
      const status = await acmeOf(portico)
      return status.lastError === null ? null : status
    },
    'the failure',
    60_000,
  )
  assert.match(failed.lastError?.message ?? '', /one\.test: .*refused/)
  assert.equal(failed.certificate, null)
  assert.ok(Date.parse(failed.nextTry ?? '') > Date.now())
  const socket = connect({ host: '127.0.0.1', port: portico.gatewayTlsPort, servername: 'one.test' })
  const [error] = (await once(socket, 'error').catch(reason => [reason])) as [Error]
  assert.match(error.message, /handshake failure|reset|disconnected/i)
})
