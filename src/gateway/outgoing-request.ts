import type { OutgoingRequest } from '#http/client'
import type { ServerExchange } from '#http/message'
import type { ForwardOptions } from './forward-options.ts'
import type { GatewayCall } from './gateway-call.ts'
import type { Target } from './target.ts'

/** Bytes of the body that will be sent, or -1 when that is not known before its end. */
const lengthOf = (exchange: ServerExchange, { body, requestFilter }: ForwardOptions): number => {
  if (body !== undefined) return body.length
  if (exchange.framing === 'none') return 0
  const kept = requestFilter === undefined || requestFilter.keepsLength === true
  return exchange.framing === 'length' && kept ? exchange.contentLength : -1
}

/**
 * The request of one try at `target`; `left` is the time in milliseconds until the whole call must be over; `webSocket` asks
 * for one (src/gateway/websocket-opening.ts).
 */
export const outgoingRequest = (
  call: GatewayCall,
  options: ForwardOptions,
  target: Target,
  fields: string,
  left: number,
  webSocket: boolean,
): OutgoingRequest => {
  const { exchange } = call
  const { body, patient, upstream } = options
  const { timeouts, preserveHost } = upstream.config
  const { perTryTimeout } = upstream.guard.retry
  const silence = patient === true ? Number.POSITIVE_INFINITY : timeouts.response
  // An empty query is not the same as none (RFC 3986 §6.2.3).
  const question = call.query !== '' || exchange.target.endsWith('?') ? '?' : ''
  const path = options.target ?? call.forwardPath + question + call.query
  return {
    method: options.method ?? call.method,
    target: target.basePath + path,
    host: options.host ?? (preserveHost && exchange.host !== '' ? exchange.host : target.authority),
    fields,
    length: lengthOf(exchange, options),
    body: body ?? null,
    upgrade: webSocket ? 'websocket' : null,
    connectTimeout: Math.min(timeouts.connect, perTryTimeout),
    responseTimeout: Math.min(silence, perTryTimeout),
    idleTimeout: patient === true ? silence : (timeouts.idle ?? timeouts.response),
    totalTimeout: left,
  }
}
