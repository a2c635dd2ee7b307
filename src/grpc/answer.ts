import { GatewayError } from '#base/errors'
import { readGrpcContentType } from '#http/grpc/content-type'
import { grpcStatusFields, grpcStatusOfHttp } from '#http/grpc/status'
import { getHeader, type HeaderList } from '#http/headers'

/**
 * Throws when the head of an answer is not gRPC: a proxy or a web server on the way said something. Its HTTP status is
 * made into one of gRPC (grpc/doc/http-grpc-status-mapping.md); where there is a `grpc-status` that one counts.
 */
export const checkAnswer = (status: number, headers: HeaderList): void => {
  if (getHeader(headers, 'grpc-status') !== undefined) return
  if (status === 200 && readGrpcContentType(getHeader(headers, 'content-type')) !== null) return
  const detail =
    status === 200
      ? 'The upstream answered with a content type that is not gRPC'
      : `The upstream answered with HTTP status ${status} and no gRPC status`
  throw new GatewayError('upstream-invalid', { detail, headers: grpcStatusFields(grpcStatusOfHttp(status), detail) })
}
