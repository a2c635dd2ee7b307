import { messageFrame } from '#http/grpc/frames'
import type { ExchangeListener } from '#http/message'
import { createHttpServer } from '#http/server'
import { TimerWheel } from '#http/timer-wheel'

/** A gRPC service over HTTP/2 without TLS, made of Portico's engine: a message of 128 bytes for every call. */
const port = Number(process.argv[2])
const message = messageFrame(Buffer.alloc(128, 'x'))
const silent: ExchangeListener = { onAbort: () => {}, onDrain: () => {}, onFinish: () => {} }

const server = createHttpServer({
  wheel: new TimerWheel(),
  limits: { head: 65_536, headers: 128, target: 16_384, connections: 1000 },
  timeouts: { requestHead: 10_000, idle: 60_000 },
  onExchange: exchange => {
    exchange.listener = silent
    exchange.receive({
      onBodyData: () => {},
      onBodyEnd: () => {
        exchange.head(200, ['content-type', 'application/grpc'], -1)
        exchange.write(message)
        exchange.end(['grpc-status', '0'])
      },
    })
  },
  onInvalid: error => ({ status: error.status, headers: [], body: error.code }),
})
await server.listen({ host: '127.0.0.1', port })
