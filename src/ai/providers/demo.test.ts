import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Call } from '#gateway/call'
import type { ExchangeListener } from '#http/message'
import { readRequest } from '../dialects/openai-chat/request.ts'
import { aiSchema, type ProviderConfig } from '../schema.ts'
import { demoProvider } from './demo.ts'

const [config] = aiSchema.parse({ providers: [{ name: 'demo', type: 'demo' }] }).providers

/**
 * A client that never has room for more than one piece. A real connection takes a whole demonstration answer into its
 * buffers at once, so this is the one place where waiting can be seen.
 */
const narrowClient = () => {
  const heard: string[] = []
  const gateway: ExchangeListener = {
    onAbort: () => void heard.push('abort'),
    onDrain: () => void heard.push('drain'),
    onFinish: () => void heard.push('finish'),
  }
  const written: string[] = []
  const exchange = {
    listener: gateway as ExchangeListener | null,
    responseEnded: false,
    write(piece: Buffer) {
      written.push(piece.toString())
      return false
    },
    end() {
      exchange.responseEnded = true
      exchange.listener?.onFinish()
    },
  }
  const call = { exchange, ai: null, startResponse: () => {} } as unknown as Call
  const body = '{"model":"echo","stream":true,"messages":[{"role":"user","content":"Hi"}]}'
  const modelCall = { endpoint: 'chat/completions', model: 'echo', request: readRequest(Buffer.from(body)) } as const
  const done = Promise.resolve(demoProvider(config as ProviderConfig).answer(call, modelCall))
  return { exchange, written, heard, done }
}

/** Lets everything run that waits for nothing from outside. */
const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('a stream goes on only when the client has room, and the gateway hears of its end', async () => {
  const { exchange, written, heard, done } = narrowClient()
  for (let pieces = 1; !exchange.responseEnded; pieces++) {
    await settled()
    if (exchange.responseEnded) break
    assert.equal(written.length, pieces)
    exchange.listener?.onDrain()
  }
  await done
  assert.equal(written.at(-1), 'data: [DONE]\n\n')
  assert.deepEqual(heard, ['finish'])
})

test('a stream ends when the client leaves', async () => {
  const { exchange, written, heard, done } = narrowClient()
  exchange.responseEnded = true
  exchange.listener?.onAbort(new Error('gone') as never)
  await done
  assert.equal(written.length, 1)
  assert.deepEqual(heard, ['abort'])
})
