import { errorCodes, type GatewayError } from '#base/errors'
import { uuidv7 } from '#base/ids'
import type { HeaderList } from '#http/headers'
import type { ServerExchange } from '#http/message'

/** What an operation of the admin API gives back. */
export type Answer = {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly headers?: HeaderList
}

/** For everything but the start page: nothing in an answer of the API may be run, framed or kept. */
const strictPolicy = "default-src 'none'; frame-ancestors 'none'"

const baseHeaders = (requestId: string, type: string): HeaderList => [
  ...['date', new Date().toUTCString()],
  ...['content-type', type],
  ...['x-request-id', requestId],
  ...['cache-control', 'no-store'],
  ...['x-content-type-options', 'nosniff'],
  ...['referrer-policy', 'no-referrer'],
  ...['x-frame-options', 'DENY'],
]

export const json = (value: unknown, status = 200): Answer => ({
  status,
  type: 'application/json',
  body: `${JSON.stringify(value)}\n`,
})

export const text = (body: string, type: string): Answer => ({ status: 200, type, body })

/** Problem details (RFC 9457) with the stable code; `instance` is the path that was asked for. */
export const problem = (error: GatewayError, instance: string, requestId: string): Answer => ({
  status: error.status,
  type: 'application/problem+json',
  body: `${JSON.stringify({
    type: `urn:portico:error:${error.code}`,
    title: errorCodes[error.code].title,
    status: error.status,
    detail: error.detail,
    instance,
    code: error.code,
    requestId,
  })}\n`,
  ...(error.headers && { headers: error.headers }),
})

export const newRequestId = (): string => uuidv7()

/** Sends an answer, unless the client has left or something was sent already. */
export const send = (exchange: ServerExchange, answer: Answer, requestId: string): void => {
  if (exchange.responseEnded || exchange.responseStarted) return
  const own = answer.headers ?? []
  const headers = [...baseHeaders(requestId, answer.type), ...own]
  if (!own.includes('content-security-policy')) headers.push('content-security-policy', strictPolicy)
  exchange.respond(answer.status, headers, answer.body)
}
