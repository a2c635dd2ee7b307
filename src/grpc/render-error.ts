import { mayBeTimeoutOf, monotonicMs } from '#base/clock'
import type { GatewayError } from '#base/errors'
import type { Call } from '#gateway/call'
import { encodeBase64 } from '#http/grpc/base64'
import { acceptsGrpcText, type GrpcContentType, grpcContentType, readGrpcContentType } from '#http/grpc/content-type'
import { trailerFrame } from '#http/grpc/frames'
import { grpcStatus, grpcStatusFields, grpcStatusOfError, grpcStatusOfReset, httpStatusOfGrpc } from '#http/grpc/status'
import { readGrpcTimeout } from '#http/grpc/timeout'
import { getHeader, type HeaderList } from '#http/headers'
import { StreamReset } from '#http/http2/error-codes'

/** How a call speaks gRPC; null when it does not. Never asked for calls that go well on HTTP/1.1 upstreams. */
export const grpcTypeOf = (call: Call): GrpcContentType | null =>
  readGrpcContentType(getHeader(call.headers, 'content-type'))

/** The form of the answer: a caller of gRPC-Web may send bytes and ask for text. */
export const answerTypeOf = (call: Call, type: GrpcContentType): GrpcContentType => {
  if (type.form !== 'web') return type
  const accept = getHeader(call.headers, 'accept')
  return accept !== undefined && acceptsGrpcText(accept) ? { ...type, form: 'web-text' } : type
}

/** Notes the status that stands in these fields for the record of the call; false when there is none. */
export const noteStatus = (call: Call, fields: HeaderList): boolean => {
  const text = getHeader(fields, 'grpc-status')
  if (text === undefined) return false
  call.grpcStatus = /^\d\d?$/.test(text) ? Number(text) : grpcStatus.UNKNOWN
  return true
}

/**
 * How a call that came to its end went for its target; one without a status went wrong. Time that the caller did not give
 * is no fault of the target.
 */
export const verdictOf = (call: Call): number => {
  const status = call.grpcStatus ?? grpcStatus.UNKNOWN
  const hurried = status === grpcStatus.DEADLINE_EXCEEDED && getHeader(call.headers, 'grpc-timeout') !== undefined
  return httpStatusOfGrpc(hurried ? grpcStatus.CANCELLED : status)
}

/** monotonicMs() when the caller gives up; Infinity when it never does. */
const deadlineOf = (call: Call): number =>
  call.startedMono + (readGrpcTimeout(getHeader(call.headers, 'grpc-timeout') ?? '') ?? Number.POSITIVE_INFINITY)

const statusOf = (call: Call, error: GatewayError): number => {
  // No connection in time: another try may find one.
  if (error.code === 'upstream-timeout' && error.retry === 'yes')
    return mayBeTimeoutOf(deadlineOf(call)) ? grpcStatus.DEADLINE_EXCEEDED : grpcStatus.UNAVAILABLE
  if (error.source !== 'upstream') return grpcStatusOfError(error)
  // The service counts too, and may be the first to give up.
  if (deadlineOf(call) <= monotonicMs()) return grpcStatus.DEADLINE_EXCEEDED
  return error.cause instanceof StreamReset ? grpcStatusOfReset(error.cause.code) : grpcStatusOfError(error)
}

/** The fields that tell a caller of an error; an error may bring its own status along. */
export const errorFields = (call: Call, error: GatewayError): HeaderList => {
  const fields: HeaderList = [...(error.headers ?? [])]
  if (getHeader(fields, 'grpc-status') === undefined)
    fields.unshift(...grpcStatusFields(statusOf(call, error), error.detail))
  if (error.status === 503 && getHeader(fields, 'retry-after') === undefined) fields.push('retry-after', '1')
  noteStatus(call, fields)
  return fields
}

/**
 * An error of the gateway as the status of a call: HTTP 200 with Trailers-Only (gRPC over HTTP2, "Responses"). In gRPC-Web
 * the status is a frame of the body, since a page of another origin sees only the headers that CORS exposes to it.
 */
export const renderGrpcError = (
  call: Call,
  error: GatewayError,
): { status: number; headers: HeaderList; body: Buffer | null } | null => {
  const type = grpcTypeOf(call)
  if (type === null) return null
  const answer = answerTypeOf(call, type)
  const headers: HeaderList = ['content-type', grpcContentType(answer)]
  const fields = errorFields(call, error)
  if (answer.form === 'native') return { status: 200, headers: [...headers, ...fields], body: null }
  // Clients see head and frame as one; a page of another origin sees only the frame.
  if (getHeader(call.headers, 'origin') !== undefined) fields.push('x-request-id', call.requestId)
  const frame = trailerFrame(fields)
  return { status: 200, headers, body: answer.form === 'web-text' ? encodeBase64(frame) : frame }
}
