import { z } from 'zod'
import { duration } from '#base/schema'
import { isFieldValue, isToken } from '#http/headers'

const unsupported = 'is not supported by this version'

const providerName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and dashes')
  .meta({ description: 'Name of the provider; its models are called as `name/model`.' })

const modelName = z
  .string()
  .max(200, 'is longer than 200 characters')
  .regex(/^[^\s\p{Cc}]+$/u, 'must be one word without white space')

/** `https://api.openai.com/v1/` and the same without the last slash mean the same base. */
const baseUrl = z
  .string()
  .transform((text, context) => {
    const url = URL.parse(text)
    if (url === null) context.addIssue('is not a URL: write it like https://api.openai.com/v1')
    else if (url.protocol !== 'http:' && url.protocol !== 'https:')
      context.addIssue('must begin with http:// or https://')
    else if (url.username !== '' || url.password !== '') context.addIssue('must not hold credentials: use apiKey')
    else if (url.search !== '' || url.hash !== '') context.addIssue('must not hold a query or a fragment')
    else return url.origin + url.pathname.replace(/\/+$/, '')
    return z.NEVER
  })
  .meta({ description: 'Base URL as OpenAI SDKs take it; `/chat/completions` is added to it.' })

/** Fields that the gateway writes itself. */
const ownFields = new Set([
  ...['accept-encoding', 'connection', 'content-length', 'content-type', 'expect', 'host', 'keep-alive'],
  ...['proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
])

const headers = z
  .record(z.string(), z.string())
  .default({})
  .transform((map, context) => {
    const list: string[] = []
    for (const [name, value] of Object.entries(map)) {
      const issue = (message: string) => context.addIssue({ code: 'custom', message, path: [name] })
      const lower = name.toLowerCase()
      if (!isToken(name)) issue('is not a header name')
      else if (ownFields.has(lower)) issue('is set by the gateway itself')
      else if (!isFieldValue(value)) issue('has a value with characters that a header cannot hold')
      else list.push(lower, value)
    }
    return list
  })
  .meta({ description: 'Headers added to every call of the provider.' })

const timeouts = z
  .strictObject({
    connect: duration({ min: '10ms', max: '1m', doc: 'To open a connection.' }).prefault('5s'),
    response: duration({ min: '100ms', max: '1h', doc: 'Until the answer begins, and between its parts.' }).prefault(
      '10m',
    ),
    total: duration({ min: '100ms', max: '24h', doc: 'For the whole call.' }).prefault('1h'),
  })
  .prefault({})
  .meta({ description: 'How long the provider may take.' })

const openAiUrl = 'https://api.openai.com/v1'

const provider = z
  .strictObject({
    name: providerName,
    type: z.enum(['openai', 'demo']).meta({
      description:
        'What the provider speaks: `openai` is the OpenAI API or any compatible server; `demo` answers offline, without inference.',
    }),
    apiKey: z
      .string()
      .regex(/^[\x21-\x7e]+$/, 'must be visible ASCII characters without white space')
      .optional()
      .meta({ description: 'Sent as `Authorization: Bearer`; callers never see it.' }),
    baseUrl: baseUrl.optional(),
    headers,
    timeouts,
    streamUsage: z.boolean().default(true).meta({
      description:
        'Ask the provider to count the tokens of streams, and hide the count from callers who did not ask. Switch it off for servers that refuse `stream_options`.',
    }),
    models: z.array(modelName).optional().meta({
      description: 'Models shown in the list of models; others can be called too.',
    }),
  })
  .superRefine((value, context) => {
    if (value.type === 'demo') {
      for (const key of ['apiKey', 'baseUrl', 'models'] as const)
        if (value[key] !== undefined)
          context.addIssue({ code: 'custom', path: [key], message: 'has no meaning for a provider of type demo' })
    } else if (value.apiKey === undefined && (value.baseUrl ?? openAiUrl) === openAiUrl)
      context.addIssue({ code: 'custom', path: ['apiKey'], message: 'is needed to call api.openai.com' })
  })
  .transform(value => ({ ...value, baseUrl: value.baseUrl ?? openAiUrl, models: value.models ?? [] }))

const target = z.strictObject({
  provider: providerName.meta({ description: 'Name of one of the providers.' }),
  model: modelName.meta({ description: 'What the provider calls the model.' }),
  weight: z
    .int()
    .min(0)
    .max(1000)
    .default(1)
    .meta({ description: 'Share of the calls, where there are several targets.' }),
})

const model = z.strictObject({
  name: modelName.meta({ description: 'The alias under which callers know the model.' }),
  targets: z
    .array(target)
    .min(1, 'needs a target')
    .superRefine((targets, context) => {
      if (targets.length > 1) context.addIssue({ code: 'custom', path: [1], message: `a second target ${unsupported}` })
    })
    .meta({ description: 'Where the model is; exactly one target in this version.' }),
  fallbacks: z.array(z.unknown()).max(0, unsupported).optional().meta({
    description: 'Targets to try when the first fails; not supported by this version.',
  }),
})

/** Points at every name that an earlier item has already. */
const refuseTwice = (items: readonly { name: string }[], key: string, context: z.RefinementCtx): void => {
  const seen = new Set<string>()
  for (const [index, { name }] of items.entries()) {
    if (seen.has(name))
      context.addIssue({ code: 'custom', path: [key, index, 'name'], message: `"${name}" is taken already` })
    seen.add(name)
  }
}

/** The `ai` section of portico.yaml; its `policies` are handled where all policies are. */
export const aiSchema = z
  .strictObject({
    path: z
      .string()
      .regex(/^\/(?:[\w~-][\w.~-]*(?:\/[\w~-][\w.~-]*)*\/?)?$/, 'must be a plain path like /ai')
      .transform(path => path.replace(/\/$/, ''))
      .prefault('/ai')
      .meta({
        description: 'Where the AI gateway begins: an OpenAI SDK takes `http://gateway/ai/v1` as its base URL.',
      }),
    providers: z.array(provider).default([]).meta({ description: 'Where models run.' }),
    models: z
      .array(model)
      .default([])
      .meta({ description: 'Names for models that do not change when the model behind them does.' }),
  })
  .superRefine((section, context) => {
    refuseTwice(section.providers, 'providers', context)
    refuseTwice(section.models, 'models', context)
    const names = new Set(section.providers.map(({ name }) => name))
    for (const [index, { targets }] of section.models.entries())
      for (const [place, { provider }] of targets.entries())
        if (!names.has(provider))
          context.addIssue({
            code: 'custom',
            path: ['models', index, 'targets', place, 'provider'],
            message: `there is no provider called "${provider}"`,
          })
  })
  .meta({ description: 'The AI gateway: one API in front of many models.' })

export type AiConfig = z.output<typeof aiSchema>
export type ProviderConfig = AiConfig['providers'][number]
