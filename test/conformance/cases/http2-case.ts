import { errorCodes as codes } from '#http/http2/error-codes'
import { headers, postRequest, request } from '../../raw-http2.ts'
import type { RequestMessage } from '../../read-message.ts'
import { type Level, type Source, sourceOf } from './case.ts'

/** Frames on a connection of HTTP/2, and what a strict gateway does with them. */
export type Http2Case = {
  readonly id: string
  readonly section: string
  readonly level: Level
  readonly send: readonly Buffer[]
  /** A status; `reset` a code of RST_STREAM on stream 1; `goaway` that of the connection. */
  readonly expect: { status?: number; reset?: number; goaway?: number | readonly number[] }
  /** Checks the one request that reached the origin; null when none may. */
  readonly origin?: ((request: RequestMessage) => void) | null
  /**
   * What the standard lets any proxy do; null asks nothing of others. `refuse`: an error status, the end of the stream, or
   * that of the connection, and no whole request at the origin; `pass`: 200 and what the origin got; `either`: one of them;
   * `end`: the end of the connection.
   */
  readonly allowed: 'refuse' | 'pass' | 'either' | 'end' | null
  /** What others are asked to pass on, where it is less than is asked of us. */
  readonly check?: (request: RequestMessage) => void
}

type Allowed = Http2Case['allowed']
type Rest = Pick<Http2Case, 'send' | 'expect'> & Partial<Http2Case>

const made = (id: string, source: Source, allowed: Allowed, rest: Rest): Http2Case => {
  const { section, level } = sourceOf(source)
  return { id: `h2-${id}`, section, level, allowed: level === 'engine' ? null : allowed, ...rest }
}

export const post = (fields: [string, string][], ...bodies: Buffer[]): Buffer[] => [
  headers(1, postRequest(...fields), false),
  ...bodies,
]

export const passes = (
  id: string,
  source: Source,
  send: readonly Buffer[],
  origin: (request: RequestMessage) => void = () => {},
  check: (request: RequestMessage) => void = origin,
): Http2Case => made(id, source, 'pass', { send, expect: { status: 200 }, origin, check })

/** Malformed: answered with 400 and reset (§8.1.1). */
export const malformed = (
  id: string,
  source: Source,
  fields: [string, string][],
  allowed: Allowed = 'refuse',
): Http2Case =>
  made(id, source, allowed, {
    send: [headers(1, fields, true)],
    expect: { status: 400, reset: codes.protocolError },
    origin: null,
  })

/** Malformed for us; the standard also lets a gateway pass it on, if what the origin gets is clear. */
export const mayBeMalformed = (id: string, source: Source, fields: [string, string][]): Http2Case =>
  malformed(id, source, fields, 'either')

export const refused = (id: string, source: Source, send: readonly Buffer[], status: number): Http2Case =>
  made(id, source, 'either', { send, expect: { status }, origin: null })

export const resets = (id: string, source: Source, send: readonly Buffer[], reset: number): Http2Case =>
  made(id, source, 'refuse', { send, expect: { reset } })

export const breaks = (
  id: string,
  source: Source,
  send: readonly Buffer[],
  goaway: number | readonly number[],
): Http2Case => made(id, source, 'end', { send, expect: { goaway } })

export const replaced = (name: string, value: string): [string, string][] =>
  request().map(([field, text]) => [field, field === name ? value : text])
export const withoutField = (name: string): [string, string][] => request().filter(([field]) => field !== name)
