import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { UserError } from '#base/errors'
import { checkFree, formatAddress, listenProblem, parseListenAddress } from './listen-address.ts'

test('addresses are read with their port, and loopback when no host is named', () => {
  for (const [text, host, port] of [
    ['127.0.0.1:8080', '127.0.0.1', 8080],
    ['0.0.0.0:80', '0.0.0.0', 80],
    ['localhost:0', 'localhost', 0],
    ['gateway.internal:65535', 'gateway.internal', 65_535],
    [':8080', '127.0.0.1', 8080],
    ['[::1]:8080', '::1', 8080],
    ['[::]:443', '::', 443],
    ['[::ffff:127.0.0.1]:1', '::ffff:127.0.0.1', 1],
  ] as const)
    assert.deepEqual(parseListenAddress(text, '--gateway'), { host, port }, text)
})

test('what is no address is a mistake of the command line that names the flag and the text', () => {
  for (const text of [
    '',
    '8080',
    'localhost',
    'localhost:',
    'localhost:http',
    'localhost:65536',
    'localhost:123456',
    'localhost:-1',
    'a b:80',
    '::1:8080',
    '[::1]',
    '[localhost]:80',
    'http://localhost:80',
    'localhost:80/',
    'localhost:80\n',
  ])
    assert.throws(
      () => parseListenAddress(text, '--console'),
      (error: unknown) =>
        error instanceof UserError &&
        error.exitCode === 2 &&
        error.message.startsWith('--console takes HOST:PORT') &&
        error.message.includes(JSON.stringify(text)),
      JSON.stringify(text),
    )
})

test('an address is written as it was read', () => {
  for (const text of ['127.0.0.1:8080', '[::1]:8080', 'localhost:0'])
    assert.equal(formatAddress(parseListenAddress(text, '--gateway')), text)
})

test('a listener that cannot be had is explained in words', () => {
  const address = { host: '::1', port: 80 }
  for (const [code, words] of [
    ['EADDRINUSE', 'another program'],
    ['EACCES', 'may not listen'],
    ['EADDRNOTAVAIL', 'does not have that address'],
    ['ENOTFOUND', 'not known'],
    ['ESTRANGE', 'something strange'],
  ] as const) {
    const problem = listenProblem('gateway', address, Object.assign(new Error('something strange'), { code }))
    assert.equal(problem.exitCode, 1)
    assert.match(problem.message, /^Cannot listen on \[::1\]:80 for the gateway: /)
    assert.ok(problem.message.includes(words), problem.message)
  }
})

test('a port that somebody else listens on is not free', async () => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  await assert.rejects(checkFree(address, 'gateway'), (error: unknown) => {
    assert.ok(error instanceof UserError)
    assert.match(error.message, /another program listens there already/)
    return true
  })
  server.close()
  await once(server, 'close')
  await checkFree(address, 'gateway')
  // Asking leaves nothing behind.
  await checkFree(address, 'gateway')
})

test('any port is always free', async () => {
  await checkFree({ host: '127.0.0.1', port: 0 }, 'gateway')
})
