import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ErrorCode, errorCodes, GatewayError } from '#base/errors'
import { renderOpenAiError } from './render-error.ts'

const shown = (code: ErrorCode) => {
  const { status, headers, body } = renderOpenAiError(new GatewayError(code, { headers: ['x-more', '1'] }), 'id')
  return { status, headers, error: JSON.parse(body).error }
}

test('every error of the gateway has the shape of an OpenAI error, its own status and its headers', () => {
  for (const code of Object.keys(errorCodes) as ErrorCode[]) {
    const { status, headers, error } = shown(code)
    assert.equal(status, errorCodes[code].status)
    assert.deepEqual(headers.slice(0, 4), ['content-type', 'application/json', 'x-more', '1'])
    assert.deepEqual(Object.keys(error), ['message', 'type', 'param', 'code'])
    assert.match(error.code, /^[a-z_]+$/)
    assert.equal(error.message, errorCodes[code].title)
  }
})

test('clients find the words they know', () => {
  const { error: model } = shown('model-not-found')
  assert.deepEqual([model.type, model.param, model.code], ['invalid_request_error', 'model', 'model_not_found'])
  assert.equal(shown('invalid-credentials').error.code, 'invalid_api_key')
  assert.equal(shown('rate-limited').error.code, 'rate_limit_exceeded')
  assert.equal(shown('upstream-timeout').error.type, 'server_error')
})

test('a gateway that cannot serve now says when to come back', () => {
  assert.ok(shown('overloaded').headers.includes('retry-after'))
  const own = renderOpenAiError(new GatewayError('overloaded', { headers: ['retry-after', '9'] }), 'id').headers
  assert.deepEqual(
    own.filter((_, index) => own[index - 1] === 'retry-after'),
    ['9'],
  )
})
