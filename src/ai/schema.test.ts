import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { aiSchema } from './schema.ts'
import { aiSection } from './section.ts'

const openai = { name: 'openai', type: 'openai', apiKey: 'sk-1' }
const demo = { name: 'demo', type: 'demo' }
const smart = { name: 'smart', targets: [{ provider: 'openai', model: 'gpt-6' }] }

test('what is not written has a default', () => {
  const config = aiSchema.parse({ providers: [openai] })
  assert.equal(config.path, '/ai')
  const [provider] = config.providers
  assert.equal(provider?.baseUrl, 'https://api.openai.com/v1')
  assert.deepEqual(provider?.timeouts, { connect: 5000, response: 600_000, total: 3_600_000 })
  assert.equal(provider?.streamUsage, true)
  assert.deepEqual(aiSchema.parse({}).providers, [])
})

describe('a base URL is taken as OpenAI SDKs take it', () => {
  const cases: [string, string][] = [
    ['http://127.0.0.1:9200/v1', 'http://127.0.0.1:9200/v1'],
    ['http://127.0.0.1:9200/v1/', 'http://127.0.0.1:9200/v1'],
    ['http://127.0.0.1:9200', 'http://127.0.0.1:9200'],
    ['https://API.example.com:443/openai/v1', 'https://api.example.com/openai/v1'],
    ['http://[::1]:8000/v1', 'http://[::1]:8000/v1'],
  ]
  for (const [baseUrl, taken] of cases)
    test(baseUrl, () =>
      assert.equal(aiSchema.parse({ providers: [{ ...openai, baseUrl }] }).providers[0]?.baseUrl, taken),
    )
})

test('a provider with a base URL of its own needs no key', () => {
  assert.ok(
    aiSchema.safeParse({ providers: [{ name: 'local', type: 'openai', baseUrl: 'http://127.0.0.1:1/v1' }] }).success,
  )
})

describe('what is wrong is refused at its place', () => {
  const cases: [name: string, value: unknown, path: string, message: RegExp][] = [
    ['an unknown key', { provider: [] }, '', /provider/],
    ['an unknown type', { providers: [{ ...demo, type: 'anthropic' }] }, 'providers.0.type', /"openai"\|"demo"/],
    ['a missing key', { providers: [{ name: 'a', type: 'openai' }] }, 'providers.0.apiKey', /needed/],
    ['an empty key', { providers: [{ ...openai, apiKey: '' }] }, 'providers.0.apiKey', /visible ASCII/],
    [
      'a key with a line end',
      { providers: [{ ...openai, apiKey: 'a\r\nb: c' }] },
      'providers.0.apiKey',
      /visible ASCII/,
    ],
    ['a slash in a name', { providers: [{ ...demo, name: 'a/b' }] }, 'providers.0.name', /lower-case/],
    ['the same provider twice', { providers: [demo, demo] }, 'providers.1.name', /taken already/],
    ['no URL', { providers: [{ ...openai, baseUrl: 'api.example.com' }] }, 'providers.0.baseUrl', /not a URL/],
    ['a file URL', { providers: [{ ...openai, baseUrl: 'file:///etc' }] }, 'providers.0.baseUrl', /http/],
    ['a password', { providers: [{ ...openai, baseUrl: 'http://a:b@c/v1' }] }, 'providers.0.baseUrl', /credentials/],
    ['a query', { providers: [{ ...openai, baseUrl: 'http://c/v1?a=1' }] }, 'providers.0.baseUrl', /query/],
    ['a framing field', { providers: [{ ...openai, headers: { Host: 'a' } }] }, 'providers.0.headers.Host', /itself/],
    ['a bad field name', { providers: [{ ...openai, headers: { 'a b': 'c' } }] }, 'providers.0.headers.a b', /name/],
    [
      'a bad field value',
      { providers: [{ ...openai, headers: { a: 'b\nc' } }] },
      'providers.0.headers.a',
      /characters/,
    ],
    ['a key for the demo', { providers: [{ ...demo, apiKey: 'x' }] }, 'providers.0.apiKey', /no meaning/],
    ['the same alias twice', { providers: [openai], models: [smart, smart] }, 'models.1.name', /taken already/],
    [
      'an alias with a space',
      { providers: [openai], models: [{ ...smart, name: 'a b' }] },
      'models.0.name',
      /one word/,
    ],
    ['a missing provider', { models: [smart] }, 'models.0.targets.0.provider', /no provider called "openai"/],
    ['no target', { providers: [openai], models: [{ name: 'a', targets: [] }] }, 'models.0.targets', /needs a target/],
    [
      'two targets',
      { providers: [openai], models: [{ name: 'a', targets: [...smart.targets, ...smart.targets] }] },
      'models.0.targets.1',
      /not supported by this version/,
    ],
    [
      'fallbacks',
      { providers: [openai], models: [{ ...smart, fallbacks: smart.targets }] },
      'models.0.fallbacks',
      /not supported by this version/,
    ],
    ['a path with a template', { path: '/{x}' }, 'path', /plain path/],
    ['a path without a slash', { path: 'ai' }, 'path', /plain path/],
    ['a path with dots', { path: '/a/../b' }, 'path', /plain path/],
  ]
  for (const [name, value, path, message] of cases)
    test(name, () => {
      const result = aiSchema.safeParse(value)
      const issues = (result.error?.issues ?? []).map(issue => ({ path: issue.path.join('.'), message: issue.message }))
      assert.ok(
        issues.some(issue => issue.path === path && message.test(issue.message)),
        JSON.stringify(issues),
      )
    })
})

test('the section becomes one service with the routes of the API', () => {
  const [service] = aiSection.services(aiSchema.parse({ path: '/llm/' }))
  assert.deepEqual(
    service?.routes.map(({ path, methods }) => `${methods} ${path}`),
    ['POST /llm/v1/chat/completions', 'POST /llm/v1/embeddings', 'GET /llm/v1/models', 'GET /llm/v1/models/{model}'],
  )
})

test('the schema can be shown as JSON Schema, and every key is described', () => {
  const schema = z.toJSONSchema(aiSchema, { io: 'input' })
  const undescribed: string[] = []
  const look = (node: unknown, place: string): void => {
    if (typeof node !== 'object' || node === null) return
    const { properties, items } = node as { properties?: Record<string, { description?: string }>; items?: unknown }
    for (const [key, value] of Object.entries(properties ?? {})) {
      if (!value.description) undescribed.push(`${place}.${key}`)
      look(value, `${place}.${key}`)
    }
    look(items, place)
  }
  look(schema, 'ai')
  assert.deepEqual(undescribed, [])
})
