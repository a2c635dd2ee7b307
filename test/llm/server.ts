import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getLlama, type LlamaContextSequence, LlamaLogLevel } from 'node-llama-cpp'
import { writeModel } from './write-model.ts'

/**
 * An OpenAI-compatible server that really infers, for tests; started as a child process by ./start.ts because the
 * engine is native code. It tells its parent what it received and how each answer ended.
 */
export type ServerEvent =
  | { event: 'ready'; port: number }
  | { event: 'request'; method: string; path: string; headers: string[]; body: string }
  /** `gone`: the client went away, and the generation was stopped after `tokens` tokens. */
  | { event: 'answered' | 'gone'; tokens: number }

const tell = (event: ServerEvent): void => void process.send?.(event)

const modelName = 'noise'

const llama = await getLlama({
  gpu: false,
  build: 'never',
  skipDownload: true,
  progressLogs: false,
  maxThreads: 1,
  logLevel: LlamaLogLevel.error,
})
const model = await llama.loadModel({ modelPath: writeModel(), gpuLayers: 0 })
const context = await model.createContext({ contextSize: 1024, threads: 1 })
const sequence: LlamaContextSequence = context.getSequence()

type ChatRequest = {
  model: string
  messages: { role: string; content: string }[]
  max_tokens?: number
  max_completion_tokens?: number
  stream?: boolean
  stream_options?: { include_usage?: boolean } | null
}

const sendJson = (response: ServerResponse, status: number, value: unknown): void => {
  const body = JSON.stringify(value)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

const refuse = (response: ServerResponse, status: number, message: string): void =>
  sendJson(response, status, { error: { message, type: 'invalid_request_error', param: null, code: null } })

type Answer = { id: string; created: number; promptTokens: number; tokens: number; gone: boolean }

/** Generates greedily, piece by piece, until `limit` tokens are made or the client leaves. */
const generate = async (request: ChatRequest, answer: Answer, emit: (text: string) => void): Promise<void> => {
  const prompt = model.tokenize(`${request.messages.map(m => `${m.role}: ${m.content}`).join('\n')}\nassistant: `)
  answer.promptTokens = prompt.length
  const limit = request.max_completion_tokens ?? request.max_tokens ?? 16
  await sequence.clearHistory()
  for await (const token of sequence.evaluate(prompt, { temperature: 0 })) {
    if (answer.gone) return
    answer.tokens++
    emit(model.detokenize([token]))
    if (answer.tokens >= limit) return
  }
}

const usageOf = (answer: Answer) => ({
  prompt_tokens: answer.promptTokens,
  completion_tokens: answer.tokens,
  total_tokens: answer.promptTokens + answer.tokens,
  prompt_tokens_details: { cached_tokens: 0 },
})

const whole = async (request: ChatRequest, answer: Answer, response: ServerResponse): Promise<void> => {
  let content = ''
  await generate(request, answer, text => {
    content += text
  })
  const { id, created } = answer
  sendJson(response, 200, {
    ...{ id, object: 'chat.completion', created, model: modelName },
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'length', logprobs: null }],
    usage: usageOf(answer),
  })
}

const streamed = async (request: ChatRequest, answer: Answer, response: ServerResponse): Promise<void> => {
  const { id, created } = answer
  const withUsage = request.stream_options?.include_usage === true
  const send = (choices: unknown[], usage: unknown = null): void => {
    const chunk = { id, object: 'chat.completion.chunk', created, model: modelName, choices }
    response.write(`data: ${JSON.stringify(withUsage ? { ...chunk, usage } : chunk)}\n\n`)
  }
  const choice = (delta: object, finish: string | null = null) => [{ index: 0, delta, finish_reason: finish }]
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  send(choice({ role: 'assistant', content: '' }))
  await generate(request, answer, content => send(choice({ content })))
  if (answer.gone) return
  send(choice({}, 'length'))
  if (withUsage) send([], usageOf(answer))
  response.end('data: [DONE]\n\n')
}

let answers = 0

const chat = async (request: ChatRequest, response: ServerResponse): Promise<void> => {
  const id = `chatcmpl-${++answers}`
  const answer: Answer = { id, created: 1_700_000_000, promptTokens: 0, tokens: 0, gone: response.destroyed }
  response.on('close', () => {
    answer.gone = !response.writableFinished
  })
  if (request.stream) await streamed(request, answer, response)
  else await whole(request, answer, response)
  tell({ event: answer.gone ? 'gone' : 'answered', tokens: answer.tokens })
}

/** There is one sequence: calls take turns. */
let turn: Promise<void> = Promise.resolve()

const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const body = Buffer.concat(chunks).toString()
  const { method = '', url = '', rawHeaders } = request
  tell({ event: 'request', method, path: url, headers: rawHeaders, body })
  if (method === 'GET' && url === '/v1/models')
    return sendJson(response, 200, { object: 'list', data: [{ id: modelName, object: 'model', owned_by: 'tests' }] })
  if (method !== 'POST' || url !== '/v1/chat/completions') return refuse(response, 404, 'There is nothing here.')
  const asked: ChatRequest = JSON.parse(body)
  if (asked.model !== modelName) return refuse(response, 404, `The model ${asked.model} does not exist.`)
  turn = turn.then(() => chat(asked, response)).catch(() => void response.destroy())
}

const server = createServer((request, response) => {
  serve(request, response).catch((error: Error) => refuse(response, 400, error.message))
})
server.listen(0, '127.0.0.1', () => tell({ event: 'ready', port: (server.address() as AddressInfo).port }))

process.on('disconnect', () => process.exit(0))
