import type { GatewayError } from '#base/errors'
import type { HeaderList } from '../headers.ts'
import { errorCodes } from '../http2/error-codes.ts'

/** The status codes of gRPC (grpc/doc/statuscodes.md). */
export const grpcStatus = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const

const ofHttp: Readonly<Record<number, number>> = {
  400: grpcStatus.INTERNAL,
  401: grpcStatus.UNAUTHENTICATED,
  403: grpcStatus.PERMISSION_DENIED,
  404: grpcStatus.UNIMPLEMENTED,
  429: grpcStatus.UNAVAILABLE,
  431: grpcStatus.INTERNAL,
  502: grpcStatus.UNAVAILABLE,
  503: grpcStatus.UNAVAILABLE,
  504: grpcStatus.UNAVAILABLE,
}

/** What an answer without `grpc-status` means (grpc/doc/http-grpc-status-mapping.md). */
export const grpcStatusOfHttp = (status: number): number => ofHttp[status] ?? grpcStatus.UNKNOWN

const ofReset: Readonly<Record<number, number>> = {
  [errorCodes.refusedStream]: grpcStatus.UNAVAILABLE,
  [errorCodes.cancel]: grpcStatus.CANCELLED,
  [errorCodes.enhanceYourCalm]: grpcStatus.RESOURCE_EXHAUSTED,
  [errorCodes.inadequateSecurity]: grpcStatus.PERMISSION_DENIED,
}

const toHttp: readonly number[] = [
  ...[200, 499, 500, 400, 504, 404, 409, 403],
  ...[429, 400, 409, 400, 501, 500, 503, 500, 401],
]

/** What a status would have been in HTTP (google/rpc/code.proto). */
export const httpStatusOfGrpc = (status: number): number => toHttp[status] ?? 500

/** What RST_STREAM with a code of HTTP/2 means for a call (gRPC over HTTP2, "Errors"). */
export const grpcStatusOfReset = (code: number): number => ofReset[code] ?? grpcStatus.INTERNAL

/** Where the gateway knows more than its HTTP status says. */
const ofCode: Readonly<Record<string, number | undefined>> = {
  'invalid-body': grpcStatus.INVALID_ARGUMENT,
  'invalid-parameter': grpcStatus.INVALID_ARGUMENT,
  'upstream-invalid': grpcStatus.INTERNAL,
}

const ofErrorStatus: Readonly<Record<number, number>> = {
  405: grpcStatus.UNIMPLEMENTED,
  408: grpcStatus.DEADLINE_EXCEEDED,
  412: grpcStatus.FAILED_PRECONDITION,
  413: grpcStatus.RESOURCE_EXHAUSTED,
  414: grpcStatus.INTERNAL,
  429: grpcStatus.RESOURCE_EXHAUSTED,
  431: grpcStatus.RESOURCE_EXHAUSTED,
  499: grpcStatus.CANCELLED,
  500: grpcStatus.INTERNAL,
  501: grpcStatus.UNIMPLEMENTED,
  504: grpcStatus.DEADLINE_EXCEEDED,
}

/** The status of an error that the gateway makes itself: it knows whether a limit or a lack of servers is the reason. */
export const grpcStatusOfError = (error: GatewayError): number =>
  ofCode[error.code] ?? ofErrorStatus[error.status] ?? grpcStatusOfHttp(error.status)

/** Text as the value of `grpc-message` (gRPC over HTTP2, "Responses": Percent-Encoded). */
export const percentEncodeMessage = (text: string): string => {
  let encoded = ''
  for (const byte of Buffer.from(text)) {
    encoded +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}

/** The two fields that end a call. */
export const grpcStatusFields = (status: number, message: string): HeaderList => [
  'grpc-status',
  String(status),
  'grpc-message',
  percentEncodeMessage(message),
]
