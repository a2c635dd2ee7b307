import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AiUsage } from '#gateway/call'
import { answerFilter } from './answer-filter.ts'

const filtered = (pieces: readonly (string | Buffer)[]): AiUsage => {
  const ai: AiUsage = {
    ...{ provider: 'p', model: 'm', tokensIn: null, tokensOut: null, tokensCached: null },
    ...{ costNanoUsd: null, firstTokenAt: null },
  }
  const filter = answerFilter(ai)
  for (const piece of pieces) {
    const chunk = Buffer.from(piece)
    assert.equal(filter.data(chunk), chunk)
    // The engine reuses its buffers: what is read later must be a copy.
    chunk.fill(0)
  }
  assert.equal(filter.end(null), null)
  return ai
}

test('usage is read from an answer in pieces', () => {
  const ai = filtered(['{"choices":[],"us', 'age":{"prompt_tokens":3,"completion_tok', 'ens":2}}\n'])
  assert.deepEqual([ai.tokensIn, ai.tokensOut, ai.tokensCached], [3, 2, null])
})

test('embeddings have tokens in and none out', () => {
  const ai = filtered(['{"data":[],"usage":{"prompt_tokens":3,"total_tokens":3}}'])
  assert.deepEqual([ai.tokensIn, ai.tokensOut], [3, null])
})

test('an answer that is cut, is no object or has strange usage leaves usage unknown', () => {
  for (const text of [
    '',
    '{"usage":{"prompt_tokens":3',
    '[{"usage":{"prompt_tokens":3}}]',
    '{"usage":3}',
    '{"usage":null}',
  ])
    assert.equal(filtered([text]).tokensIn, null)
})

test('answers above 16 MB pass without being kept', () => {
  const megabyte = Buffer.alloc(1024 * 1024, 0x20)
  const pieces = ['{"usage":{"prompt_tokens":3}', ...Array.from({ length: 17 }, () => megabyte), '}']
  assert.equal(filtered(pieces).tokensIn, null)
  assert.equal(filtered([pieces[0] as string, megabyte, '}']).tokensIn, 3)
})
