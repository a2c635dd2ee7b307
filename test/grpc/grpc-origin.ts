import { createServer, type OutgoingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
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
  /** Leaves the stream open after the body. */
  readonly hangs?: boolean
  /** Never answers. */
  readonly silent?: boolean
  /** Answers without waiting for the end of the request. */
  readonly early?: boolean
}

export type GrpcOrigin = {
  readonly url: string
  readonly calls: OriginCall[]
  /** Answers every call from now on. */
  answer: OriginAnswer
  /** Calls that the other side gave up, by the code of their RST_STREAM. */
  readonly abandoned: number[]
  stop(): void
}

const reply = (stream: ServerHttp2Stream, answer: OriginAnswer): void => {
  const { status = 200, headers = { 'content-type': 'application/grpc+proto' }, body, trailers, hangs } = answer
  const head: OutgoingHttpHeaders = { ':status': status, ...headers }
  if (body === undefined && trailers === undefined) {
    stream.respond(head, { endStream: true })
    return
  }
  stream.respond(head, { waitForTrailers: trailers !== undefined })
  stream.on('wantTrailers', () => stream.sendTrailers(trailers ?? {}))
  for (const piece of body ?? []) stream.write(piece)
  if (hangs !== true) stream.end()
}

/** An iterator would destroy the stream when the request ends. */
const readAll = (stream: ServerHttp2Stream): Promise<Buffer> =>
  new Promise(resolve => {
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => resolve(Buffer.concat(chunks)))
  })

/** A server that speaks gRPC over HTTP/2 to the letter of a test, also wrongly. */
export const startGrpcOrigin = async (): Promise<GrpcOrigin> => {
  const calls: OriginCall[] = []
  const abandoned: number[] = []
  const origin = { answer: {} as OriginAnswer }
  const sessions = new Set<ServerHttp2Session>()
  const server = createServer()
  server.on('session', session => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
  })
  server.on('stream', async (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => {})
    stream.on('aborted', () => abandoned.push(stream.rstCode))
    if (origin.answer.early === true) {
      reply(stream, origin.answer)
      return
    }
    const body = await readAll(stream)
    if (stream.destroyed || stream.closed) return
    calls.push({ path: String(headers[':path']), headers, body })
    if (origin.answer.silent !== true) reply(stream, origin.answer)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(origin, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    abandoned,
    stop: () => {
      server.close()
      for (const session of sessions) session.destroy()
    },
  })
}
