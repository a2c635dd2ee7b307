import { createServer, type ServerHttp2Stream } from 'node:http2'
import type { ExchangeListener } from '#http/message'
import { createHttpServer } from '#http/server'
import { TimerWheel } from '#http/timer-wheel'

/**
 * A server that answers everything with 128 bytes over HTTP/2 without TLS: `own` with Portico's engine, `node` with
 * node:http2. For http2-engines.ts.
 */
const [engine, portText] = process.argv.slice(2)
const port = Number(portText)
const body = Buffer.alloc(128, 'x')

if (engine === 'node') {
  const server = createServer()
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200, 'content-type': 'text/plain', 'content-length': 128 })
    stream.end(body)
  })
  server.listen(port, '127.0.0.1')
} else {
  const silent: ExchangeListener = { onAbort: () => {}, onDrain: () => {}, onFinish: () => {} }
  const server = createHttpServer({
    wheel: new TimerWheel(),
    limits: { head: 65_536, headers: 128, target: 16_384, connections: 1000 },
    timeouts: { requestHead: 10_000, idle: 60_000 },
    onExchange: exchange => {
      exchange.listener = silent
      exchange.respond(200, ['content-type', 'text/plain'], body)
    },
    onInvalid: error => ({ status: error.status, headers: [], body: error.code }),
  })
  await server.listen({ host: '127.0.0.1', port })
}
