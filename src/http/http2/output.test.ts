import assert from 'node:assert/strict'
import { connect, type IncomingHttpHeaders } from 'node:http2'
import { type TestContext, test } from 'node:test'
import type { ExchangeListener, ServerExchange } from '../message.ts'
import { createHttpServer } from '../server.ts'
import { TimerWheel } from '../timer-wheel.ts'
import { unsentLimit } from '../unsent.ts'

const size = 3_000_000

/** Sends `size` bytes in pieces as fast as the exchange takes them. */
class Download implements ExchangeListener {
  readonly #exchange: ServerExchange
  readonly #piece: Buffer
  #left = size

  constructor(exchange: ServerExchange, piece: number) {
    this.#exchange = exchange
    this.#piece = Buffer.alloc(piece, 'x')
    exchange.listener = this
    exchange.head(200, [], size)
    this.onDrain()
  }

  onDrain(): void {
    while (this.#left > 0) {
      const chunk = this.#piece.subarray(0, this.#left)
      this.#left -= chunk.length
      if (!this.#exchange.write(chunk) && this.#left > 0) return
    }
    this.#exchange.end(null)
  }

  onAbort(): void {}
  onFinish(): void {}
}

const download = async (t: TestContext, piece: number, calls: number): Promise<number[]> => {
  const wheel = new TimerWheel(10)
  const server = createHttpServer({
    wheel,
    limits: { head: 4096, headers: 20, target: 1000, connections: 100 },
    timeouts: { requestHead: 5000, idle: 5000 },
    onExchange: exchange => {
      new Download(exchange, piece)
    },
    onInvalid: error => ({ status: error.status, headers: [], body: error.code }),
  })
  const port = await server.listen({ host: '127.0.0.1', port: 0 })
  const client = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 1_000_000 } })
  t.after(() => {
    client.destroy()
    server.close()
    wheel.close()
  })
  return Promise.all(
    Array.from(
      { length: calls },
      () =>
        new Promise<number>((resolve, reject) => {
          let bytes = 0
          const stream = client.request({ ':path': '/' })
          stream.on('response', (fields: IncomingHttpHeaders) => assert.equal(fields['content-length'], String(size)))
          stream.on('data', (chunk: Buffer) => {
            bytes += chunk.length
          })
          stream.on('end', () => resolve(bytes))
          stream.on('error', reject)
        }),
    ),
  )
}

for (const limit of [16_384, 100_000, 262_144])
  for (const piece of [1000, 15_000, 60_000])
    test(`pieces of ${piece} bytes all arrive when ${limit} may be unsent`, { timeout: 20_000 }, async t => {
      const usual = unsentLimit.bytes
      t.after(() => {
        unsentLimit.bytes = usual
      })
      unsentLimit.bytes = limit
      assert.deepEqual(await download(t, piece, 4), Array(4).fill(size))
    })
