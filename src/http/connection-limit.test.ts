import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { createHttpServer } from './server.ts'
import { TimerWheel } from './timer-wheel.ts'

const read = async (socket: Socket): Promise<string> => {
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return text
}

test('a connection above the limit is told 503, and the ones below go on', async () => {
  const wheel = new TimerWheel()
  const server = createHttpServer({
    wheel,
    limits: { head: 65_536, headers: 100, target: 8192, connections: 2 },
    timeouts: { requestHead: 5000, idle: 5000 },
    onExchange: exchange => exchange.respond(200, [], 'served'),
    onInvalid: error => ({ status: error.status, headers: ['retry-after', '1'], body: error.code }),
  })
  const port = await server.listen({ host: '127.0.0.1', port: 0 })
  const open = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    return socket
  }
  try {
    const first = await open()
    const second = await open()
    // Both must have been accepted before the third comes.
    for (const socket of [first, second]) {
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      await once(socket, 'data')
    }
    const third = await open()
    const refusal = await read(third)
    assert.match(refusal, /^HTTP\/1\.1 503 /)
    assert.match(refusal, /retry-after: 1\r\n/)
    first.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const [again] = await once(first, 'data')
    assert.match(String(again), /^HTTP\/1\.1 200 /)
    first.destroy()
    second.destroy()
  } finally {
    server.close()
    wheel.close()
  }
})
