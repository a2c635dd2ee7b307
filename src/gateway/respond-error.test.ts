import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ErrorCode, errorCodes, GatewayError } from '#base/errors'
import { getHeader, getHeaders, isFieldValue, isToken } from '#http/headers'
import { renderProblem } from './respond-error.ts'

const codes = Object.keys(errorCodes) as ErrorCode[]

test('an error is answered as problem details with its code and the id of the request', () => {
  const error = new GatewayError('rate-limited', { detail: 'Ten calls per minute' })
  const { status, headers, body } = renderProblem(error, 'the-request', '/orders/7')
  assert.equal(status, 429)
  assert.equal(getHeader(headers, 'content-type'), 'application/problem+json')
  assert.deepEqual(JSON.parse(body), {
    type: 'urn:portico:error:rate-limited',
    title: 'Too many requests',
    status: 429,
    detail: 'Ten calls per minute',
    instance: '/orders/7',
    code: 'rate-limited',
    requestId: 'the-request',
  })
})

test('every code has a complete answer', () => {
  for (const code of codes) {
    const { status, headers, body } = renderProblem(new GatewayError(code), 'id', '/')
    const { title } = errorCodes[code]
    const problem = JSON.parse(body)
    assert.equal(status, errorCodes[code].status)
    assert.deepEqual([problem.code, problem.status, problem.title, problem.detail], [code, status, title, title])
    assert.match(String(getHeader(headers, 'proxy-status')), /^portico; error=[a-z_]+$/, code)
    for (let i = 0; i < headers.length; i += 2) {
      assert.ok(isToken(headers[i] as string) && isFieldValue(headers[i + 1] as string), `${code}: ${headers[i]}`)
      assert.equal(headers[i], headers[i]?.toLowerCase())
    }
  }
})

test('the date is the one of now', () => {
  const before = Math.floor(Date.now() / 1000) * 1000
  const { headers } = renderProblem(new GatewayError('no-route'), 'id', '/')
  const date = getHeader(headers, 'date') as string
  assert.match(date, /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/)
  assert.ok(Date.parse(date) >= before && Date.parse(date) <= Date.now())
})

test('fields of the error are sent along', () => {
  const error = new GatewayError('method-not-allowed', { headers: ['allow', 'GET, HEAD', 'x-more', '1'] })
  const { headers } = renderProblem(error, 'id', '/')
  assert.equal(getHeader(headers, 'allow'), 'GET, HEAD')
  assert.equal(getHeader(headers, 'x-more'), '1')
})

test('who is turned away for now is told when to come again', () => {
  for (const code of codes) {
    const { headers } = renderProblem(new GatewayError(code), 'id', '/')
    assert.deepEqual(getHeaders(headers, 'retry-after'), errorCodes[code].status === 503 ? ['1'] : [], code)
  }
  const own = new GatewayError('overloaded', { headers: ['retry-after', '30'] })
  assert.deepEqual(getHeaders(renderProblem(own, 'id', '/').headers, 'retry-after'), ['30'])
})

test('the cause of an error stays inside', () => {
  const cause = new Error('connect ECONNREFUSED 10.1.2.3:5432 password=hunter2')
  const { headers, body } = renderProblem(new GatewayError('upstream-unreachable', { cause }), 'id', '/')
  assert.doesNotMatch(`${headers.join()} ${body}`, /10\.1\.2\.3|hunter2|ECONNREFUSED/)
})

test('a hostile path cannot break out of the answer', () => {
  const { body } = renderProblem(new GatewayError('no-route'), 'id', '/"},"code":"ok","x":{"\\')
  assert.equal(JSON.parse(body).code, 'no-route')
})
