import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiUsage } from '#gateway/call'
import { seededRandom } from '../../seeded-random.ts'
import { streamFilter } from './stream-filter.ts'

const freshUsage = (): AiUsage => ({
  ...{ provider: 'p', model: 'm', tokensIn: null, tokensOut: null, tokensCached: null },
  ...{ costNanoUsd: null, firstTokenAt: null },
})

const filtered = (pieces: readonly Buffer[], hideUsage: boolean): { text: string; ai: AiUsage } => {
  const ai = freshUsage()
  const filter = streamFilter(ai, hideUsage)
  const sent = [...pieces.map(piece => filter.data(Buffer.from(piece))), filter.end(null)]
  // Copied at once in the gateway; here only the last call's bytes are certain, so this also proves no reuse in between.
  return { text: Buffer.concat(sent.filter(bytes => bytes !== null).map(bytes => Buffer.from(bytes))).toString(), ai }
}

const once = (text: string, hideUsage: boolean) => filtered([Buffer.from(text)], hideUsage)

const usage = '{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":5}}'
const role = 'data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"usage":null}\n\n'
const word = 'data: {"id":"1","choices":[{"index":0,"delta":{"content":"Grüße 🙂"}}],"usage":null}\n\n'
const finish = 'data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}\n\n'
const counts = `data: {"id":"1","choices":[],"usage":${usage}}\n\n`
const done = 'data: [DONE]\n\n'
const stream = role + word + finish + counts + done

describe('a stream whose usage the caller did not ask for', () => {
  test('loses the chunk of usage and the empty usage of the others, and nothing else', () => {
    const { text, ai } = once(stream, true)
    assert.equal(text, (role + word + finish).replaceAll(',"usage":null', '') + done)
    assert.deepEqual([ai.tokensIn, ai.tokensOut, ai.tokensCached], [9, 4, 5])
  })

  test('keeps usage that comes with choices, as some providers send it unasked', () => {
    const text = `data: {"choices":[{"delta":{"content":"x"}}],"usage":${usage}}\n\n`
    const result = once(text, true)
    assert.equal(result.text, text)
    assert.equal(result.ai.tokensIn, 9)
  })

  const untouched: [string, string][] = [
    ['comments', ': OPENROUTER PROCESSING\n\n'],
    ['errors in the stream', 'event: error\ndata: {"error":{"message":"overloaded"}}\n\n'],
    ['chunks without choices and usage', 'data: {"choices":[],"prompt_filter_results":[{"prompt_index":0}]}\n\n'],
    ['data that is not JSON', 'data: {"usage":null,\n\n'],
    ['words about usage', 'data: {"choices":[{"delta":{"content":"\\"usage\\":null"}}]}\n\n'],
    ['usage inside of choices', 'data: {"choices":[{"usage":null}]}\n\n'],
  ]
  for (const [name, text] of untouched) test(`keeps ${name}`, () => assert.equal(once(text, true).text, text))

  test('keeps the line ends, fields and spaces of a chunk that loses its empty usage', () => {
    const before = ': c\r\nid: 7\r\ndata:{ "usage" : null , "choices" : [] }\r\nevent: x\r\n\r\n'
    assert.equal(once(before, true).text, ': c\r\nid: 7\r\ndata:{  "choices" : [] }\r\nevent: x\r\n\r\n')
  })

  test('loses the chunk of usage also when the stream ends without a blank line', () => {
    const { text, ai } = once(word + counts.trimEnd(), true)
    assert.equal(text, word.replace(',"usage":null', ''))
    assert.equal(ai.tokensOut, 4)
  })
})

test('a stream whose usage the caller asked for passes piece by piece as it comes', () => {
  const ai = freshUsage()
  const filter = streamFilter(ai, false)
  for (const byte of Buffer.from(stream)) {
    const piece = Buffer.from([byte])
    assert.equal(filter.data(piece), piece)
  }
  assert.equal(filter.end(null), null)
  assert.deepEqual([ai.tokensIn, ai.tokensOut, ai.tokensCached], [9, 4, 5])
})

test('any split of the bytes gives the same stream and the same usage', () => {
  const random = seededRandom(3)
  for (const lineEnd of ['\n', '\r\n', '\r']) {
    const bytes = Buffer.from(`\ufeff: hello\n\n${stream}`.replaceAll('\n', lineEnd))
    const whole = filtered([bytes], true)
    assert.ok(!whole.text.includes('usage'))
    for (let at = 0; at <= bytes.length; at++) {
      const { text, ai } = filtered([bytes.subarray(0, at), bytes.subarray(at)], true)
      assert.equal(text, whole.text)
      assert.equal(ai.tokensIn, 9)
    }
    for (let round = 0; round < 50; round++) {
      const pieces: Buffer[] = []
      for (let at = 0; at < bytes.length; ) {
        const end = at + 1 + Math.floor(random() * 30)
        pieces.push(bytes.subarray(at, end))
        at = end
      }
      assert.equal(filtered(pieces, true).text, whole.text)
    }
  }
})

describe('the first token', () => {
  const timed = (data: string) => once(`data: ${data}\n\n`, false).ai.firstTokenAt !== null
  test('is the first delta with content', () => {
    assert.equal(timed('{"choices":[{"delta":{"role":"assistant","content":""}}]}'), false)
    assert.equal(timed('{"choices":[{"delta":{"role":"assistant","content":null,"refusal":null}}]}'), false)
    assert.equal(timed('{"choices":[]}'), false)
    assert.equal(timed('{"choices":[{"delta":{"content":"a"}}]}'), true)
  })
  test('may be reasoning or a tool call', () => {
    assert.equal(timed('{"choices":[{"delta":{"reasoning_content":"hm"}}]}'), true)
    assert.equal(timed('{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c"}]}}]}'), true)
  })
})

test('strange chunks change nothing and throw nothing', () => {
  const values = ['null', '1', '"x"', '[]', '{}', '[null]', '[{"delta":1}]', '-1', '1.5', '{"prompt_tokens":"9"}']
  for (const choices of values)
    for (const value of values.filter(value => value !== 'null')) {
      const text = `data: {"choices":${choices},"usage":${value}}\n\n`
      const { ai } = once(text, true)
      assert.deepEqual([ai.tokensIn, ai.tokensOut, ai.tokensCached], [null, null, null])
      assert.equal(once(text, false).text, text)
    }
})
