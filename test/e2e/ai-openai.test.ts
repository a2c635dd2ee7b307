import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import OpenAI from 'openai'
import { eventually, type Portico, root, startPortico } from '../harness.ts'
import { events, json, type OpenAiOrigin, openAiOrigin, valuesOf } from './openai-origin.ts'

const callerKey = 'caller-key-4711'
const providerKey = 'sk-provider-0815'

let portico: Portico
let origin: OpenAiOrigin

before(async () => {
  origin = await openAiOrigin()
  const closed = await openAiOrigin()
  await closed.stop()
  const provider = { type: 'openai', apiKey: providerKey, baseUrl: origin.baseUrl }
  portico = await startPortico({
    config: {
      version: 1,
      consumers: [{ name: 'alice', keys: [{ secret: callerKey }] }],
      ai: {
        providers: [
          { name: 'main', ...provider, headers: { 'X-Team': 'blue' }, models: ['gpt-test', 'meta/llama'] },
          { name: 'bare', ...provider, baseUrl: `${origin.baseUrl}/`, streamUsage: false },
          { name: 'gone', ...provider, baseUrl: closed.baseUrl },
          { name: 'demo', type: 'demo' },
        ],
        models: [{ name: 'smart', targets: [{ provider: 'main', model: 'gpt-test' }] }],
        policies: { 'key-auth': {} },
      },
    },
  })
})
after(async () => {
  await portico?.stop()
  await origin?.stop()
})
beforeEach(() => {
  origin.received.length = 0
  origin.answer = (_, response) => void response.destroy()
})

const address = (path: string): string => `http://127.0.0.1:${portico.gatewayPort}/ai/v1/${path}`
const client = (apiKey = callerKey) => new OpenAI({ baseURL: address(''), apiKey, maxRetries: 0 })

const post = (path: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(address(path), {
    method: 'POST',
    headers: { authorization: `Bearer ${callerKey}`, 'content-type': 'application/json', ...headers },
    body,
  })

const chatPath = 'chat/completions'
const messages = [{ role: 'user' as const, content: 'Hi' }]
const usage = { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13, prompt_tokens_details: { cached_tokens: 5 } }
const answer = {
  ...{ id: 'c1', object: 'chat.completion', created: 1, model: 'gpt-test-2026' },
  choices: [{ index: 0, message: { role: 'assistant', content: 'Grüße 🙂' }, finish_reason: 'stop' }],
  usage,
}

/** The call log's record of an answer. */
const recordOf = (response: Response): Promise<Record<string, unknown>> =>
  eventually(async () => {
    const { status, body } = await portico.console(`/api/calls/${response.headers.get('x-request-id')}`)
    return status === 200 ? (body as Record<string, unknown>) : null
  }, 'the call in the log')

const chunk = (choices: unknown[], more = ',"usage":null'): string =>
  `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-test","choices":${JSON.stringify(choices)}${more}}\n\n`
const delta = (content: string) => [{ index: 0, delta: { content }, finish_reason: null }]
const stream = [
  chunk([{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }]),
  chunk(delta('Grüße')),
  chunk(delta(' 🙂')),
  chunk([{ index: 0, delta: {}, finish_reason: 'stop' }]),
  chunk([], `,"usage":${JSON.stringify(usage)}`),
  'data: [DONE]\n\n',
].join('')
/** The same as the provider would have sent it without being asked for usage. */
const streamWithoutUsage = stream.replaceAll(/data: .*"choices":\[\].*\n\n/g, '').replaceAll(',"usage":null', '')

describe('whole answers', () => {
  test('the OpenAI client gets what the provider said, and the log knows the usage', async () => {
    origin.answer = json(answer)
    const { data, response } = await client().chat.completions.create({ model: 'smart', messages }).withResponse()
    assert.equal(data.choices[0]?.message.content, 'Grüße 🙂')
    assert.equal(data.model, 'gpt-test-2026')
    assert.deepEqual(data.usage, usage)
    const record = await recordOf(response)
    assert.deepEqual(
      [record.provider, record.model, record.tokensIn, record.tokensOut, record.tokensCached, record.consumer],
      ['main', 'gpt-test', 9, 4, 5, 'alice'],
    )
  })

  test('bodies pass byte for byte in both directions, but for the name of the model', async () => {
    const said = '{ "usage":{"prompt_tokens" : 1e0},\n "x":"\\u00fc\\/",  "big":12345678901234567890 }\n '
    origin.answer = json(said)
    const asked = '\n{ "unknown":1.50, "model" :\t"smart", "messages":[{"role":"user","content":"\\ud83d\\ude42"}] } \n'
    const response = await post(chatPath, asked)
    assert.equal(await response.text(), said)
    assert.equal(origin.last().body.toString(), asked.replace('"smart"', '"gpt-test"'))
    assert.equal(origin.last().target, '/v1/chat/completions')
  })

  test('a body of some megabytes passes whole', async () => {
    origin.answer = json(answer)
    const text = 'x'.repeat(3_000_000)
    await (
      await post(chatPath, JSON.stringify({ model: 'main/gpt-test', messages: [{ role: 'user', content: text }] }))
    ).text()
    assert.equal(JSON.parse(origin.last().body.toString()).messages[0].content, text)
  })

  test('the provider gets its own key and nothing of the caller that is secret', async () => {
    origin.answer = json(answer)
    const headers = { cookie: 'session=1', 'openai-beta': 'x=v1', 'accept-encoding': 'gzip', 'x-api-key': callerKey }
    const response = await post(`${chatPath}?trace=1`, '{"model":"main/meta/llama","messages":[]}', headers)
    await response.text()
    const request = origin.last()
    assert.deepEqual(valuesOf(request, 'authorization'), [`Bearer ${providerKey}`])
    for (const name of ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-consumer'])
      assert.deepEqual(valuesOf(request, name), [], `${name} tells the provider about the caller`)
    assert.deepEqual(valuesOf(request, 'x-team'), ['blue'])
    assert.deepEqual(valuesOf(request, 'openai-beta'), ['x=v1'])
    assert.deepEqual(valuesOf(request, 'accept-encoding'), ['identity'])
    assert.deepEqual(valuesOf(request, 'content-type'), ['application/json'])
    assert.deepEqual(valuesOf(request, 'cookie'), [])
    assert.ok(!request.headers.join('\n').includes(callerKey))
    assert.equal(request.target, '/v1/chat/completions?trace=1')
    assert.equal(JSON.parse(request.body.toString()).model, 'meta/llama')
    assert.ok(!JSON.stringify([...response.headers]).includes(providerKey))
  })

  test('fields about the account of the gateway stay with the gateway', async () => {
    const fields = {
      'set-cookie': 'a=1',
      'openai-organization': 'org-1',
      'x-request-id': 'req_1',
      'openai-version': '1',
    }
    origin.answer = json(answer, 200, fields)
    const { headers } = await post(chatPath, '{"model":"smart"}')
    assert.equal(headers.get('set-cookie'), null)
    assert.equal(headers.get('openai-organization'), null)
    assert.equal(headers.get('openai-version'), '1')
    assert.equal(headers.get('x-provider-request-id'), 'req_1')
    assert.doesNotMatch(headers.get('x-request-id') ?? '', /req_1|,/)
  })

  test('embeddings pass as the client asks for them', async () => {
    const vector = Buffer.from(new Float32Array([0.5, -0.25]).buffer).toString('base64')
    const data = [{ object: 'embedding', index: 0, embedding: vector }]
    origin.answer = json({ object: 'list', data, model: 'e', usage: { prompt_tokens: 2, total_tokens: 2 } })
    const { data: result, response } = await client().embeddings.create({ model: 'main/e', input: 'a' }).withResponse()
    assert.deepEqual(result.data[0]?.embedding, [0.5, -0.25])
    assert.equal(origin.last().target, '/v1/embeddings')
    const record = await recordOf(response)
    assert.deepEqual([record.tokensIn, record.tokensOut], [2, null])
  })
})

describe('streams', () => {
  test('without a wish for usage look as if the gateway had not asked either', async () => {
    origin.answer = events([stream])
    const response = await post(chatPath, '{"model":"smart","stream":true}')
    assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
    assert.equal(await response.text(), streamWithoutUsage)
    assert.equal(
      origin.last().body.toString(),
      '{"model":"gpt-test","stream":true,"stream_options":{"include_usage":true}}',
    )
    const record = await recordOf(response)
    assert.deepEqual([record.tokensIn, record.tokensOut, record.tokensCached], [9, 4, 5])
    assert.equal(typeof record.firstTokenMs, 'number')
  })

  test('with a wish for usage pass byte for byte', async () => {
    origin.answer = events([stream])
    const body = '{"model":"main/gpt-test","stream":true,"stream_options":{"include_usage":true}}'
    const response = await post(chatPath, body)
    assert.equal(await response.text(), stream)
    assert.equal(origin.last().body.toString(), body.replace('main/', ''))
    assert.equal((await recordOf(response)).tokensOut, 4)
  })

  test('of a provider that must not be asked for usage pass as they are', async () => {
    origin.answer = events([stream])
    const response = await post(chatPath, '{"model":"bare/x","stream":true}')
    assert.equal(await response.text(), stream)
    assert.equal(origin.last().body.toString(), '{"model":"x","stream":true}')
    assert.equal(origin.last().target, '/v1/chat/completions')
  })

  for (const [name, lineEnd] of [
    ['LF', '\n'],
    ['CRLF', '\r\n'],
  ] as const)
    for (const size of [1, 7, 100_000])
      test(`with ${name} line ends in pieces of ${size} bytes reach the OpenAI client whole`, async () => {
        const bytes = Buffer.from(stream.replaceAll('\n', lineEnd))
        const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
          bytes.subarray(i * size, (i + 1) * size),
        )
        for (const include_usage of [true, false]) {
          origin.answer = events(pieces)
          const parts = await client().chat.completions.create({
            ...{ model: 'smart', messages, stream: true, stream_options: { include_usage } },
          })
          let text = ''
          const counts: unknown[] = []
          for await (const part of parts) {
            text += part.choices[0]?.delta.content ?? ''
            if (part.usage) counts.push(part.usage)
          }
          assert.equal(text, 'Grüße 🙂')
          assert.deepEqual(counts, include_usage ? [usage] : [])
        }
      })

  test('reach the client event by event, not at the end', async () => {
    let goOn = () => {}
    const asked = new Promise<void>(resolve => {
      goOn = resolve
    })
    origin.answer = async (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(chunk(delta('first')))
      await asked
      response.end(`${chunk(delta('second'))}data: [DONE]\n\n`)
    }
    const parts = await client().chat.completions.create({ model: 'smart', messages, stream: true })
    const texts: unknown[] = []
    for await (const part of parts) {
      texts.push(part.choices[0]?.delta.content)
      goOn()
    }
    assert.deepEqual(texts, ['first', 'second'])
  })

  test('that the client leaves are left at the provider too', async () => {
    origin.answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(chunk(delta('first')))
    }
    const { data, response } = await client()
      .chat.completions.create({ model: 'smart', messages, stream: true })
      .withResponse()
    for await (const part of data) {
      assert.equal(part.choices[0]?.delta.content, 'first')
      data.controller.abort()
    }
    await origin.abandoned()
    const record = await recordOf(response)
    assert.deepEqual([record.errorCode, record.tokensOut, record.model], ['client-closed', null, 'gpt-test'])
  })

  test('that the provider cuts look cut to the client', async () => {
    origin.answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(chunk(delta('first')), () => response.destroy())
    }
    const parts = await client().chat.completions.create({ model: 'smart', messages, stream: true })
    const texts: unknown[] = []
    await assert.rejects(async () => {
      for await (const part of parts) texts.push(part.choices[0]?.delta.content)
    })
    assert.deepEqual(texts, ['first'])
  })

  test('with an event above 8 MB pass without being held', async () => {
    const small = chunk(delta('a'))
    const large = `data: {"choices":[{"index":0,"delta":{"content":"${'x'.repeat(9 * 1024 * 1024)}"}}],"usage":null}\n\n`
    origin.answer = events([small, large, 'data: [DONE]\n\n'])
    const text = await (await post(chatPath, '{"model":"smart","stream":true}')).text()
    assert.ok(text === `${small.replace(',"usage":null', '')}${large}data: [DONE]\n\n`, `${text.length} bytes`)
  })
})

describe('errors of the provider', () => {
  test('pass unchanged with what they say about limits', async () => {
    const body = '{"error": {"message":"slow down","type":"tokens","param":null,"code":"rate_limit_exceeded"}}\n'
    origin.answer = json(body, 429, {
      'retry-after': '7',
      'retry-after-ms': '6500',
      'x-ratelimit-reset-tokens': '6m0s',
    })
    const response = await post(chatPath, '{"model":"smart","stream":true}')
    assert.equal(response.status, 429)
    assert.equal(await response.text(), body)
    for (const [name, value] of [
      ['retry-after', '7'],
      ['retry-after-ms', '6500'],
      ['x-ratelimit-reset-tokens', '6m0s'],
    ] as const)
      assert.equal(response.headers.get(name), value)
  })

  test('are known to the OpenAI client by their kind', async () => {
    origin.answer = json({ error: { message: 'no', type: 'invalid_request_error', param: 'x', code: 'bad' } }, 400)
    await assert.rejects(
      client().chat.completions.create({ model: 'smart', messages }),
      (error: unknown) => error instanceof OpenAI.BadRequestError && error.code === 'bad' && error.param === 'x',
    )
  })
})

describe('errors of the gateway look like those of OpenAI', () => {
  const rejects = (work: Promise<unknown>, kind: new (...args: never[]) => Error, code: string) =>
    assert.rejects(work, (error: unknown) => error instanceof kind && (error as { code?: unknown }).code === code)

  test('a model that is not there', async () => {
    for (const model of ['nothing', 'main/', 'other/gpt', 'demo/gpt', 'gpt-test', ''])
      await rejects(client().chat.completions.create({ model, messages }), OpenAI.NotFoundError, 'model_not_found')
    assert.equal(origin.received.length, 0)
  })

  test('a wrong key and none', async () => {
    await rejects(client('wrong').models.list(), OpenAI.AuthenticationError, 'invalid_api_key')
    const response = await fetch(address('models'))
    assert.equal(response.status, 401)
    assert.match(response.headers.get('www-authenticate') ?? '', /^Bearer/)
    const { error } = (await response.json()) as { error: Record<string, unknown> }
    assert.deepEqual([error.type, error.code], ['invalid_request_error', 'missing_api_key'])
  })

  test('a provider that cannot be reached', async () => {
    const work = client().chat.completions.create({ model: 'gone/x', messages })
    await rejects(work, OpenAI.InternalServerError, 'upstream_unreachable')
  })

  const refused: [
    name: string,
    path: string,
    body: string | Buffer,
    headers: Record<string, string>,
    status: number,
  ][] = [
    ['a body that is not JSON', chatPath, '{"model":', {}, 400],
    ['a body that is no object', chatPath, '[]', {}, 400],
    ['an empty body', chatPath, '', {}, 400],
    ['a body without a model', 'embeddings', '{"input":"a"}', {}, 400],
    ['a model that stands twice', chatPath, '{"model":"smart","model":"demo/echo"}', {}, 400],
    ['a compressed body', chatPath, gzipSync('{"model":"smart"}'), { 'content-encoding': 'gzip' }, 415],
    ['a path below an endpoint', `${chatPath}/x`, '{"model":"smart"}', {}, 404],
    ['a body above 32 MB', chatPath, Buffer.alloc(32 * 1024 * 1024 + 1, 0x20), {}, 413],
  ]
  for (const [name, path, body, headers, status] of refused)
    test(name, async () => {
      const response = await post(path, body, headers)
      assert.equal(response.status, status)
      const { error } = (await response.json()) as { error: Record<string, unknown> }
      assert.deepEqual(Object.keys(error), ['message', 'type', 'param', 'code'])
      assert.equal(error.type, 'invalid_request_error')
      assert.equal(origin.received.length, 0)
    })
})

describe('the list of models', () => {
  test('holds aliases and the models of providers', async () => {
    const ids: string[] = []
    for await (const { id, object } of client().models.list()) {
      assert.equal(object, 'model')
      ids.push(id)
    }
    assert.deepEqual(ids, ['smart', 'main/gpt-test', 'main/meta/llama', 'demo/echo', 'demo/embedding'])
  })

  test('gives each of them by its name, slashes or not', async () => {
    for (const id of ['smart', 'main/meta/llama']) {
      assert.equal((await client().models.retrieve(id)).id, id)
      const plain = await fetch(address(`models/${id}`), { headers: { authorization: `Bearer ${callerKey}` } })
      assert.equal(((await plain.json()) as { id: string }).id, id)
    }
    await assert.rejects(client().models.retrieve('main/other'), OpenAI.NotFoundError)
  })
})

describe('the demonstration provider', () => {
  test('says what it is, repeats the question and counts', async () => {
    const { data, response } = await client()
      .chat.completions.create({ model: 'demo/echo', messages: [{ role: 'user', content: 'Where is Berlin?' }] })
      .withResponse()
    assert.match(data.choices[0]?.message.content ?? '', /no real inference.*Where is Berlin\?/)
    assert.equal(data.choices[0]?.finish_reason, 'stop')
    assert.equal(data.usage?.prompt_tokens, 3)
    const record = await recordOf(response)
    assert.deepEqual([record.provider, record.model, record.tokensIn], ['demo', 'echo', 3])
  })

  test('streams the same text, with usage only for who asks', async () => {
    const whole = await client().chat.completions.create({ model: 'demo/echo', messages })
    for (const include_usage of [true, false]) {
      const parts = await client().chat.completions.create({
        ...{ model: 'demo/echo', messages, stream: true, stream_options: { include_usage } },
      })
      let text = ''
      let chunks = 0
      let counted: unknown
      for await (const part of parts) {
        chunks++
        text += part.choices[0]?.delta.content ?? ''
        counted = part.usage ?? counted
      }
      assert.equal(text, whole.choices[0]?.message.content)
      assert.ok(chunks > 3)
      assert.deepEqual(counted, include_usage ? whole.usage : undefined)
    }
  })

  test('stops at max_tokens and refuses a second choice', async () => {
    const short = await client().chat.completions.create({ model: 'demo/echo', messages, max_tokens: 2 })
    assert.deepEqual([short.choices[0]?.message.content, short.choices[0]?.finish_reason], ['This is', 'length'])
    await assert.rejects(
      client().chat.completions.create({ model: 'demo/echo', messages, n: 2 }),
      OpenAI.BadRequestError,
    )
    await assert.rejects(client().chat.completions.create({ model: 'demo/echo', messages: [] }), /messages/)
  })

  test('makes the same embeddings as numbers and as base64', async () => {
    const ask = (encoding_format?: 'float' | 'base64') =>
      client().embeddings.create({ model: 'demo/embedding', input: ['a cat', 'a dog'], dimensions: 8, encoding_format })
    const [plain, numbers] = [await ask(), await ask('float')]
    assert.equal(plain.data.length, 2)
    assert.equal(plain.data[0]?.embedding.length, 8)
    assert.deepEqual(plain.data[1]?.embedding, numbers.data[1]?.embedding)
    assert.equal(plain.usage.prompt_tokens, 4)
  })
})

const fixtures = join(root, '../shared/fixtures/llm')
const recordings: [name: string, file: string][] = [
  ['Azure', 'openai/chat/azure-model-router.1.chunks.txt'],
  ['Anthropic’s OpenAI layer', 'openai-compatible/chat/anthropic-fallback-tool-call.sse'],
]
const missing = recordings.filter(([, file]) => !existsSync(join(fixtures, file))).length

describe('recorded streams', { skip: missing > 0 && `${missing} recordings are not in ${fixtures}` }, () => {
  for (const [name, file] of recordings)
    test(`of ${name} pass byte for byte`, async () => {
      const text = readFileSync(join(fixtures, file), 'utf8')
      const lines = text.split('\n').filter(Boolean)
      const framed = file.endsWith('.sse') ? text : [...lines, '[DONE]'].map(line => `data: ${line}\n\n`).join('')
      for (const size of [framed.length, 13]) {
        const bytes = Buffer.from(framed)
        origin.answer = events(
          Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size)),
        )
        const asked = await post(chatPath, '{"model":"smart","stream":true,"stream_options":{"include_usage":true}}')
        assert.equal(await asked.text(), framed)
        const unasked = await (await post(chatPath, '{"model":"smart","stream":true}')).text()
        assert.equal(unasked.replaceAll(/\s+$/g, ''), withoutUsage(framed).replaceAll(/\s+$/g, ''))
      }
    })
})

/** By parsing and comparing instead of splicing: what is left when nobody asked for usage. */
const withoutUsage = (text: string): string =>
  text
    .split('\n\n')
    .filter(event => {
      const data = /^data: (\{.*\})$/m.exec(event)?.[1]
      const value = data ? JSON.parse(data) : {}
      return !(value.usage && value.choices?.length === 0)
    })
    .map(event => event.replace(/,"usage":null(?=[,}])/, ''))
    .join('\n\n')
