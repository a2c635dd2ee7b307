import type { Call } from '#gateway/call'
import type { ForwardOptions, RequestFilter, ResponseFilter } from '#gateway/forward'
import { Base64Decoder, encodeBase64 } from '#http/grpc/base64'
import { type GrpcContentType, grpcContentType, readGrpcContentType } from '#http/grpc/content-type'
import { FrameTracker, trailerFrame } from '#http/grpc/frames'
import { grpcStatus, grpcStatusFields } from '#http/grpc/status'
import { getHeader, type HeaderList, setHeader, truncate } from '#http/headers'
import { checkAnswer } from './answer.ts'
import { answerTypeOf, errorFields, noteStatus, verdictOf } from './render-error.ts'

/** Fields of a Trailers-Only answer that belong to HTTP; all others are what would have come at the end. */
const httpFields = new Set(
  'alt-svc cache-control content-type date server set-cookie strict-transport-security vary via'.split(' '),
)

/** Moves the trailers out of the head of an answer that has nothing else (gRPC over HTTP2, "Responses": Trailers-Only). */
const trailersOnly = (headers: HeaderList): HeaderList | null => {
  if (getHeader(headers, 'grpc-status') === undefined) return null
  const trailers: HeaderList = []
  let kept = 0
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    const value = headers[i + 1] as string
    if (!httpFields.has(name)) trailers.push(name, value)
    else {
      headers[kept++] = name
      headers[kept++] = value
    }
  }
  truncate(headers, kept)
  return trailers
}

const missingStatus = grpcStatusFields(grpcStatus.UNKNOWN, 'The upstream ended the call without a status')

/** Lets messages pass and puts the trailers behind them as a frame of their own (gRPC-Web, "Message framing" 1–3). */
class WebAnswer implements ResponseFilter {
  readonly rewrites = true
  readonly takesTrailers = true
  readonly #call: Call
  readonly #text: boolean
  readonly #messages = new FrameTracker()
  readonly #early: HeaderList | null

  constructor(call: Call, text: boolean, early: HeaderList | null) {
    this.#call = call
    this.#text = text
    this.#early = early
  }

  data(chunk: Buffer): Buffer {
    this.#messages.data(chunk)
    return this.#text ? encodeBase64(chunk) : chunk
  }

  end(trailers: HeaderList | null): Buffer {
    const said = trailers ?? this.#early ?? []
    const last = getHeader(said, 'grpc-status') === undefined ? [...missingStatus, ...said] : said
    noteStatus(this.#call, last)
    return this.#frame(last)
  }

  get verdict(): number {
    return verdictOf(this.#call)
  }

  /** The last frame after an error; null in the middle of a message, where it would be read as part of that. */
  broken(fields: HeaderList): Buffer | null {
    return this.#messages.whole ? this.#frame(fields) : null
  }

  #frame(trailers: HeaderList): Buffer {
    const frame = trailerFrame(trailers)
    return this.#text ? encodeBase64(frame) : frame
  }
}

const textRequest = (): RequestFilter => {
  const decoder = new Base64Decoder()
  return { data: chunk => decoder.data(chunk), end: () => decoder.end() }
}

/** The part of forwarding that turns a call of gRPC-Web into one of gRPC, and its answer back. */
export const webOptions = (
  call: Call,
  type: GrpcContentType,
): Pick<ForwardOptions, 'requestFilter' | 'filter' | 'conclude'> => {
  const { form } = answerTypeOf(call, type)
  let answer: WebAnswer | null = null
  const filter: ForwardOptions['filter'] = (status, headers) => {
    checkAnswer(status, headers)
    const format = readGrpcContentType(getHeader(headers, 'content-type'))?.format
    const early = trailersOnly(headers)
    setHeader(headers, 'content-type', grpcContentType({ form, format: format || type.format }))
    answer = new WebAnswer(call, form === 'web-text', early)
    return answer
  }
  const conclude: ForwardOptions['conclude'] = error => {
    const last = answer?.broken(errorFields(call, error)) ?? null
    if (last === null) return false
    call.exchange.write(last)
    call.exchange.end(null)
    return true
  }
  return type.form === 'web-text' ? { requestFilter: textRequest(), filter, conclude } : { filter, conclude }
}
