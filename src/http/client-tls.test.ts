import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createPlainServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { createServer, type TLSSocket } from 'node:tls'
import type { GatewayError } from '#base/errors'
import { type Origin, Pool } from './client.ts'
import { listen } from './socket-reading.ts'
import { TimerWheel } from './timer-wheel.ts'

type Certificate = { key: Buffer; cert: Buffer }

const folder = mkdtempSync(join(tmpdir(), 'portico-tls-'))
after(() => rmSync(folder, { recursive: true }))

/** A certificate that signs itself; Node cannot make one, so the `openssl` program does. */
const selfSigned = (name: string): Certificate | null => {
  const key = join(folder, `${name}.key`)
  const cert = join(folder, `${name}.pem`)
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
  const files = ['-keyout', key, '-out', cert, '-days', '2']
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  try {
    execFileSync('openssl', ['req', '-x509', ...kind, ...files, ...subject], { stdio: 'ignore' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  return { key: readFileSync(key), cert: readFileSync(cert) }
}

const certificate = selfSigned('origin.example')
const skip = certificate === null ? 'needs the openssl program to make a certificate' : false

/** An origin behind TLS that tells the name it was asked for, and whether the session was resumed. */
const secureOrigin = async (t: TestContext): Promise<number> => {
  const server = createServer({ ...certificate, ALPNProtocols: ['http/1.1'] }, (socket: TLSSocket) => {
    socket.on('error', () => socket.destroy())
    socket.on('data', () => {
      const body = `${socket.servername} ${socket.alpnProtocol} ${socket.isSessionReused()}`
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
    })
  })
  server.on('tlsClientError', () => {})
  return started(t, server)
}

const started = async (t: TestContext, server: Server): Promise<number> => {
  const port = await listen(server, { host: '127.0.0.1', port: 0 })
  t.after(() => server.close())
  return port
}

const poolFor = (t: TestContext, port: number, tls: Partial<NonNullable<Origin['tls']>>): Pool => {
  const wheel = new TimerWheel(10)
  const pool = new Pool({
    origin: { host: '127.0.0.1', port, tls: { servername: 'origin.example', rejectUnauthorized: true, ...tls } },
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

/** Resolves with the body, rejects with the GatewayError. */
const ask = (pool: Pool, fresh = false): Promise<string> =>
  new Promise((resolve, reject) => {
    let body = ''
    pool.request(
      {
        method: 'GET',
        target: '/',
        host: 'origin.example',
        fields: '',
        length: 0,
        body: null,
        upgrade: null,
        connectTimeout: 3000,
        responseTimeout: 3000,
        idleTimeout: 3000,
        totalTimeout: 30_000,
      },
      {
        onReady: () => {},
        onInformational: () => {},
        onResponse: () => {},
        onBodyData: chunk => {
          body += chunk.toString()
        },
        onBodyEnd: () => resolve(body),
        onPause: () => {},
        onDrain: () => {},
        onUpgrade: () => {},
        onError: reject,
      },
      fresh,
    )
  })

const refusal = async (pool: Pool): Promise<{ code: string; retry: string; cause: string | undefined }> => {
  const error = await ask(pool).then(
    body => assert.fail(`it was answered: ${body}`),
    (error: GatewayError) => error,
  )
  return { code: error.code, retry: error.retry, cause: (error.cause as NodeJS.ErrnoException).code }
}

test('a certificate that nobody vouches for is refused, and another try would not help', { skip }, async t => {
  const pool = poolFor(t, await secureOrigin(t), {})
  assert.deepEqual(await refusal(pool), { code: 'upstream-tls', retry: 'no', cause: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  assert.equal(pool.idleCount, 0)
})

test('a certificate of a given authority is accepted, and its connection is used again', { skip }, async t => {
  const pool = poolFor(t, await secureOrigin(t), { ca: certificate?.cert })
  assert.equal(await ask(pool), 'origin.example http/1.1 false')
  assert.equal(await ask(pool), 'origin.example http/1.1 false')
  assert.equal(pool.connections.size, 1)
  assert.equal(await ask(pool, true), 'origin.example http/1.1 true', 'a second connection resumes the session')
})

test('a certificate of another name is refused', { skip }, async t => {
  const pool = poolFor(t, await secureOrigin(t), { ca: certificate?.cert, servername: 'other.example' })
  assert.deepEqual(await refusal(pool), { code: 'upstream-tls', retry: 'no', cause: 'ERR_TLS_CERT_ALTNAME_INVALID' })
})

test('an authority of the same name with another key is refused', { skip }, async t => {
  const pool = poolFor(t, await secureOrigin(t), { ca: selfSigned('origin.example')?.cert })
  assert.equal((await refusal(pool)).code, 'upstream-tls')
})

test('a user may say that certificates do not matter', { skip }, async t => {
  const pool = poolFor(t, await secureOrigin(t), { rejectUnauthorized: false })
  assert.equal(await ask(pool), 'origin.example http/1.1 false')
})

test('an origin that does not speak TLS is told apart from one that is away', async t => {
  const server = createPlainServer(socket => {
    socket.on('error', () => socket.destroy())
    socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  })
  const pool = poolFor(t, await started(t, server), {})
  assert.equal((await refusal(pool)).code, 'upstream-tls')
})
