import { GatewayError } from '#base/errors'
import type { Call } from '#gateway/call'
import type { HandlerUnit, UnitContext } from '#gateway/contract'
import { getHeader } from '#http/headers'
import { renderOpenAiError } from './dialects/openai-chat/render-error.ts'
import { readRequest } from './dialects/openai-chat/request.ts'
import { type ListedModel, type Models, modelNames } from './models.ts'
import type { Endpoint, Provider } from './provider.ts'
import { demoProvider } from './providers/demo.ts'
import { openAiProvider } from './providers/openai.ts'
import { aiSchema, type ProviderConfig } from './schema.ts'

const largestBody = 32 * 1024 * 1024

const createProvider = (config: ProviderConfig, context: UnitContext): Provider =>
  config.type === 'demo' ? demoProvider(config) : openAiProvider(config, context)

const shortened = (name: string): string => (name.length > 100 ? `${name.slice(0, 100)}…` : name)

const noModel = (name: string): GatewayError =>
  new GatewayError('model-not-found', {
    detail: `There is no model called "${shortened(name)}". GET /v1/models lists the models there are.`,
  })

const answerModelCall = async (call: Call, endpoint: Endpoint, models: Models): Promise<void> => {
  const encoding = getHeader(call.headers, 'content-encoding')
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    throw new GatewayError('invalid-body', { status: 415, detail: 'The request body must not be compressed.' })
  const request = readRequest(await call.readBody(largestBody))
  const target = models.resolve(request.model)
  if (target === null) throw noModel(request.model)
  const { provider, model } = target
  call.ai = {
    ...{ provider: provider.name, model, tokensIn: null, tokensOut: null, tokensCached: null },
    ...{ costNanoUsd: null, firstTokenAt: null },
  }
  return provider.answer(call, { endpoint, model, request })
}

/** A name in a path may come percent-encoded as a whole, as SDKs send it, or with its slashes as they are. */
const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The AI gateway: answers OpenAI's API in front of all configured providers. */
export const aiHandler: HandlerUnit<typeof aiSchema> = {
  name: 'ai',
  schema: aiSchema,
  renderError: renderOpenAiError,
  create(config, context) {
    const models = modelNames(
      config.models,
      config.providers.map(provider => createProvider(provider, context)),
    )
    const created = Math.floor(Date.now() / 1000)
    const describe = ({ id, owner }: ListedModel) => ({ id, object: 'model', created, owned_by: owner })
    const list = JSON.stringify({ object: 'list', data: [...models.listed.values()].map(describe) })
    const sendJson = (call: Call, body: string) => call.respond(200, ['content-type', 'application/json'], body)
    const base = `${config.path}/v1/`

    return call => {
      const place = call.path.startsWith(base) ? call.path.slice(base.length) : ''
      if (call.method === 'POST') {
        if (place === 'chat/completions' || place === 'embeddings') return answerModelCall(call, place, models)
      } else if (place === 'models') return sendJson(call, list)
      else if (place.startsWith('models/')) {
        const name = decoded(place.slice('models/'.length))
        const model = models.listed.get(name)
        if (model === undefined) throw noModel(name)
        return sendJson(call, JSON.stringify(describe(model)))
      }
      throw new GatewayError('not-found', { detail: `There is nothing at ${shortened(call.path)}.` })
    }
  },
}
