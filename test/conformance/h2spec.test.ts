import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeCertificate, skipCertificates } from '#base/test-certificates'
import type { ExchangeListener } from '#http/message'
import { createHttpServer } from '#http/server'
import { createSocketServer, listen } from '#http/socket-reading'
import { TimerWheel } from '#http/timer-wheel'
import { answerEach, ok, oneService, root, scriptedOrigin, startPortico } from '../harness.ts'

/** `h2spec` as `.ci/run` builds it, or as PORTICO_H2SPEC names it. */
const program = process.env.PORTICO_H2SPEC ?? join(root, '.cache/bin/h2spec')

const isThere = (): boolean => {
  try {
    accessSync(program, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const skip = isThere() ? false : 'needs the h2spec program (PORTICO_H2SPEC, or .ci/run with Go)'

/** Runs every case in strict mode; gives the names of those that fail. */
const run = (port: number, ...more: string[]): Promise<{ failed: string[]; summary: string }> =>
  new Promise((resolve, reject) => {
    const child = spawn(program, ['-h', '127.0.0.1', '-p', String(port), '-S', '-o', '5', ...more])
    let text = ''
    child.stdout.setEncoding('utf8').on('data', piece => {
      text += piece
    })
    child.on('error', reject)
    child.on('close', () => {
      const failures = text.slice(text.indexOf('Failures:'))
      resolve({
        failed: text.includes('Failures:') ? [...failures.matchAll(/× (.*)/g)].map(match => match[1] as string) : [],
        summary: /\d+ tests, .*/.exec(text)?.[0] ?? text,
      })
    })
  })

const silent: ExchangeListener = { onAbort: () => {}, onDrain: () => {}, onFinish: () => {} }

test('h2spec passes against connections that are known to speak HTTP/2', { skip }, async t => {
  const wheel = new TimerWheel()
  const server = createHttpServer({
    wheel,
    limits: { head: 65_536, headers: 128, target: 16_384, connections: 1000 },
    timeouts: { requestHead: 10_000, idle: 60_000 },
    onExchange: exchange => {
      exchange.listener = silent
      exchange.receive({ onBodyData: () => {}, onBodyEnd: () => exchange.respond(200, ['x-a', '1'], 'hello') })
    },
    onInvalid: error => ({ status: error.status, headers: [], body: error.code }),
  })
  const sockets = createSocketServer(open => server.accept(open, 'h2'))
  t.after(() => {
    sockets.close()
    server.close()
    wheel.close()
  })
  const { failed, summary } = await run(await listen(sockets, { host: '127.0.0.1', port: 0 }))
  assert.deepEqual(failed, [])
  assert.match(summary, /^146 tests, 146 passed, 0 skipped, 0 failed/)
})

test('h2spec passes against the program, with a service behind it', { skip }, async t => {
  const origin = await scriptedOrigin(answerEach(() => ok('hello')))
  t.after(() => origin.stop())
  const portico = await startPortico({ config: oneService(origin.url) })
  t.after(() => portico.stop())
  const { failed, summary } = await run(portico.gatewayPort)
  // The port speaks HTTP/1.1 too: what is neither gets the answer of HTTP/1.1, which h2spec takes for no end.
  assert.deepEqual(failed, ['2: Sends invalid connection preface'])
  assert.match(summary, /^146 tests, 145 passed, 0 skipped, 1 failed/)
})

test('h2spec passes against the TLS port of the program', { skip: skip || skipCertificates }, async t => {
  const origin = await scriptedOrigin(answerEach(() => ok('hello')))
  t.after(() => origin.stop())
  const { cert, key } = makeCertificate({ names: ['IP:127.0.0.1'] })
  const tls = { certificates: [{ cert: './one.pem', key: './one.key' }] }
  const portico = await startPortico({
    config: oneService(origin.url, {}, {}, { tls }),
    args: ['--gateway-tls', '127.0.0.1:0'],
    files: { 'one.pem': cert, 'one.key': key },
  })
  t.after(() => portico.stop())
  const { failed, summary } = await run(portico.gatewayTlsPort, '-t', '-k')
  assert.deepEqual(failed, [])
  assert.match(summary, /^146 tests, 146 passed, 0 skipped, 0 failed/)
})
