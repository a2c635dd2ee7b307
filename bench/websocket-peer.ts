import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { WebSocket, WebSocketServer } from 'ws'

// Both ends of the WebSocket benchmark, as programs of their own: `--serve` echoes every message, `--call PORT` sends
// one message per connection, and the next one when its echo is there; it prints what it did as JSON.

const { values } = parseArgs({
  options: {
    serve: { type: 'boolean' },
    call: { type: 'string' },
    connections: { type: 'string', default: '64' },
    size: { type: 'string', default: '128' },
    seconds: { type: 'string', default: '3' },
  },
})

const quick = { perMessageDeflate: false, skipUTF8Validation: true }

const serve = (): void => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...quick })
  server.on('listening', () => {
    const address = server.address()
    process.stdout.write(`listening ${typeof address === 'object' && address !== null ? address.port : 0}\n`)
  })
  server.on('connection', socket => socket.on('message', data => socket.send(data, { binary: true })))
}

const call = async (port: string): Promise<void> => {
  const payload = Buffer.alloc(Number(values.size), 120)
  let messages = 0
  let errors = 0
  const sockets = await Promise.all(
    Array.from({ length: Number(values.connections) }, async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`, quick)
      socket.on('error', () => errors++)
      await once(socket, 'open')
      return socket
    }),
  )
  const startedAt = performance.now()
  process.stdout.write('begins\n')
  for (const socket of sockets) {
    socket.on('message', () => {
      messages++
      socket.send(payload)
    })
    socket.on('close', () => errors++)
    socket.send(payload)
  }
  await new Promise(resolve => setTimeout(resolve, Number(values.seconds) * 1000))
  process.stdout.write(`${JSON.stringify({ messages, errors, seconds: (performance.now() - startedAt) / 1000 })}\n`)
  process.exit()
}

if (values.serve === true) serve()
else await call(values.call ?? '')
