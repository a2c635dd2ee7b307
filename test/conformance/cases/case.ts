import assert from 'node:assert/strict'
import type { RequestMessage } from '../../read-message.ts'

/** How strongly the standard asks for what a case checks; `engine` is the project's own rule, no other is held to it. */
export type Level = 'MUST' | 'SHOULD' | 'MAY' | 'engine'

/** The paragraph that decides, and its word: `RFC 9112 §3.2 MUST`. Our own rules are `engine`, with or without a paragraph. */
export type Source = `${string} ${'MUST' | 'SHOULD' | 'MAY'}` | 'engine' | `${string} engine`

/** A check of what reached the origin: the request of the case first. */
export type Check = (request: RequestMessage, requests: readonly RequestMessage[]) => void

/**
 * What the standard lets any proxy do with a message: `refuse` it (an error status, or an end of the connection, or waiting
 * for the rest of what can never be whole; no request reaches the origin), `pass` it on, `either`: refuse it, or pass it
 * on in one clear form, or `answer` it without passing it on. What is passed on must be a valid message, and the answers must stay in step with the requests.
 */
export type Allowed = {
  readonly verdict: 'refuse' | 'pass' | 'either' | 'answer'
  readonly check?: Check
  /** The connection must not be used for a further request. */
  readonly closes?: boolean
  /** The number of answers there must be, where a case has several requests. */
  readonly answers?: number
}

/** What the gateway of this project does, to the letter. */
export type Expected = {
  /** The statuses of the final responses, in order. */
  readonly status: number | readonly number[]
  /** Whether the gateway closes the connection after the last response; otherwise it must serve one more call. */
  readonly closes: boolean
  /** `nothing`: no byte reaches the origin. `no-request`: nothing that is a whole request. Else a check of what it got. */
  readonly origin: 'nothing' | 'no-request' | ((requests: readonly RequestMessage[]) => void)
}

/** One request, or stream of requests. */
export type RequestCase = {
  readonly id: string
  readonly section: string
  readonly level: Level
  readonly send: string | Buffer
  readonly expect: Expected
  /** Null where nothing is asked of others. */
  readonly allowed: Allowed | null
}

/** Splits `RFC 9112 §3.2 MUST` into paragraph and level. */
export const sourceOf = (source: Source): { section: string; level: Level } => {
  const space = source.lastIndexOf(' ')
  return { section: space < 0 ? source : source.slice(0, space), level: source.slice(space + 1) as Level }
}

/** A request head with Host and these lines. */
export const head = (line: string, ...fields: string[]): string =>
  `${[line, 'Host: a.test', ...fields].join('\r\n')}\r\n\r\n`

export const get = (target: string, ...fields: string[]): string => head(`GET ${target} HTTP/1.1`, ...fields)
export const post = (fields: readonly string[], body: string): string => head('POST /p HTTP/1.1', ...fields) + body

/** Exactly these lines. */
export const raw = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`

/** Put behind whatever is refused: a second reader of the framing would take it for a request. */
export const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n'

const bytesOf = (send: string | Buffer): Buffer => (typeof send === 'string' ? Buffer.from(send, 'latin1') : send)

const refusal = (
  id: string,
  source: Source,
  send: string | Buffer,
  expect: Expected,
  allowed: Allowed,
): RequestCase => {
  const { section, level } = sourceOf(source)
  const whole = Buffer.concat([bytesOf(send), Buffer.from(smuggled)])
  return { id, section, level, send: whole, expect, allowed: level === 'engine' ? null : allowed }
}

const nothing = (status: number): Expected => ({ status, closes: true, origin: 'nothing' })
const noRequest: Expected = { status: 400, closes: true, origin: 'no-request' }

/** Must not be taken for a request by anybody. */
export const refuses = (id: string, source: Source, send: string | Buffer, status = 400): RequestCase =>
  refusal(id, source, send, nothing(status), { verdict: 'refuse' })

/** Refused here; the standard also lets a proxy pass it on in one clear form, for which `clear` holds. */
export const mayRefuse = (
  id: string,
  source: Source,
  send: string | Buffer,
  clear: Partial<Allowed> = {},
  status = 400,
): RequestCase => refusal(id, source, send, nothing(status), { verdict: 'either', ...clear })

/** Refused inside the body: the head may have travelled already, a whole request must not. */
export const refusesBody = (id: string, source: Source, send: string): RequestCase =>
  refusal(id, source, send, noRequest, { verdict: 'refuse' })

/** As `refusesBody`; the standard also lets a proxy read it in one clear way. */
export const mayRefuseBody = (id: string, source: Source, send: string, clear: Partial<Allowed> = {}): RequestCase =>
  refusal(id, source, send, noRequest, { verdict: 'either', ...clear })

/** Passed on. `check` is asked of us; also of others where the level is not `engine`, unless `allowed` says less. */
export const passes = (
  id: string,
  source: Source,
  send: string | Buffer,
  check: Check = () => {},
  allowed: Partial<Allowed> = {},
): RequestCase => {
  const { section, level } = sourceOf(source)
  return {
    id,
    section,
    level,
    send,
    expect: {
      status: 200,
      closes: false,
      origin: requests => {
        assert.equal(requests.length, 1, `the origin got ${requests.map(request => request.startLine).join(' | ')}`)
        check(requests[0] as RequestMessage, requests)
      },
    },
    allowed: level === 'engine' ? null : { verdict: 'pass', check, ...allowed },
  }
}

/** The case with another idea of what others may do. */
export const exchanges = (
  id: string,
  source: Source,
  send: string,
  expect: Expected,
  allowed: Allowed,
): RequestCase => {
  const { section, level } = sourceOf(source)
  return { id, section, level, send, expect, allowed: level === 'engine' ? null : allowed }
}
