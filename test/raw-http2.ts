import { HpackDecoder } from '#http/http2/hpack-decoder'
import { type RawClient, rawClient } from './raw-connection.ts'

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export type Frame = { type: number; flags: number; streamId: number; payload: Buffer }

/** One frame as bytes (RFC 9113 §4.1). */
export const frame = (type: number, flags: number, streamId: number, payload: Buffer | string = ''): Buffer => {
  const bytes = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload
  const head = Buffer.alloc(9)
  head.writeUIntBE(bytes.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(streamId, 5)
  return Buffer.concat([head, bytes])
}

export const number32 = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index)
  return bytes
}

export const settings = (...pairs: [number, number][]): Buffer => {
  const bytes = Buffer.alloc(6 * pairs.length)
  for (const [index, [id, value]] of pairs.entries()) {
    bytes.writeUInt16BE(id, 6 * index)
    bytes.writeUInt32BE(value, 6 * index + 2)
  }
  return frame(4, 0, 0, bytes)
}

export const data = (streamId: number, payload: Buffer | string, end = false): Buffer =>
  frame(0, end ? 1 : 0, streamId, payload)

export const windowUpdate = (streamId: number, bytes: number): Buffer => frame(8, 0, streamId, number32(bytes))
export const resetStream = (streamId: number, code: number): Buffer => frame(3, 0, streamId, number32(code))

const integer = (value: number, prefix: number, pattern: number): number[] => {
  const mask = (1 << prefix) - 1
  if (value < mask) return [pattern | value]
  const bytes = [pattern | mask]
  let rest = value - mask
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  bytes.push(rest)
  return bytes
}

/** A field block of literals that leave the table alone (RFC 7541 §6.2.2): exactly these bytes, valid or not. */
export const block = (fields: readonly (readonly [string, string])[]): Buffer =>
  Buffer.concat(
    fields.flatMap(([name, value]) => [
      Buffer.from([0, ...integer(name.length, 7, 0)]),
      Buffer.from(name, 'latin1'),
      Buffer.from(integer(value.length, 7, 0)),
      Buffer.from(value, 'latin1'),
    ]),
  )

type Fields = readonly (readonly [string, string])[]

/** HEADERS with all of a block. */
export const headers = (streamId: number, fields: Fields, end: boolean): Buffer =>
  frame(1, end ? 5 : 4, streamId, block(fields))

export const request = (target = '/x', ...more: [string, string][]): [string, string][] => [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', target],
  [':authority', 'a.test'],
  ...more,
]

export const postRequest = (...more: [string, string][]): [string, string][] => [
  [':method', 'POST'],
  ...request('/p', ...more).slice(1),
]

/** What came back on one stream. */
export type Answer = {
  /** Of the final response; 0 when there was none. */
  status: number
  interim: number[]
  fields: Record<string, string>
  trailers: Record<string, string>
  body: Buffer
  /** The code of RST_STREAM, or null. */
  reset: number | null
  ended: boolean
}

const emptyAnswer = (): Answer => ({
  status: 0,
  interim: [],
  fields: {},
  trailers: {},
  body: Buffer.alloc(0),
  reset: null,
  ended: false,
})

/** A client of which a test writes every frame and sees every one that comes back. */
export class RawHttp2 {
  readonly raw: RawClient
  readonly frames: Frame[] = []
  /** The code of GOAWAY, or null. */
  goaway: number | null = null
  readonly goawayFrames: { last: number; code: number; reason: string }[] = []
  readonly answers = new Map<number, Answer>()
  readonly #decoder = new HpackDecoder()

  constructor(raw: RawClient) {
    this.raw = raw
  }

  send(...frames: Buffer[]): void {
    this.raw.send(Buffer.concat(frames))
  }

  answer(streamId: number): Answer {
    const known = this.answers.get(streamId)
    if (known !== undefined) return known
    const made = emptyAnswer()
    this.answers.set(streamId, made)
    return made
  }

  /** Takes all whole frames that have arrived. */
  #take(): void {
    for (;;) {
      const { rest } = this.raw
      if (rest.length < 9) return
      const length = rest.readUIntBE(0, 3)
      if (rest.length < 9 + length) return
      this.raw.taken += 9 + length
      this.#note({
        type: rest[3] as number,
        flags: rest[4] as number,
        streamId: rest.readUInt32BE(5),
        payload: rest.subarray(9, 9 + length),
      })
    }
  }

  #note(one: Frame): void {
    this.frames.push(one)
    const { type, flags, streamId, payload } = one
    if (type === 7) {
      const code = payload.readUInt32BE(4)
      this.goaway = code
      this.goawayFrames.push({ last: payload.readUInt32BE(0), code, reason: payload.toString('latin1', 8) })
    } else if (type === 3) this.answer(streamId).reset = payload.readUInt32BE(0)
    else if (type === 0) {
      const answer = this.answer(streamId)
      answer.body = Buffer.concat([answer.body, payload])
    } else if (type === 1) this.#noteHeaders(this.answer(streamId), payload)
    if ((type === 0 || type === 1) && (flags & 1) !== 0) this.answer(streamId).ended = true
  }

  #noteHeaders(answer: Answer, payload: Buffer): void {
    const fields: Record<string, string> = {}
    this.#decoder.decode(payload, 0, payload.length, {
      onField: ({ text }, value) => {
        fields[text] = fields[text] === undefined ? value : `${fields[text]}, ${value}`
      },
    })
    const status = Number(fields[':status'] ?? 0)
    if (status === 0) answer.trailers = fields
    else if (status < 200) answer.interim.push(status)
    else {
      answer.status = status
      answer.fields = fields
    }
  }

  /** Waits until `take`, asked after every piece that arrives, gives something else than null. */
  waitFor<T>(take: () => T | null, what: string): Promise<T> {
    return this.raw.waitFor(() => {
      this.#take()
      return take()
    }, what)
  }

  /** The whole answer on a stream: until END_STREAM or RST_STREAM. */
  read(streamId: number): Promise<Answer> {
    return this.waitFor(() => {
      const answer = this.answers.get(streamId)
      return answer !== undefined && (answer.ended || answer.reset !== null) ? answer : null
    }, `the answer on stream ${streamId}`)
  }

  /** GOAWAY, and then the end of the connection; gives the code. */
  async readGoaway(): Promise<number> {
    const code = await this.waitFor(() => this.goaway, 'GOAWAY')
    await this.raw.waitClose()
    return code
  }

  /** Waits until the other side has read everything sent so far (it answers PING in order). */
  async settle(): Promise<void> {
    const mark = Buffer.from(String(Math.random()).slice(2, 10).padEnd(8, '0'))
    this.send(frame(6, 0, 0, mark))
    await this.waitFor(
      () =>
        this.frames.some(({ type, flags, payload }) => type === 6 && flags === 1 && payload.equals(mark)) ? true : null,
      'the answer to PING',
    )
  }

  destroy(): void {
    this.raw.destroy()
  }
}

/** Connects, and says hello (RFC 9113 §3.4) with these settings. */
export const rawHttp2 = async (port: number, first: Buffer = settings()): Promise<RawHttp2> => {
  const client = new RawHttp2(await rawClient(port))
  client.send(preface, first)
  return client
}
