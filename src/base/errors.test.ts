import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ErrorCode, errorCodes, GatewayError, toGatewayError, UserError } from './errors.ts'

const codes = Object.keys(errorCodes) as ErrorCode[]

test('an error takes status, source and words from its code', () => {
  for (const code of codes) {
    const error = new GatewayError(code)
    const { status, source, title } = errorCodes[code]
    assert.deepEqual(
      { code: error.code, status: error.status, source: error.source, detail: error.detail, message: error.message },
      { code, status, source, detail: title, message: title },
    )
    assert.equal(error.retry, 'no')
    assert.equal(error.headers, null)
  }
})

test('codes are kebab-case words with an error status and one sentence without a full stop', () => {
  for (const code of codes) {
    const { status, title } = errorCodes[code]
    assert.match(code, /^[a-z]+(-[a-z]+)*$/)
    assert.ok(status >= 400 && status <= 599, code)
    assert.match(title, /^[A-Z].*[^.]$/)
  }
})

test('a status of 4xx blames the client, one of 5xx never does, but for the version of HTTP', () => {
  for (const code of codes) {
    if (code === 'version-not-supported') continue
    const { status, source } = errorCodes[code]
    assert.equal(source === 'client', status < 500, code)
  }
})

test('an error says what its maker knows better than the registry', () => {
  const cause = new Error('socket hang up')
  const headers = ['retry-after', '3']
  const error = new GatewayError('rate-limited', {
    detail: 'Ten calls per minute',
    status: 503,
    source: 'gateway',
    retry: 'if-reused',
    headers,
    cause,
  })
  assert.equal(error.detail, 'Ten calls per minute')
  assert.equal(error.message, 'Ten calls per minute')
  assert.equal(error.status, 503)
  assert.equal(error.source, 'gateway')
  assert.equal(error.retry, 'if-reused')
  assert.equal(error.headers, headers)
  assert.equal(error.cause, cause)
  assert.equal('cause' in new GatewayError('no-route'), false)
})

test('an error has no stack trace, and the errors after it have theirs', () => {
  const limit = Error.stackTraceLimit
  assert.doesNotMatch(new GatewayError('bad-request').stack ?? '', /\n\s+at /)
  assert.equal(Error.stackTraceLimit, limit)
  assert.match(new Error('ordinary').stack ?? '', /\n\s+at /)
})

test('a gateway error stays itself, anything else thrown is an internal error that keeps it as its cause', () => {
  const error = new GatewayError('no-route')
  assert.equal(toGatewayError(error), error)
  for (const thrown of [new TypeError('x is not a function'), 'text', null, undefined, 7]) {
    const wrapped = toGatewayError(thrown)
    assert.equal(wrapped.code, 'internal')
    assert.equal(wrapped.status, 500)
    assert.equal(wrapped.cause, thrown)
    assert.equal(wrapped.detail, errorCodes.internal.title, 'the message of a bug must not reach a caller')
  }
})

test('a mistake of the user ends the program with 1 unless it says otherwise', () => {
  assert.equal(new UserError('No such file').exitCode, 1)
  assert.equal(new UserError('Unknown flag', 2).exitCode, 2)
  assert.equal(new UserError('Unknown flag').message, 'Unknown flag')
})
