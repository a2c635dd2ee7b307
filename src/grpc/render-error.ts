import type { GatewayError } from '#base/errors'
import type { Call } from '#gateway/call'
import { encodeBase64 } from '#http/grpc/base64'
import { acceptsGrpcText, type GrpcContentType, grpcContentType, readGrpcContentType } from '#http/grpc/content-type'
import { trailerFrame } from '#http/grpc/frames'
import { grpcStatus, grpcStatusFields, grpcStatusOfError, httpStatusOfGrpc } from '#http/grpc/status'
import { getHeader, type HeaderList } from '#http/headers'

/** How a call speaks gRPC; null when it does not. Never asked for calls that go well on HTTP/1.1 upstreams. */
export const grpcTypeOf = (call: Call): GrpcContentType | null =>
  readGrpcContentType(getHeader(call.headers, 'content-type'))

/** The form of the answer: a caller of gRPC-Web may send bytes and ask for text. */
export const answerTypeOf = (call: Call, type: GrpcContentType): GrpcContentType => {
  if (type.form !== 'web') return type
  const accept = getHeader(call.headers, 'accept')
  return accept !== undefined && acceptsGrpcText(accept) ? { ...type, form: 'web-text' } : type
}

/** Notes the status that stands in these fields for the record of the call. */
export const noteStatus = (call: Call, fields: HeaderList): void => {
  const text = getHeader(fields, 'grpc-status')
  if (text !== undefined) call.grpcStatus = /^\d\d?$/.test(text) ? Number(text) : grpcStatus.UNKNOWN
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

/** The fields that tell a caller of an error; an error may bring its own status along. */
export const errorFields = (call: Call, error: GatewayError): HeaderList => {
  const fields = fieldsOf(error)
  noteStatus(call, fields)
  return fields
}

const fieldsOf = (error: GatewayError): HeaderList => {
  const own = error.headers ?? []
  const fields = own.includes('grpc-status')
    ? own
    : [...grpcStatusFields(grpcStatusOfError(error), error.detail), ...own]
  return error.status === 503 && !fields.includes('retry-after') ? [...fields, 'retry-after', '1'] : fields
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
  const frame = trailerFrame([...fields, 'x-request-id', call.requestId])
  return { status: 200, headers, body: answer.form === 'web-text' ? encodeBase64(frame) : frame }
}
