import { request } from 'node:http'
import { connect, constants } from 'node:http2'
import { readFrames } from '#http/grpc/frames'
import { within } from '../harness.ts'

export type HttpAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
  readonly trailers: Readonly<Record<string, string | undefined>>
  /** Whether nothing came after the head: HTTP/2 says so with it. */
  readonly headOnly: boolean
  /** False when the connection broke before the end. */
  readonly complete: boolean
}

/** A POST over HTTP/1.1 whose body leaves in these pieces. */
export const http1Call = (
  port: number,
  path: string,
  headers: Record<string, string>,
  pieces: readonly (Buffer | string)[] = [],
  method = 'POST',
): Promise<HttpAnswer> =>
  within(
    new Promise<HttpAnswer>((resolve, reject) => {
      const call = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, async response => {
        const chunks: Buffer[] = []
        let complete = true
        try {
          for await (const chunk of response) chunks.push(chunk)
        } catch {
          complete = false
        }
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks),
          trailers: response.trailers,
          headOnly: response.headers['content-length'] === '0',
          complete,
        })
      })
      call.on('error', reject)
      for (const piece of pieces) call.write(piece)
      call.end()
    }),
    () => `an answer to ${path}`,
  )

/** The same over HTTP/2, known to be spoken (RFC 9113 §3.3). */
export const http2Call: typeof http1Call = (port, path, headers, pieces = [], method = 'POST') =>
  within(
    new Promise<HttpAnswer>((resolve, reject) => {
      const session = connect(`http://127.0.0.1:${port}`)
      session.on('error', reject)
      const stream = session.request(
        { ':method': method, ':path': path, ...headers },
        { endStream: pieces.length === 0 },
      )
      const chunks: Buffer[] = []
      let answered: HttpAnswer['headers'] = {}
      let trailers: HttpAnswer['trailers'] = {}
      let headOnly = false
      stream.on('response', (fields, flags) => {
        headOnly = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
        answered = fields as HttpAnswer['headers']
      })
      stream.on('trailers', fields => {
        trailers = fields as HttpAnswer['trailers']
      })
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('error', () => {})
      stream.on('close', () => {
        session.close()
        const complete = stream.rstCode === constants.NGHTTP2_NO_ERROR
        const status = Number(answered[':status'] ?? 0)
        resolve({ status, headers: answered, body: Buffer.concat(chunks), trailers, headOnly, complete })
      })
      for (const piece of pieces) stream.write(piece)
      if (pieces.length > 0) stream.end()
    }),
    () => `an answer to ${path}`,
  )

/** A body of gRPC-Web: its messages, and the fields of the trailer frame; null where there is none. */
export const readWebBody = (body: Buffer): { messages: Buffer[]; trailers: Record<string, string> | null } => {
  const frames = readFrames(body)
  if (frames === null) throw new Error(`The body is cut: ${body.toString('latin1')}`)
  const last = frames.at(-1)
  const hasTrailers = last !== undefined && (last.flags & 0x80) !== 0
  const messages = (hasTrailers ? frames.slice(0, -1) : frames).map(frame => frame.payload)
  if (!hasTrailers) return { messages, trailers: null }
  const lines = last.payload.toString('latin1').split('\r\n').slice(0, -1)
  const trailers = Object.fromEntries(
    lines.map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  )
  return { messages, trailers }
}

/** The same of a text body, in which every group of four may be padded. */
export const readWebText = (body: Buffer): ReturnType<typeof readWebBody> => {
  const groups = body.toString('latin1').match(/.{4}/g) ?? []
  return readWebBody(Buffer.concat(groups.map(group => Buffer.from(group, 'base64'))))
}
