import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'

export type SoakOrigin = { readonly url: string; stop(): void }

const piece = Buffer.alloc(65_536, 'x')

const sendPieces = (response: ServerResponse, left: number): void => {
  for (let rest = left; rest > 0; rest--)
    if (!response.write(piece)) {
      response.once('drain', () => sendPieces(response, rest - 1))
      return
    }
  response.end()
}

/** Sends an event every 20 ms until the other side leaves. */
const drip = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const timer = setInterval(() => response.write(`data: ${Date.now()}\n\n`), 20)
  response.on('close', () => clearInterval(timer))
}

const answer = (request: IncomingMessage, response: ServerResponse): void => {
  response.on('error', () => {})
  request.on('error', () => {})
  const path = (request.url ?? '').split('?')[0]
  if (path === '/slow') return
  if (path === '/drip') drip(response)
  else if (path === '/big') sendPieces(response, 64)
  else if (path === '/half') {
    response.writeHead(200, { 'content-length': 1000 })
    response.write('half of it')
    setImmediate(() => response.socket?.resetAndDestroy())
  } else {
    let count = 0
    request.on('data', (chunk: Buffer) => {
      count += chunk.length
    })
    request.on('end', () => response.end(JSON.stringify({ count })))
  }
}

/** An origin with every habit: quick, silent (`/slow`), endless (`/drip`), large (`/big`), broken (`/half`), WebSocket echo. */
export const startSoakOrigin = async (): Promise<SoakOrigin> => {
  const server = createServer({ keepAliveTimeout: 10_000 }, answer)
  const webSockets = new WebSocketServer({ server })
  webSockets.on('connection', socket => {
    socket.on('error', () => {})
    socket.on('message', (data, binary) => socket.send(data, { binary }))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () => {
      for (const socket of webSockets.clients) socket.terminate()
      server.closeAllConnections()
      server.close()
    },
  }
}
