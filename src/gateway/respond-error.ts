import { type ErrorCode, errorCodes, type GatewayError } from '#base/errors'
import type { HeaderList } from '#http/headers'
import { httpDate } from '#http/http-date'

/** RFC 9209 §2.3: the error types of Proxy-Status for what the gateway itself answers. */
const proxyErrors: Partial<Record<ErrorCode, string>> = {
  'no-route': 'http_request_denied',
  'upstream-unreachable': 'connection_refused',
  'upstream-closed': 'connection_terminated',
  'upstream-invalid': 'http_protocol_error',
  'upstream-tls': 'tls_protocol_error',
  'upstream-timeout': 'http_response_timeout',
  'no-healthy-target': 'destination_unavailable',
  'circuit-open': 'destination_unavailable',
  overloaded: 'connection_limit_reached',
  internal: 'proxy_internal_error',
  'not-implemented': 'http_request_denied',
}

const proxyStatus = (error: GatewayError): string => {
  const type = proxyErrors[error.code] ?? (error.status < 500 ? 'http_request_error' : 'proxy_internal_error')
  return `portico; error=${type}`
}

/**
 * The one place where an error becomes an answer: problem details (RFC 9457) with the stable code and the request id.
 * Causes and upstream addresses stay in the log.
 */
export const renderProblem = (
  error: GatewayError,
  requestId: string,
  instance: string,
): { status: number; headers: HeaderList; body: string } => {
  const headers: HeaderList = ['content-type', 'application/problem+json', 'date', httpDate()]
  if (error.headers !== null) headers.push(...error.headers)
  headers.push('proxy-status', proxyStatus(error))
  if (error.status === 503 && !headers.includes('retry-after')) headers.push('retry-after', '1')
  const body = JSON.stringify({
    type: `urn:portico:error:${error.code}`,
    title: errorCodes[error.code].title,
    status: error.status,
    detail: error.detail,
    instance,
    code: error.code,
    requestId,
  })
  return { status: error.status, headers, body: `${body}\n` }
}
