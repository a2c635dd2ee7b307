import { HpackDecoder } from '#http/http2/hpack-decoder'
import { within } from './raw-connection.ts'
import { frame, preface, settings } from './raw-http2.ts'
import { type OriginConnection, type ScriptedOrigin, scriptedOrigin } from './scripted-origin.ts'

/** A request as it arrived at the origin: all fields, pseudo-headers too. */
export type OriginStream = {
  readonly connection: Http2OriginConnection
  readonly id: number
  readonly fields: Record<string, string>
  body: Buffer
  /** Trailers of the request. */
  trailers: Record<string, string>
  ended: boolean
  /** The code of RST_STREAM, or null. */
  reset: number | null
}

/** The origin's side of one HTTP/2 connection; tests write every frame of it. */
export class Http2OriginConnection {
  readonly raw: OriginConnection
  readonly streams = new Map<number, OriginStream>()
  readonly #decoder = new HpackDecoder()

  constructor(raw: OriginConnection) {
    this.raw = raw
  }

  send(...frames: Buffer[]): void {
    this.raw.send(Buffer.concat(frames))
  }

  #fields(payload: Buffer): Record<string, string> {
    const fields: Record<string, string> = {}
    this.#decoder.decode(payload, 0, payload.length, {
      onField: ({ text }, value) => {
        fields[text] = value
      },
    })
    return fields
  }

  /** Reads frames until the other side closes; `onRequest` hears of a request when it is whole. */
  async serve(first: Buffer, onRequest: (stream: OriginStream) => void): Promise<void> {
    await this.raw.readUntil(preface, 60_000)
    this.send(first)
    for (;;) {
      const head = await this.raw.readBytes(9, 60_000).catch(() => null)
      if (head === null) return
      const payload = await this.raw.readBytes(head.readUIntBE(0, 3)).catch(() => null)
      if (payload === null) return
      this.#onFrame(head[3] as number, head[4] as number, head.readUInt32BE(5), payload, onRequest)
    }
  }

  #onFrame(type: number, flags: number, id: number, payload: Buffer, onRequest: (stream: OriginStream) => void): void {
    const known = this.streams.get(id)
    if (type === 4 && (flags & 1) === 0) this.send(frame(4, 1, 0))
    else if (type === 6 && (flags & 1) === 0) this.send(frame(6, 1, 0, payload))
    else if (type === 3 && known !== undefined) known.reset = payload.readUInt32BE(0)
    else if (type === 0 && known !== undefined) known.body = Buffer.concat([known.body, payload])
    else if (type === 1 && known !== undefined) known.trailers = this.#fields(payload)
    else if (type === 1) {
      const fields = this.#fields(payload)
      const base = { connection: this, id, fields, body: Buffer.alloc(0), trailers: {}, ended: false, reset: null }
      this.streams.set(id, base)
    }
    const stream = this.streams.get(id)
    if ((type !== 0 && type !== 1) || (flags & 1) === 0 || stream === undefined) return
    stream.ended = true
    onRequest(stream)
  }
}

export type Http2Origin = {
  readonly url: string
  readonly connections: Http2OriginConnection[]
  /** All whole requests in order. */
  readonly requests: OriginStream[]
  waitFor<T>(take: () => T | null, what: string): Promise<T>
  stop(): Promise<void>
}

/** An origin that speaks HTTP/2 without TLS; `answer` writes the frames that answer a whole request. */
export const http2Origin = async (
  answer: (stream: OriginStream) => void,
  first: Buffer = settings(),
): Promise<Http2Origin> => {
  const connections: Http2OriginConnection[] = []
  const requests: OriginStream[] = []
  const watchers = new Set<() => void>()
  const origin: ScriptedOrigin = await scriptedOrigin(raw => {
    const connection = new Http2OriginConnection(raw)
    connections.push(connection)
    return connection.serve(first, stream => {
      requests.push(stream)
      answer(stream)
      for (const watcher of [...watchers]) watcher()
    })
  })
  return {
    url: origin.url,
    connections,
    requests,
    waitFor: (take, what) => {
      let watcher = () => {}
      const work = new Promise<NonNullable<ReturnType<typeof take>>>(resolve => {
        watcher = () => {
          const value = take()
          if (value !== null) resolve(value as never)
        }
        watchers.add(watcher)
        watcher()
      })
      return within(work, () => `${what} at the origin`).finally(() => watchers.delete(watcher)) as never
    },
    stop: () => origin.stop(),
  }
}
