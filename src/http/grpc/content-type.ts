/**
 * How the messages of a request travel: `native` over HTTP/2 with trailers (gRPC over HTTP2, "Requests"), `web` with the
 * trailers in the body, `web-text` the same in base64 (gRPC-Web, "Content-Type").
 */
export type GrpcForm = 'native' | 'web' | 'web-text'

export type GrpcContentType = {
  readonly form: GrpcForm
  /** The message format with its plus sign, e.g. `+proto`; empty when the sender does not say. */
  readonly format: string
}

const pattern = /^application\/grpc(-web(-text(?:-base64)?)?)?(\+[!#$%&'*+\-.^_`|~0-9a-z]+)?[ \t]*(?:;|$)/i

/** Reads the value of Content-Type (or one of Accept); null for everything that is not gRPC. */
export const readGrpcContentType = (value: string | undefined): GrpcContentType | null => {
  const match = value === undefined ? null : pattern.exec(value)
  if (match === null) return null
  const [, web, text, format = ''] = match
  return { form: text !== undefined ? 'web-text' : web !== undefined ? 'web' : 'native', format: format.toLowerCase() }
}

/** The content type of a form, e.g. `application/grpc-web+proto`. */
export const grpcContentType = ({ form, format }: GrpcContentType): string =>
  `application/grpc${form === 'native' ? '' : `-${form}`}${format}`

/** Whether an Accept field asks for text (gRPC-Web, "Text-encoded (response) streams" 1). */
export const acceptsGrpcText = (accept: string): boolean =>
  accept.split(',').some(entry => readGrpcContentType(entry.trim())?.form === 'web-text')
