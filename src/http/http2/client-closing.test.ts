import assert from 'node:assert/strict'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { Pool } from '../client.ts'
import { TimerWheel } from '../timer-wheel.ts'

test('requests that wait for their connection are sent though the pool was closed meanwhile', async t => {
  const server = createServer((_, response) => response.end('fine'))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const wheel = new TimerWheel()
  t.after(() => wheel.close())
  const { port } = server.address() as AddressInfo
  const pool = new Pool({
    origin: { host: '127.0.0.1', port, tls: null },
    protocol: 'h2',
    wheel,
    idleTimeout: 1000,
    maxHead: 65_536,
    maxFields: 100,
  })
  const ask = (): Promise<number> =>
    new Promise((resolve, reject) => {
      let seen = 0
      pool.request(
        {
          method: 'GET',
          target: '/',
          host: 'origin.test',
          fields: '',
          length: 0,
          body: null,
          upgrade: null,
          connectTimeout: 5000,
          responseTimeout: 5000,
          idleTimeout: 5000,
          totalTimeout: 5000,
        },
        {
          onReady: () => {},
          onInformational: () => {},
          onResponse: status => {
            seen = status
          },
          onBodyData: () => {},
          onBodyEnd: () => resolve(seen),
          onPause: () => {},
          onDrain: () => {},
          onUpgrade: () => reject(new Error('upgraded')),
          onError: reject,
        },
      )
    })
  const answers = [ask(), ask(), ask()]
  pool.close()
  assert.deepEqual(await Promise.all(answers), [200, 200, 200])
})
