/** Who is to blame when a call fails; decides the status class and what the caller may be told. */
export type ErrorSource = 'client' | 'upstream' | 'gateway'

/**
 * Whether the same call may be sent again: `if-reused` means only when the connection had been used
 * before, because then its death says nothing about the request.
 */
export type Retry = 'yes' | 'no' | 'if-reused'

type ErrorEntry = { readonly status: number; readonly source: ErrorSource; readonly title: string }

/**
 * Every code the gateway can answer with. Codes are part of the interface: they are never renamed and never
 * reused, and docs/errors.md explains each of them (a test compares both lists).
 */
export const errorCodes = {
  'bad-request': { status: 400, source: 'client', title: 'The request is not valid HTTP' },
  'invalid-body': { status: 400, source: 'client', title: 'The request body is not valid' },
  'invalid-parameter': { status: 400, source: 'client', title: 'A parameter is not valid' },
  'missing-credentials': { status: 401, source: 'client', title: 'Credentials are missing' },
  'invalid-credentials': { status: 401, source: 'client', title: 'Credentials are not valid' },
  'client-certificate-missing': { status: 403, source: 'client', title: 'A client certificate is missing' },
  'client-certificate-refused': { status: 403, source: 'client', title: 'The client certificate is not accepted' },
  'address-not-allowed': { status: 403, source: 'client', title: 'The client address is not allowed' },
  'not-allowed': { status: 403, source: 'client', title: 'The consumer is not allowed to do this' },
  'no-route': { status: 404, source: 'client', title: 'No route matches the request' },
  'not-found': { status: 404, source: 'client', title: 'There is no such resource' },
  'model-not-found': { status: 404, source: 'client', title: 'There is no such model' },
  'method-not-allowed': { status: 405, source: 'client', title: 'The route does not allow this method' },
  'request-timeout': { status: 408, source: 'client', title: 'The request took too long to arrive' },
  conflict: { status: 412, source: 'client', title: 'The resource has changed meanwhile' },
  'body-too-large': { status: 413, source: 'client', title: 'The request body is too large' },
  'target-too-long': { status: 414, source: 'client', title: 'The request target is too long' },
  'expectation-failed': { status: 417, source: 'client', title: 'The expectation cannot be met' },
  'websocket-version': { status: 426, source: 'client', title: 'The WebSocket version is not supported' },
  'rate-limited': { status: 429, source: 'client', title: 'Too many requests' },
  'head-too-large': { status: 431, source: 'client', title: 'The request head is too large' },
  'client-closed': { status: 499, source: 'client', title: 'The client closed the connection before the answer' },
  internal: { status: 500, source: 'gateway', title: 'The gateway made a mistake' },
  'not-implemented': { status: 501, source: 'gateway', title: 'The gateway does not implement this' },
  'upstream-unreachable': { status: 502, source: 'upstream', title: 'The upstream cannot be reached' },
  'upstream-invalid': { status: 502, source: 'upstream', title: 'The upstream answered with invalid HTTP' },
  'upstream-closed': { status: 502, source: 'upstream', title: 'The upstream closed the connection' },
  'upstream-tls': { status: 502, source: 'upstream', title: 'The TLS connection to the upstream failed' },
  'no-healthy-target': { status: 503, source: 'upstream', title: 'No target of the upstream is available' },
  'circuit-open': { status: 503, source: 'upstream', title: 'Most calls to the upstream fail at the moment' },
  overloaded: { status: 503, source: 'gateway', title: 'The gateway is at its limit' },
  draining: { status: 503, source: 'gateway', title: 'The gateway is shutting down' },
  'upstream-timeout': { status: 504, source: 'upstream', title: 'The upstream took too long' },
  'version-not-supported': { status: 505, source: 'client', title: 'The HTTP version is not supported' },
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof errorCodes

export type GatewayErrorOptions = {
  /** One sentence for the caller; must not hold addresses of upstreams or secrets. */
  detail?: string
  source?: ErrorSource
  status?: number
  retry?: Retry
  /** Extra response headers, a flat list of lower-case names and values (`['retry-after', '3']`). */
  headers?: string[]
  cause?: unknown
}

/** The one error type of the data path: what happened, whose fault it is, and whether to try again. */
export class GatewayError extends Error {
  readonly code: ErrorCode
  readonly status: number
  readonly source: ErrorSource
  readonly retry: Retry
  readonly detail: string
  readonly headers: string[] | null

  constructor(code: ErrorCode, options: GatewayErrorOptions = {}) {
    const entry = errorCodes[code]
    // These errors are answers, not bugs: under attack thousands are made per second, and a stack trace for each
    // would cost more than the refusal itself. A bug's stack is in `cause`.
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 0
    super(options.detail ?? entry.title, options.cause === undefined ? undefined : { cause: options.cause })
    Error.stackTraceLimit = limit
    this.name = 'GatewayError'
    this.code = code
    this.status = options.status ?? entry.status
    this.source = options.source ?? entry.source
    this.retry = options.retry ?? 'no'
    this.detail = options.detail ?? entry.title
    this.headers = options.headers ?? null
  }
}

/** Turns anything thrown into a GatewayError; what is not one already is the gateway's own fault. */
export const toGatewayError = (error: unknown): GatewayError =>
  error instanceof GatewayError ? error : new GatewayError('internal', { cause: error })

/** A mistake of the person who wrote a command line or a file: printed as it is, without a stack trace. */
export class UserError extends Error {
  readonly exitCode: number
  constructor(message: string, exitCode = 1) {
    super(message)
    this.name = 'UserError'
    this.exitCode = exitCode
  }
}
