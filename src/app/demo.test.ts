import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startDemo } from './demo.ts'
import { keepRunning } from './demo-service.ts'

const ordersFile = fileURLToPath(new URL('../../examples/orders/server.ts', import.meta.url))

/** Asks until the service answers; the test's own timeout is the limit. */
const askUntilAnswered = async (url: string, signal: AbortSignal): Promise<Response> => {
  for (;;) {
    const response = await fetch(url, { signal }).catch(() => null)
    if (response !== null) return response
    signal.throwIfAborted()
    await delay(20)
  }
}

test('the demonstration serves orders and users on ports of their own, until it is stopped', async () => {
  const demo = await startDemo()
  assert.ok(existsSync(demo.configFile))
  const orders = await fetch(`${demo.env['ORDERS_URL']}/orders`)
  assert.equal(((await orders.json()) as { total: number }).total, 3)
  const users = await fetch(`${demo.env['USERS_URL']}/users/u-1`)
  assert.equal(((await users.json()) as { name: string }).name, 'Alice Martin')
  await demo.stop()
  await assert.rejects(fetch(`${demo.env['ORDERS_URL']}/orders`))
  await assert.rejects(fetch(`${demo.env['USERS_URL']}/users`))
})

test('the banner shows both addresses, and no console where there is none', async () => {
  const demo = await startDemo()
  await demo.stop()
  const text = demo.banner('http://127.0.0.1:8080', 'http://127.0.0.1:8081')
  assert.match(text, /curl http:\/\/127\.0\.0\.1:8080\/orders -H 'x-api-key: demo-key-alice'/)
  assert.match(text, /Console {3}http:\/\/127\.0\.0\.1:8081/)
  assert.doesNotMatch(demo.banner('http://127.0.0.1:8080', ''), /Console/)
  const bodies = [...text.matchAll(/-d '([^']+)'/g)].map(([, body]) => JSON.parse(body as string))
  assert.deepEqual(
    bodies.map(body => body.stream ?? body.model ?? body.customerId),
    ['u-3', 'smart', true],
  )
})

test('the services end with the program that started them, even when it is killed', async () => {
  const program = `import(${JSON.stringify(import.meta.resolve('./demo.ts'))}).then(({ startDemo }) => startDemo()).then(() => console.log('ready'))`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.once('data', () => child.kill('SIGKILL'))
  // The services have the same stderr: it closes when the last of them is gone.
  child.stderr.resume()
  await new Promise(resolve => child.stderr.once('close', resolve))
  assert.equal(
    child.signalCode ?? (await new Promise(resolve => child.once('exit', (_, signal) => resolve(signal)))),
    'SIGKILL',
  )
})

test('a service that was killed comes back on its port', { timeout: 10_000 }, async t => {
  const keeper = await keepRunning('orders', ordersFile)
  t.after(() => keeper.stop())
  const first = keeper.pid as number
  process.kill(first, 'SIGKILL')
  const response = await askUntilAnswered(`http://127.0.0.1:${keeper.port}/healthz`, t.signal)
  assert.equal(response.status, 200)
  assert.notEqual(keeper.pid, first)
})

test('a service that does not become ready is an error that names it', async () => {
  await assert.rejects(keepRunning('nothing', '/does/not/exist.ts'), /example service nothing ended before/)
})
