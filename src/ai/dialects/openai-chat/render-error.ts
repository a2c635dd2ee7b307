import type { ErrorCode, GatewayError } from '#base/errors'
import type { HeaderList } from '#http/headers'

type OpenAiError = { type: string; code: string; param?: string }

/** What OpenAI's own API says in the same situation; clients decide by these words what to do next. */
const known: Partial<Record<ErrorCode, OpenAiError>> = {
  'missing-credentials': { type: 'invalid_request_error', code: 'missing_api_key' },
  'invalid-credentials': { type: 'invalid_request_error', code: 'invalid_api_key' },
  'model-not-found': { type: 'invalid_request_error', code: 'model_not_found', param: 'model' },
  'no-route': { type: 'invalid_request_error', code: 'unknown_url' },
  'not-found': { type: 'invalid_request_error', code: 'unknown_url' },
  'method-not-allowed': { type: 'invalid_request_error', code: 'method_not_supported' },
  'rate-limited': { type: 'requests', code: 'rate_limit_exceeded' },
}

const describe = ({ code, status }: GatewayError): OpenAiError =>
  known[code] ?? {
    type: status >= 500 ? 'server_error' : 'invalid_request_error',
    code: code.replaceAll('-', '_'),
  }

/** An error of the gateway as the OpenAI API would tell it. The request id is in the headers of every answer. */
export const renderOpenAiError = (
  error: GatewayError,
  _requestId: string,
): { status: number; headers: HeaderList; body: string } => {
  const headers: HeaderList = ['content-type', 'application/json', ...(error.headers ?? [])]
  if (error.status === 503 && !headers.includes('retry-after')) headers.push('retry-after', '1')
  const { type, code, param = null } = describe(error)
  return {
    status: error.status,
    headers,
    body: JSON.stringify({ error: { message: error.detail, type, param, code } }),
  }
}
