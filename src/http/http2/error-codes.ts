/** RFC 9113 §7: why a stream or a connection ends. */
export const errorCodes = {
  noError: 0x0,
  protocolError: 0x1,
  internalError: 0x2,
  flowControlError: 0x3,
  streamClosed: 0x5,
  frameSizeError: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  compressionError: 0x9,
  enhanceYourCalm: 0xb,
  inadequateSecurity: 0xc,
  http11Required: 0xd,
} as const

/** RST_STREAM of the other side: the cause of the error of its stream. */
export class StreamReset extends Error {
  readonly code: number

  constructor(code: number) {
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 0
    super(`The stream was reset with code ${code}`)
    Error.stackTraceLimit = limit
    this.code = code
  }
}

/** Ends a whole connection with GOAWAY (RFC 9113 §5.4.1). Made for peers that misbehave, so it carries no stack. */
export class ConnectionError extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 0
    super(message)
    Error.stackTraceLimit = limit
    this.code = code
  }
}

export const protocolError = (message: string): ConnectionError =>
  new ConnectionError(errorCodes.protocolError, message)
