import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { within } from '../harness.ts'

/** A request as the provider got it: header fields in the order and spelling of the wire, the body as bytes. */
export type Received = { method: string; target: string; headers: string[]; body: Buffer }

export type OriginAnswer = (request: Received, response: ServerResponse) => void | Promise<void>

/** Plays a provider that speaks the OpenAI API, and records what reached it. */
export type OpenAiOrigin = {
  /** As an SDK takes it. */
  readonly baseUrl: string
  readonly received: Received[]
  /** How the next requests are answered. */
  answer: OriginAnswer
  last(): Received
  /** Resolves when the client of the newest request is gone before it was answered. */
  abandoned(): Promise<void>
  stop(): Promise<void>
}

/** The values of one header field, whatever its spelling. */
export const valuesOf = ({ headers }: Received, name: string): string[] =>
  headers.filter((_, index) => index % 2 === 1 && headers[index - 1]?.toLowerCase() === name)

/** An answer that is whole at once. */
export const json =
  (value: unknown, status = 200, headers: Record<string, string> = {}): OriginAnswer =>
  (_, response) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text)
  }

/** An answer in pieces, each sent when the one before has left. */
export const events =
  (pieces: Iterable<string | Buffer>): OriginAnswer =>
  async (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    for (const piece of pieces) await new Promise<void>(resolve => response.write(piece, () => resolve()))
    response.end()
  }

export const openAiOrigin = async (): Promise<OpenAiOrigin> => {
  const received: Received[] = []
  let gone: Promise<void> = Promise.resolve()
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    gone = new Promise(resolve =>
      response.on('close', () => {
        if (!response.writableFinished) resolve()
      }),
    )
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { method = '', url = '', rawHeaders } = request
    const entry = { method, target: url, headers: rawHeaders, body: Buffer.concat(chunks) }
    received.push(entry)
    await origin.answer(entry, response)
  }
  const server = createServer((request, response) => {
    serve(request, response).catch(() => void response.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const origin: OpenAiOrigin = {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    received,
    answer: json({}),
    last: () => received.at(-1) as Received,
    abandoned: () => within(gone, () => 'the origin to see its client go'),
    stop: async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
  return origin
}
