import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import { within } from '../harness.ts'

/** A service that echoes WebSocket messages and streams events, both under the control of a test. */
export type SocketOrigin = {
  readonly url: string
  /** The service's side of every WebSocket so far. */
  readonly sockets: WebSocket[]
  /** Requests of event streams and their open responses. */
  readonly streams: { request: IncomingMessage; response: ServerResponse }[]
  stop(): void
}

export const socketOrigin = async (): Promise<SocketOrigin> => {
  const sockets: WebSocket[] = []
  const streams: SocketOrigin['streams'] = []
  const server = createServer((request, response) => {
    if (!request.url?.startsWith('/events')) {
      response.end('no stream here')
      return
    }
    streams.push({ request, response })
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
  })
  const webSockets = new WebSocketServer({ server })
  webSockets.on('connection', (socket: WebSocket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('message', (data, binary) => socket.send(data, { binary }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sockets,
    streams,
    stop: () => {
      for (const socket of sockets) socket.terminate()
      server.close()
      server.closeAllConnections()
    },
  }
}

/** An open WebSocket client; errors are left to its `close` event. */
export const openSocket = async (url: string, options: WebSocket.ClientOptions = {}): Promise<WebSocket> => {
  const socket = new WebSocket(url, options)
  socket.on('error', () => {})
  await within(once(socket, 'open'), () => `a WebSocket on ${url}`)
  return socket
}

export const message = (socket: WebSocket): Promise<Buffer> =>
  within(once(socket, 'message'), () => 'a message').then(([data]) => data as Buffer)

export const closed = (socket: WebSocket): Promise<[number, string]> =>
  within(once(socket, 'close'), () => 'the socket to close').then(([code, reason]) => [code as number, String(reason)])

/** Sends a message and waits for its echo. */
export const echo = async (socket: WebSocket, text: string): Promise<string> => {
  const answer = message(socket)
  socket.send(text)
  return (await answer).toString()
}
