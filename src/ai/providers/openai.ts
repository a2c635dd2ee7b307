import type { AiUsage, Call } from '#gateway/call'
import type { UnitContext } from '#gateway/contract'
import type { ResponseFilter } from '#gateway/forward'
import { getHeader, type HeaderList, removeHeader, setHeader } from '#http/headers'
import { answerFilter } from '../dialects/openai-chat/answer-filter.ts'
import { prepareRequest } from '../dialects/openai-chat/request.ts'
import { streamFilter } from '../dialects/openai-chat/stream-filter.ts'
import type { Provider } from '../provider.ts'
import type { ProviderConfig } from '../schema.ts'

/**
 * Fields of the caller that go no further: credentials and cookies are between the caller and the gateway, and an
 * answer must come uncompressed, because its usage is read on the way.
 */
const withheld = new Set([
  ...['authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'proxy-authorization', 'cookie', 'cookie2'],
  ...['accept-encoding', 'content-encoding'],
])

/** Fields of the answer that concern the account of the gateway, not the caller. */
const accountFields = ['set-cookie', 'openai-organization', 'openai-project']

const headersFor = (call: Call, fixed: HeaderList): HeaderList => {
  const headers: HeaderList = []
  for (let i = 0; i < call.headers.length; i += 2) {
    const name = call.headers[i] as string
    if (!withheld.has(name)) headers.push(name, call.headers[i + 1] as string)
  }
  for (let i = 0; i < fixed.length; i += 2) setHeader(headers, fixed[i] as string, fixed[i + 1] as string)
  return headers
}

const filterFor = (status: number, headers: HeaderList, ai: AiUsage, hideUsage: boolean): ResponseFilter | null => {
  for (const name of accountFields) removeHeader(headers, name)
  // Every answer carries the gateway's own request id; the provider's is kept for its support.
  const requestId = getHeader(headers, 'x-request-id')
  removeHeader(headers, 'x-request-id')
  if (requestId !== undefined) headers.push('x-provider-request-id', requestId)
  const encoding = getHeader(headers, 'content-encoding')
  if (status < 200 || status > 299 || (encoding !== undefined && encoding !== 'identity')) return null
  const type = (getHeader(headers, 'content-type') ?? '').toLowerCase()
  if (type.startsWith('text/event-stream')) return streamFilter(ai, hideUsage)
  return type.startsWith('application/json') ? answerFilter(ai) : null
}

/** A provider that speaks the OpenAI API: bodies pass as they are, in both directions. */
export const openAiProvider = (config: ProviderConfig, context: UnitContext): Provider => {
  const { origin, pathname } = new URL(config.baseUrl)
  const basePath = pathname.replace(/\/$/, '')
  const upstream = context.upstream({
    name: `ai/${config.name}`,
    targets: [{ url: origin, weight: 1 }],
    balance: 'round-robin',
    timeouts: config.timeouts,
    retry: { attempts: 2 },
    preserveHost: false,
    headers: [],
  })
  const fixed: HeaderList = ['accept-encoding', 'identity']
  if (config.apiKey !== undefined) fixed.push('authorization', `Bearer ${config.apiKey}`)
  fixed.push(...config.headers)

  return {
    name: config.name,
    models: config.models,
    has: model => model !== '',
    answer(call, { endpoint, model, request }) {
      const ai = call.ai
      if (ai === null) throw new Error('the call has no AI record')
      const wantsUsage = endpoint === 'chat/completions' && config.streamUsage
      const { body, hideUsage } = prepareRequest(request, model, wantsUsage)
      context.forward(call, {
        upstream,
        method: 'POST',
        target: `${basePath}/${endpoint}${call.query === '' ? '' : `?${call.query}`}`,
        headers: headersFor(call, fixed),
        body,
        foreign: true,
        filter: (status, headers) => filterFor(status, headers, ai, hideUsage),
      })
    },
  }
}
