import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ErrorCode, GatewayError } from '#base/errors'
import { parseRequestHead } from './parse-head.ts'
import { splitTarget } from './request-target.ts'

const split = (line: string, ...hosts: string[]) =>
  splitTarget(parseRequestHead([line, ...hosts.map(host => `Host: ${host}`), ''].join('\r\n'), 10))

const refusal = (parse: () => unknown): ErrorCode | 'accepted' => {
  try {
    parse()
    return 'accepted'
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error))
    return error.code
  }
}

test('a path is taken as it was sent, with the host of its field', () => {
  for (const target of ['/', '/a/../b', '//a', '/a?b=http://c/', '/http://example.com/', '/a:b@c', '/%zz'])
    assert.deepEqual(split(`GET ${target} HTTP/1.1`, 'api.example.com:8080'), { host: 'api.example.com:8080', target })
})

test('hosts that are valid', () => {
  for (const host of [
    'a',
    'API.Example.com',
    'a.b.',
    'a_b-c~d',
    '192.0.2.1',
    '192.0.2.1:80',
    '[::1]',
    '[2001:db8::1]:65535',
    'a:0',
    'a:00080',
  ])
    assert.equal(split('GET / HTTP/1.1', host).host, host)
})

test('hosts that are not valid are refused', () => {
  // Twice: a refused host must not be remembered as a good one.
  for (const host of [
    '',
    'a b',
    'a,b',
    'a/b',
    'a?b',
    'a@b',
    'user:pass@a',
    'a:',
    'a:x',
    'a:65536',
    'a:123456',
    'a:80:80',
    ':80',
    '[::1',
    '::1',
    '[::1]x',
    '[a]',
    '[127.0.0.1]',
    '[1::2::3]',
    '[::1%25eth0]',
    'a%2eb',
    'caf\u00e9',
    'a\\b',
    'a'.repeat(301),
  ])
    for (const round of [1, 2])
      assert.equal(
        refusal(() => split('GET / HTTP/1.1', host)),
        'bad-request',
        `${host} (${round})`,
      )
})

test('Host may be missing in HTTP/1.0 only', () => {
  assert.deepEqual(split('GET /a HTTP/1.0'), { host: '', target: '/a' })
  assert.equal(
    refusal(() => split('GET /a HTTP/1.1')),
    'bad-request',
  )
})

test('the authority of an absolute target wins over Host', () => {
  for (const [target, host, rest] of [
    ['http://inner.example/a?b', 'inner.example', '/a?b'],
    ['HTTP://inner.example:81/', 'inner.example:81', '/'],
    ['https://inner.example', 'inner.example', '/'],
    ['http://inner.example?a=/b', 'inner.example', '/?a=/b'],
    ['http://[::1]:80/a', '[::1]:80', '/a'],
    ['http://inner.example//b/../c', 'inner.example', '//b/../c'],
  ] as const)
    assert.deepEqual(split(`GET ${target} HTTP/1.1`, 'outer.example'), { host, target: rest }, target)
})

test('an absolute target is as strict about hosts, and does not excuse a bad Host', () => {
  for (const target of [
    'http://',
    'http:///a',
    'http://user@a/',
    'http://a:b/',
    'http://a,b/',
    'http:/a',
    'http:a',
    'ftp://a/',
  ])
    assert.equal(
      refusal(() => split(`GET ${target} HTTP/1.1`, 'a')),
      'bad-request',
      target,
    )
  assert.equal(
    refusal(() => split('GET http://a/ HTTP/1.1', 'b c')),
    'bad-request',
  )
  assert.equal(
    refusal(() => split('GET http://a/ HTTP/1.1')),
    'bad-request',
  )
})

test('a lone asterisk belongs to OPTIONS', () => {
  assert.deepEqual(split('OPTIONS * HTTP/1.1', 'a'), { host: 'a', target: '*' })
  for (const line of ['GET * HTTP/1.1', 'OPTIONS ** HTTP/1.1', 'OPTIONS *? HTTP/1.1'])
    assert.equal(
      refusal(() => split(line, 'a')),
      'bad-request',
      line,
    )
})

test('what only a forward proxy takes is refused', () => {
  assert.equal(
    refusal(() => split('CONNECT a:443 HTTP/1.1', 'a:443')),
    'not-implemented',
  )
  assert.equal(
    refusal(() => split('CONNECT / HTTP/1.1', 'a')),
    'not-implemented',
  )
  for (const target of ['a:443', 'orders', '?a=b', '.', '\\a', 'javascript:alert(1)'])
    assert.equal(
      refusal(() => split(`GET ${target} HTTP/1.1`, 'a')),
      'bad-request',
      target,
    )
})
