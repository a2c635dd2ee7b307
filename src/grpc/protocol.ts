import { monotonicMs } from '#base/clock'
import { GatewayError } from '#base/errors'
import type { Call } from '#gateway/call'
import type { ProtocolUnit } from '#gateway/contract'
import type { ResponseFilter } from '#gateway/forward'
import { type GrpcContentType, grpcContentType } from '#http/grpc/content-type'
import { grpcStatus } from '#http/grpc/status'
import { grpcTimeout, readGrpcTimeout } from '#http/grpc/timeout'
import { getHeader, type HeaderList } from '#http/headers'
import { checkAnswer } from './answer.ts'
import { errorFields, grpcTypeOf, noteStatus, renderGrpcError, verdictOf } from './render-error.ts'
import { webOptions } from './web.ts'

/** monotonicMs() when the caller gives up; Infinity when it never does. Throws `bad-request`, `upstream-timeout`. */
const deadlineOf = (call: Call): number => {
  const text = getHeader(call.headers, 'grpc-timeout')
  if (text === undefined) return Number.POSITIVE_INFINITY
  const timeout = readGrpcTimeout(text)
  if (timeout === null) throw new GatewayError('bad-request', { detail: 'The grpc-timeout is malformed' })
  return call.startedMono + timeout
}

/** Written anew for the upstream, or about the way from the browser to here. */
const ownFields = new Set(['te', 'grpc-timeout', 'content-type', 'x-grpc-web'])

/** The head for the upstream; `remaining` is the time in milliseconds that is left for the answer. */
const headersFor = (call: Call, type: GrpcContentType, remaining: number): HeaderList => {
  const fields: HeaderList = ['te', 'trailers', 'content-type', grpcContentType({ ...type, form: 'native' })]
  if (remaining !== Number.POSITIVE_INFINITY) fields.unshift('grpc-timeout', grpcTimeout(remaining))
  const { headers } = call
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (!ownFields.has(name)) fields.push(name, headers[i + 1] as string)
  }
  return fields
}

/** Reads how a call ended while everything passes as it is. */
class StatusReader implements ResponseFilter {
  readonly rewrites = false
  readonly #call: Call
  readonly #early: boolean

  constructor(call: Call, headers: HeaderList) {
    this.#call = call
    this.#early = noteStatus(call, headers)
  }

  data(chunk: Buffer): Buffer {
    return chunk
  }

  end(trailers: HeaderList | null): null {
    // Without a status the caller makes one (gRPC over HTTP2, "Responses").
    if (!noteStatus(this.#call, trailers ?? []) && !this.#early) this.#call.grpcStatus = grpcStatus.UNKNOWN
    return null
  }

  get verdict(): number {
    return verdictOf(this.#call)
  }
}

const nativeOptions = (call: Call) => ({
  filter(status: number, headers: HeaderList) {
    checkAnswer(status, headers)
    return new StatusReader(call, headers)
  },
  conclude(error: GatewayError) {
    call.exchange.end(errorFields(call, error))
    return true
  },
})

/**
 * gRPC and gRPC-Web in front of upstreams that speak HTTP/2. Messages are never looked at: bytes, metadata and trailers
 * pass; deadlines and errors are what the gateway takes part in.
 */
export const grpc: ProtocolUnit = {
  name: 'grpc',
  forward(call, upstream, forward) {
    const type = call.method === 'POST' ? grpcTypeOf(call) : null
    if (type === null) return false
    const now = monotonicMs()
    const deadline = deadlineOf(call)
    if (deadline <= now)
      throw new GatewayError('upstream-timeout', { detail: 'The deadline passed before the call was forwarded' })
    if (type.form === 'native') call.exchange.patient = true
    // Whatever else happens is noted when it does.
    call.grpcStatus = grpcStatus.CANCELLED
    forward(call, {
      upstream,
      headers: headersFor(call, type, Math.min(deadline - now, upstream.config.timeouts.total)),
      deadline,
      patient: true,
      ...(type.form === 'native' ? nativeOptions(call) : webOptions(call, type)),
    })
    return true
  },
  renderError: renderGrpcError,
}
