import { z } from 'zod'
import { monotonicMs } from '#base/clock'
import { GatewayError } from '#base/errors'
import { uuidv7 } from '#base/ids'
import type { Call } from '#gateway/call'
import { noteUsage } from '../dialects/openai-chat/usage.ts'
import type { Provider } from '../provider.ts'
import type { ProviderConfig } from '../schema.ts'
import { demoAnswer, embed, words } from './demo-answer.ts'

const models = ['echo', 'embedding'] as const

const part = z.object({ type: z.string(), text: z.string().optional() })
const content = z.union([z.string(), z.array(part)]).nullish()

const chatRequest = z.object({
  messages: z.array(z.object({ role: z.string(), content })).min(1),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  n: z.literal(1, { error: 'the demonstration model gives one choice only' }).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
})

const embeddingRequest = z.object({
  input: z.union([
    z.string(),
    z.array(z.string()).min(1).max(2048),
    z.array(z.int()).min(1).max(65_536),
    z.array(z.array(z.int())).min(1).max(2048),
  ]),
  dimensions: z.int().min(1).max(4096).default(256),
  encoding_format: z.enum(['float', 'base64']).default('float'),
})

type ChatRequest = z.output<typeof chatRequest>
type EmbeddingRequest = z.output<typeof embeddingRequest>

const read = <Schema extends z.ZodType>(schema: Schema, bytes: Buffer): z.output<Schema> => {
  const result = schema.safeParse(JSON.parse(bytes.toString()))
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw new GatewayError('invalid-body', { detail: `${issue?.path.join('.') || 'The body'}: ${issue?.message}` })
}

const textOf = (message: ChatRequest['messages'][number]): string =>
  typeof message.content === 'string'
    ? message.content
    : (message.content ?? []).map(({ text }) => text ?? '').join(' ')

const usageOf = (tokensIn: number, tokensOut: number) => ({
  prompt_tokens: tokensIn,
  completion_tokens: tokensOut,
  total_tokens: tokensIn + tokensOut,
  prompt_tokens_details: { cached_tokens: 0 },
})

const sendJson = (call: Call, value: unknown): void =>
  call.respond(200, ['content-type', 'application/json'], JSON.stringify(value))

/**
 * Writes all pieces and waits whenever the client cannot take more. Room is announced to the listener of the
 * exchange only, so this one listens in front of the gateway's until all is written.
 */
const writeAll = async (call: Call, pieces: Iterable<string>): Promise<void> => {
  const { exchange } = call
  const gateway = exchange.listener
  let wake = () => {}
  exchange.listener = {
    onDrain: () => wake(),
    onAbort(error) {
      gateway?.onAbort(error)
      wake()
    },
    onFinish: () => gateway?.onFinish(),
  }
  for (const piece of pieces) {
    if (exchange.responseEnded) return
    const room = new Promise<void>(resolve => {
      wake = resolve
    })
    if (!exchange.write(Buffer.from(piece))) await room
  }
  if (!exchange.responseEnded) exchange.end(null)
}

const chat = (call: Call, model: string, request: ChatRequest): void | Promise<void> => {
  const question = request.messages.findLast(({ role }) => role === 'user') ?? request.messages.at(-1)
  const all = words(demoAnswer(question ? textOf(question) : ''))
  const limit = request.max_completion_tokens ?? request.max_tokens ?? all.length
  const said = all.slice(0, limit)
  const finish = said.length < all.length ? 'length' : 'stop'
  const tokensIn = request.messages.reduce((sum, message) => sum + words(textOf(message)).length, 0)
  const usage = usageOf(tokensIn, said.length)
  if (call.ai) {
    noteUsage(call.ai, usage)
    if (request.stream) call.ai.firstTokenAt = monotonicMs()
  }
  const identity = { id: `chatcmpl-${uuidv7()}`, created: Math.floor(Date.now() / 1000), model }
  if (request.stream) {
    call.startResponse(200, ['content-type', 'text/event-stream', 'cache-control', 'no-cache'], -1)
    return writeAll(call, chunksOf(identity, said, finish, request.stream_options?.include_usage ? usage : null))
  }
  const message = { role: 'assistant', content: said.join(''), refusal: null }
  sendJson(call, {
    ...{ ...identity, object: 'chat.completion' },
    choices: [{ index: 0, message, logprobs: null, finish_reason: finish }],
    usage,
  })
}

/** The events of a stream; with `usage` each has that member, and a last one without choices holds the counts. */
function* chunksOf(identity: object, said: readonly string[], finish: string, usage: object | null): Generator<string> {
  const event = (choices: object[], counts: object | null = null): string => {
    const chunk = { ...identity, object: 'chat.completion.chunk', choices }
    return `data: ${JSON.stringify(usage ? { ...chunk, usage: counts } : chunk)}\n\n`
  }
  const choice = (delta: object, finish_reason: string | null = null) => [
    { index: 0, delta, logprobs: null, finish_reason },
  ]
  yield event(choice({ role: 'assistant', content: '', refusal: null }))
  for (const text of said) yield event(choice({ content: text }))
  yield event(choice({}, finish))
  if (usage) yield event([], usage)
  yield 'data: [DONE]\n\n'
}

const inputsOf = (input: EmbeddingRequest['input']): string[] => {
  if (typeof input === 'string') return [input]
  const isTokens = typeof input[0] === 'number'
  return isTokens ? [input.join(' ')] : input.map(item => (typeof item === 'string' ? item : String(item)))
}

const embeddings = (call: Call, model: string, request: EmbeddingRequest): void => {
  const inputs = inputsOf(request.input)
  const data = inputs.map((text, index) => {
    const vector = embed(text, request.dimensions)
    const asText = request.encoding_format === 'base64'
    return {
      object: 'embedding',
      index,
      embedding: asText ? Buffer.from(vector.buffer).toString('base64') : Array.from(vector),
    }
  })
  const tokens = inputs.reduce((sum, text) => sum + words(text).length, 0)
  const usage = { prompt_tokens: tokens, total_tokens: tokens }
  if (call.ai) noteUsage(call.ai, usage)
  sendJson(call, { object: 'list', data, model, usage })
}

/** A provider that answers in this process, offline, for first steps and tests; it says in each answer what it is. */
export const demoProvider = (config: ProviderConfig): Provider => ({
  name: config.name,
  models,
  has: model => models.some(name => name === model),
  answer(call, { endpoint, model, request }) {
    if (endpoint === 'embeddings') return embeddings(call, model, read(embeddingRequest, request.bytes))
    return chat(call, model, read(chatRequest, request.bytes))
  },
})
