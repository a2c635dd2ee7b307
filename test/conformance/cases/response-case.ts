import type { ResponseMessage } from '../../read-message.ts'
import { type Level, type Source, sourceOf } from './case.ts'

type Afterwards = 'keep' | 'end' | 'reset'

/** What an origin answers, and what a strict gateway makes of it. */
export type ResponseCase = {
  readonly id: string
  readonly section: string
  readonly level: Level
  /** What the origin sends, and how it goes on; `|` parts what the client gets first from what is sent after that. */
  readonly answer: string
  readonly afterwards: Afterwards
  readonly method?: string
  readonly expect: {
    readonly status: number
    readonly body?: string
    /** Whether the client sees a whole response (default true). */
    readonly complete?: boolean
    /** Whether the gateway may use the connection to the origin again. */
    readonly reused: boolean
    readonly check?: (response: ResponseMessage) => void
  }
  /**
   * What the standard lets any proxy do; null asks nothing of others. `refuse`: an error of its own (5xx), or a response
   * that everybody sees is cut. `pass`: as expected of us. `either`: one of them. Later calls get their own answers always.
   */
  readonly allowed: 'refuse' | 'pass' | 'either' | null
  /** The body of the clear form, where we refuse and others may pass it on. */
  readonly clear?: string
}

type Allowed = ResponseCase['allowed']

export const invalid = (
  id: string,
  source: Source,
  answer: string,
  afterwards: Afterwards = 'keep',
  allowed: Allowed = 'refuse',
): ResponseCase => {
  const { section, level } = sourceOf(source)
  const judged = level === 'engine' ? null : allowed
  return {
    id,
    section,
    level,
    answer,
    afterwards,
    expect: { status: 502, body: undefined, reused: false },
    allowed: judged,
  }
}

/** Refused here; the standard also lets a proxy pass it on in a clear form. */
export const mayRefuse = (
  id: string,
  source: Source,
  answer: string,
  afterwards: Afterwards = 'keep',
): ResponseCase => ({
  ...invalid(id, source, answer, afterwards, 'either'),
  clear: 'ok',
})

/** The head was good and has travelled; what is wrong comes later, so that only a cut can tell the client. */
export const cut = (
  id: string,
  source: Source,
  answer: string,
  afterwards: Afterwards,
  allowed: Allowed = 'refuse',
): ResponseCase => ({
  ...invalid(id, source, answer, afterwards, allowed),
  expect: { status: 200, complete: false, reused: false },
})

export const line = (text: string): string => `${text}\r\nContent-Length: 2\r\n\r\nok`
export const with2 = (...fields: string[]): string =>
  `HTTP/1.1 200 OK\r\n${fields.map(field => `${field}\r\n`).join('')}\r\nok`
export const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
export const whole = '2\r\nok\r\n0\r\n\r\n'
export const length2 = 'Content-Length: 2'

export type Fine = ResponseCase['expect']

export const fine = (
  id: string,
  source: Source,
  answer: string,
  expect: Fine,
  more: Partial<ResponseCase> = {},
): ResponseCase => {
  const { section, level } = sourceOf(source)
  const allowed = level === 'engine' ? null : level === 'MAY' ? 'either' : 'pass'
  return { id, section, level, answer, afterwards: 'keep', expect, allowed, ...more }
}

export const reused = (status = 200, body?: string): Fine => ({ status, body, reused: true })
export const closed = (status = 200, body?: string): Fine => ({ status, body, reused: false })
export const bare = (start: string, ...fields: string[]): string => `${[start, ...fields].join('\r\n')}\r\n\r\n`
