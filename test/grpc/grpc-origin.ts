import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type OriginCall = {
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** What the origin says, byte by byte; without `body` and `trailers` the head is all there is (Trailers-Only). */
export type OriginAnswer = {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: readonly Buffer[]
  readonly trailers?: Readonly<Record<string, string>>
  /** Breaks off after the body. */
  readonly breaks?: boolean
  /** Never answers. */
  readonly silent?: boolean
}

export type GrpcOrigin = {
  readonly url: string
  readonly calls: OriginCall[]
  /** Answers every call from now on. */
  answer: OriginAnswer
  /** Calls that the other side gave up. */
  abandoned: number
  stop(): void
}

const readAll = async (request: AsyncIterable<Buffer>): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const reply = (response: ServerResponse, answer: OriginAnswer): void => {
  const { status = 200, headers = { 'content-type': 'application/grpc+proto' }, body, trailers, breaks } = answer
  response.writeHead(
    status,
    body === undefined && trailers === undefined ? { ...headers, 'content-length': 0 } : headers,
  )
  if (body === undefined && trailers === undefined) {
    response.end()
    return
  }
  for (const piece of body ?? []) response.write(piece)
  if (breaks === true) {
    setImmediate(() => response.destroy())
    return
  }
  response.addTrailers(trailers ?? {})
  response.end()
}

/** A server that speaks gRPC to the letter of a test, also wrongly. */
export const startGrpcOrigin = async (): Promise<GrpcOrigin> => {
  const calls: OriginCall[] = []
  const origin = { answer: {} as OriginAnswer, abandoned: 0 }
  const onCall = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.on('close', () => {
      if (!response.writableEnded) origin.abandoned++
    })
    const body = await readAll(request).catch(() => null)
    if (body === null) return
    calls.push({ path: request.url ?? '', headers: request.headers, body })
    if (origin.answer.silent !== true) reply(response, origin.answer)
  }
  const server = createServer((request, response) => void onCall(request, response))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(origin, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    stop: () => {
      server.close()
      server.closeAllConnections()
    },
  })
}
