import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import OpenAI from 'openai'
import { type Portico, startPortico } from '../harness.ts'
import { type ModelServer, startModelServer } from '../llm/start.ts'

/** A real client, the real gateway, and a real inference engine with a tiny model of random weights. */
let portico: Portico
let server: ModelServer

before(async () => {
  server = await startModelServer()
  portico = await startPortico({
    config: {
      version: 1,
      consumers: [{ name: 'alice', keys: [{ secret: 'alice-key' }] }],
      ai: {
        providers: [{ name: 'local', type: 'openai', baseUrl: server.baseUrl }],
        models: [{ name: 'small', targets: [{ provider: 'local', model: 'noise' }] }],
        policies: { 'key-auth': {} },
      },
    },
  })
})
after(async () => {
  await portico?.stop()
  await server?.stop()
})

const direct = () => new OpenAI({ baseURL: server.baseUrl, apiKey: 'none', maxRetries: 0 })
const client = () =>
  new OpenAI({ baseURL: `http://127.0.0.1:${portico.gatewayPort}/ai/v1`, apiKey: 'alice-key', maxRetries: 0 })
const messages = [{ role: 'user' as const, content: 'Tell me a story about gateways.' }]

test('an answer through the gateway is the answer of the model', async () => {
  const wanted = await direct().chat.completions.create({ model: 'noise', messages, max_tokens: 20 })
  const got = await client().chat.completions.create({ model: 'small', messages, max_tokens: 20 })
  assert.deepEqual(got.choices, wanted.choices)
  assert.deepEqual(got.usage, wanted.usage)
  assert.equal(got.usage?.completion_tokens, 20)
})

test('the model server sees no key of the caller', async () => {
  await client().chat.completions.create({ model: 'local/noise', messages, max_tokens: 1 })
  let request = await server.next('request')
  while (!request.body.includes('"max_tokens":1}')) request = await server.next('request')
  assert.ok(!JSON.stringify(request).includes('alice-key'))
  assert.equal(JSON.parse(request.body).model, 'noise')
})

for (const include_usage of [true, false])
  test(`a stream ${include_usage ? 'with' : 'without'} usage is the whole answer in pieces`, async () => {
    const whole = await direct().chat.completions.create({ model: 'noise', messages, max_tokens: 20 })
    const stream = await client().chat.completions.create({
      ...{ model: 'small', messages, max_tokens: 20, stream: true, stream_options: { include_usage } },
    })
    let text = ''
    const counts: unknown[] = []
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? ''
      assert.equal('usage' in chunk, include_usage, 'only who asks sees the member')
      if (chunk.usage) counts.push(chunk.usage)
    }
    assert.equal(text, whole.choices[0]?.message.content)
    assert.deepEqual(counts, include_usage ? [whole.usage] : [])
  })

test('a client that leaves stops the generation, and the model is free for the next call', async () => {
  const endless = 1_000_000
  const stream = await client().chat.completions.create({ model: 'small', messages, max_tokens: endless, stream: true })
  let seen = 0
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content && ++seen === 3) stream.controller.abort()
  const { tokens } = await server.next('gone')
  assert.ok(tokens >= 3 && tokens < endless, `${tokens} tokens`)
  const next = await client().chat.completions.create({ model: 'small', messages, max_tokens: 2 })
  assert.equal(next.usage?.completion_tokens, 2)
})

test('an error of the model server reaches the caller as it is', async () => {
  await assert.rejects(
    client().chat.completions.create({ model: 'local/other', messages }),
    (error: unknown) => error instanceof OpenAI.NotFoundError && /The model other does not exist/.test(error.message),
  )
})
