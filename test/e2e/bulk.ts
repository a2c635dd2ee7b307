import { createHash, type Hash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Writable } from 'node:stream'
import { seededRandom } from '../fuzz/random.ts'

const random = seededRandom(42)
/** A piece of an odd size, so that it never falls together with anybody's buffers. */
const piece = Buffer.from(Array.from({ length: 49_999 }, () => random.int(256)))

/** `bytes` deterministic bytes. */
export function* bulk(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= piece.length) yield left < piece.length ? piece.subarray(0, left) : piece
}

/** SHA-256 of `bulk(bytes)`. */
export const bulkHash = (bytes: number): string => {
  const hash = createHash('sha256')
  for (const chunk of bulk(bytes)) hash.update(chunk)
  return hash.digest('hex')
}

/** Resolves when the stream can take more, or never will. */
const drained = (sink: Writable): Promise<void> =>
  new Promise(resolve => {
    const done = () => {
      sink.off('drain', done).off('close', done)
      resolve()
    }
    sink.on('drain', done).on('close', done)
  })

/** Writes `bulk(bytes)` as fast as the sink takes it; `sent` is told how far it got. */
export const writeBulk = async (
  sink: Writable,
  bytes: number,
  sent: (total: number) => void = () => {},
): Promise<void> => {
  let total = 0
  for (const chunk of bulk(bytes)) {
    if (sink.destroyed) return
    total += chunk.length
    sent(total)
    if (!sink.write(chunk)) await drained(sink)
  }
  sink.end()
}

export type BulkOrigin = {
  readonly url: string
  readonly server: Server
  /** Bytes of downloads written since the last `forget`. */
  readonly sent: () => number
  forget(): void
  stop(): Promise<void>
}

/** `GET /down/N` sends N bytes (`?chunked`: without length); `PUT /up` answers with count and hash of the body; `PUT /echo` sends it back. */
export const bulkOrigin = async (): Promise<BulkOrigin> => {
  let sent = 0
  const server = createServer(async (incoming, outgoing) => {
    const [path, query] = (incoming.url as string).split('?')
    if (path?.startsWith('/down/')) {
      const bytes = Number(path.slice(6))
      if (query !== 'chunked') outgoing.setHeader('content-length', bytes)
      await writeBulk(outgoing, bytes, total => {
        sent = total
      })
    } else if (path === '/echo') incoming.pipe(outgoing)
    else {
      const hash = createHash('sha256')
      let count = 0
      for await (const chunk of incoming) {
        hash.update(chunk)
        count += chunk.length
      }
      outgoing.end(JSON.stringify({ count, hash: hash.digest('hex') }))
    }
  })
  server.on('clientError', (_, socket) => socket.destroy())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    sent: () => sent,
    forget: () => {
      sent = 0
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

export type BulkAnswer = { status: number; count: number; hash: string; text: string; headers: IncomingHttpHeaders }

/** Calls through the gateway; `upload` bytes are sent as body, chunked unless `length` is set. */
export const bulkCall = (
  port: number,
  path: string,
  options: { method?: string; upload?: number; length?: boolean } = {},
): Promise<BulkAnswer> =>
  new Promise((resolve, reject) => {
    const upload = options.upload ?? 0
    const headers = options.length ? { 'content-length': upload } : {}
    const outgoing = request({ port, host: '127.0.0.1', path, method: options.method ?? 'GET', headers, agent: false })
    outgoing.on('error', reject)
    outgoing.on('response', incoming => {
      const hash: Hash = createHash('sha256')
      let count = 0
      let text = ''
      incoming.on('data', (chunk: Buffer) => {
        hash.update(chunk)
        count += chunk.length
        if (text.length < 1000) text += chunk.toString('latin1').slice(0, 1000)
      })
      incoming.on('error', reject)
      incoming.on('end', () =>
        resolve({ status: incoming.statusCode ?? 0, count, hash: hash.digest('hex'), text, headers: incoming.headers }),
      )
    })
    if (upload > 0) writeBulk(outgoing, upload).catch(reject)
    else outgoing.end()
  })
