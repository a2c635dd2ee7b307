import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import OpenAI from 'openai'
import { type ModelServer, startModelServer } from './start.ts'
import { modelBytes } from './write-model.ts'

let server: ModelServer
before(async () => {
  server = await startModelServer()
})
after(() => server?.stop())

const client = () => new OpenAI({ baseURL: server.baseUrl, apiKey: 'none', maxRetries: 0 })
const messages = [{ role: 'user' as const, content: 'Say something.' }]

test('the model file is the same for the same seed and another for another seed', () => {
  const digest = (seed: number) => createHash('sha256').update(modelBytes(seed)).digest('hex')
  assert.equal(digest(7), digest(7))
  assert.notEqual(digest(7), digest(8))
})

test('the model answers the same question with the same words and counts its tokens', async () => {
  const ask = () => client().chat.completions.create({ model: 'noise', messages, max_tokens: 12 })
  const first = await ask()
  const second = await ask()
  assert.equal(first.choices[0]?.message.content?.length, 12)
  assert.equal(first.choices[0]?.message.content, second.choices[0]?.message.content)
  assert.equal(first.usage?.completion_tokens, 12)
})

test('a stream says the same as a whole answer', async () => {
  const whole = await client().chat.completions.create({ model: 'noise', messages, max_tokens: 12 })
  const stream = await client().chat.completions.create({ model: 'noise', messages, max_tokens: 12, stream: true })
  let text = ''
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
  assert.equal(text, whole.choices[0]?.message.content)
})
