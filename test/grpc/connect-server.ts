import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { type Fields, testService, zeros } from './test-service.ts'

/** Unary calls and server streams on Connect's server, which compresses every answer that its caller can read. */
export const startConnectServer = async (): Promise<{ url: string; stop(): void }> => {
  const unaryCall = (request: Fields): Fields => ({ payload: zeros(Number(request['responseSize'])) })
  async function* streamingOutputCall(request: Fields): AsyncIterable<Fields> {
    for (const { size } of request['responseParameters'] as { size: number }[]) yield { payload: zeros(size) }
  }
  const adapter = connectNodeAdapter({
    compressMinBytes: 0,
    routes: router => {
      router.service(testService, { unaryCall, streamingOutputCall } as never)
    },
  })
  const server = createServer(adapter)
  const sessions = new Set<{ destroy(): void }>()
  server.on('session', session => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.close()
      for (const session of sessions) session.destroy()
    },
  }
}
