import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ErrorCode, GatewayError } from '#base/errors'
import { parseRequestHead, parseResponseHead, parseTrailers } from './parse-head.ts'

const request = (lines: string[], maxFields = 100) => parseRequestHead(`${lines.join('\r\n')}\r\n`, maxFields)
const requestWith = (...fields: string[]) => request(['GET / HTTP/1.1', 'Host: a', ...fields])
const response = (...lines: string[]) => parseResponseHead(`${lines.join('\r\n')}\r\n`, 100)

const refusal = (parse: () => unknown): ErrorCode | 'accepted' => {
  try {
    parse()
    return 'accepted'
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error))
    return error.code
  }
}

test('a request head is split into its line and its fields, in the order of the wire', () => {
  const head = request([
    'PATCH /orders/7?x=1 HTTP/1.1',
    'Host: api.example.com',
    'X-One: 1',
    'x-two:2',
    'X-ONE:  3 \t ',
  ])
  assert.equal(head.method, 'PATCH')
  assert.equal(head.target, '/orders/7?x=1')
  assert.equal(head.minorVersion, 1)
  assert.equal(head.host, 'api.example.com')
  assert.deepEqual(head.headers, ['x-one', '1', 'x-two', '2', 'x-one', '3'])
})

test('request lines that are valid', () => {
  for (const [line, method, target, minor] of [
    ['GET / HTTP/1.1', 'GET', '/', 1],
    ['GET / HTTP/1.0', 'GET', '/', 0],
    ['OPTIONS * HTTP/1.1', 'OPTIONS', '*', 1],
    ["M-SEARCH!#$%&'*+-.^_`|~ /a HTTP/1.1", "M-SEARCH!#$%&'*+-.^_`|~", '/a', 1],
    ['get /%7e?a=b&c=[1]|"<>\\^`{} HTTP/1.1', 'get', '/%7e?a=b&c=[1]|"<>\\^`{}', 1],
    ['GET http://example.com/a HTTP/1.1', 'GET', 'http://example.com/a', 1],
  ] as const) {
    const head = request([line, 'Host: a'])
    assert.deepEqual([head.method, head.target, head.minorVersion], [method, target, minor], line)
  }
})

test('request lines that are not valid are refused with 400', () => {
  for (const line of [
    '',
    'GET',
    'GET /',
    'GET  / HTTP/1.1',
    'GET /  HTTP/1.1',
    'GET / HTTP/1.1 ',
    'GET / x HTTP/1.1',
    ' GET / HTTP/1.1',
    'GET\t/ HTTP/1.1',
    'GET /\tHTTP/1.1',
    'G(T / HTTP/1.1',
    'G\u00c9T / HTTP/1.1',
    'GET /a#b HTTP/1.1',
    'GET /\u00e9 HTTP/1.1',
    'GET /\u0000 HTTP/1.1',
    'GET /\u007f HTTP/1.1',
    'GET / http/1.1',
    'GET / HTTP/1',
    'GET / HTTP/1.10',
    'GET / HTTP/11',
    'GET / HTTPS/1.1',
    'GET / HTTP/1.1\rX: y',
  ])
    assert.equal(
      refusal(() => request([line, 'Host: a'])),
      'bad-request',
      JSON.stringify(line),
    )
})

test('another version of HTTP is told apart from a broken one', () => {
  for (const version of ['HTTP/0.9', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/9.9'])
    assert.equal(
      refusal(() => request([`GET / ${version}`, 'Host: a'])),
      'version-not-supported',
      version,
    )
})

test('field lines that are valid', () => {
  for (const [line, name, value] of [
    ['X-A: b', 'x-a', 'b'],
    ['X-A:b', 'x-a', 'b'],
    ['X-A:', 'x-a', ''],
    ['X-A: \t ', 'x-a', ''],
    ['X-A:\t b\t ', 'x-a', 'b'],
    ['X-A: a: b', 'x-a', 'a: b'],
    ['X-A: a \t b', 'x-a', 'a \t b'],
    ['X-A: caf\u00c3\u00a9\u00ff', 'x-a', 'caf\u00c3\u00a9\u00ff'],
    ["!#$%&'*+-.^_`|~09: 1", "!#$%&'*+-.^_`|~09", '1'],
    ['Constructor: 1', 'constructor', '1'],
    ['__proto__: 1', '__proto__', '1'],
  ] as const)
    assert.deepEqual(requestWith(line).headers, [name, value], JSON.stringify(line))
})

test('field lines that are not valid are refused with 400', () => {
  for (const line of [
    'X-A',
    ': b',
    'X-A : b',
    'X-A\t: b',
    ' X-A: b',
    '\tfolded',
    'X A: b',
    'X(A): b',
    'X\u00e9: b',
    'X\u0000: b',
    'X-A: a\u0000b',
    'X-A: a\u0001b',
    'X-A: a\u007fb',
    'X-A: a\rb',
    'X-A: a\nb',
    'X-A: a\n',
    'X-A: a\r',
    '\r',
  ]) {
    assert.equal(
      refusal(() => requestWith(line)),
      'bad-request',
      JSON.stringify(line),
    )
    assert.equal(
      refusal(() => requestWith('X-Before: 1', line, 'X-After: 1')),
      'bad-request',
      JSON.stringify(line),
    )
  }
})

test('more fields than allowed are refused with 431', () => {
  const lines = ['GET / HTTP/1.1', 'Host: a', 'X-1: 1', 'X-2: 2']
  assert.equal(
    refusal(() => request(lines, 3)),
    'accepted',
  )
  assert.equal(
    refusal(() => request(lines, 2)),
    'head-too-large',
  )
})

test('Content-Length takes digits only, once, up to what a number holds exactly', () => {
  for (const [text, length] of [
    ['0', 0],
    ['7', 7],
    ['007', 7],
    ['  7\t', 7],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ] as const)
    assert.equal(requestWith(`Content-Length: ${text}`).contentLength, length, text)
  assert.equal(requestWith().contentLength, -1)
  for (const text of [
    '',
    '+7',
    '-7',
    '7.0',
    '0x7',
    '7 7',
    '7,7',
    '7, 7',
    '1e3',
    '9007199254740992',
    '99999999999999999999999',
    'x',
  ])
    assert.equal(
      refusal(() => requestWith(`Content-Length: ${text}`)),
      'bad-request',
      text,
    )
})

test('framing and routing fields that stand twice, or against each other, are refused', () => {
  for (const fields of [
    ['Content-Length: 7', 'Content-Length: 7'],
    ['Content-Length: 7', 'content-length: 8'],
    ['Content-Length: 0', 'Content-Length: 0'],
    ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
    ['Transfer-Encoding: chunked', 'Content-Length: 7'],
    ['Content-Length: 0', 'TRANSFER-ENCODING: chunked'],
    ['Host: a'],
    ['HOST: b'],
  ])
    assert.equal(
      refusal(() => requestWith(...fields)),
      'bad-request',
      fields.join(' + '),
    )
})

test('Transfer-Encoding is exactly chunked, in HTTP/1.1', () => {
  assert.equal(requestWith('Transfer-Encoding: chunked').chunked, true)
  assert.equal(requestWith('transfer-encoding: Chunked').chunked, true)
  assert.equal(requestWith().chunked, false)
  for (const text of [
    '',
    'identity',
    'gzip',
    'gzip, chunked',
    'chunked, chunked',
    'chunked,',
    'chunked;a=b',
    '"chunked"',
    'xchunked',
  ])
    assert.equal(
      refusal(() => requestWith(`Transfer-Encoding: ${text}`)),
      'bad-request',
      text,
    )
  assert.equal(
    refusal(() => request(['GET / HTTP/1.0', 'Transfer-Encoding: chunked'])),
    'bad-request',
  )
})

test('the fields of this connection go no further', () => {
  const head = requestWith(
    'TE: trailers',
    'Keep-Alive: timeout=5',
    'Proxy-Connection: keep-alive',
    'Upgrade: websocket',
    'Expect: 100-continue',
    'X-Kept: 1',
  )
  assert.deepEqual(head.headers, ['x-kept', '1'])
  assert.equal(head.expect, '100-continue')
  assert.equal(head.keepAliveSeconds, 5)
})

test('what Connection lists is removed, wherever it stands and however it is written', () => {
  for (const connection of [
    ['Connection: X-Hop'],
    ['Connection: close, x-hop'],
    ['connection: ,, X-HOP ,'],
    ['Connection: keep-alive', 'Connection: x-hop'],
    ['Connection: \tx-hop\t,Close'],
  ]) {
    const after = requestWith(...connection, 'X-Hop: 1', 'X-Kept: 2', 'x-hop: 3')
    assert.deepEqual(after.headers, ['x-kept', '2'], connection.join(' + '))
    const before = requestWith('X-Hop: 1', 'X-Kept: 2', 'x-hop: 3', ...connection)
    assert.deepEqual(before.headers, ['x-kept', '2'], connection.join(' + '))
  }
})

test('listing a field in Connection cannot take away what says where the body ends or where the request goes', () => {
  const head = requestWith('Content-Length: 7', 'Connection: content-length, host, transfer-encoding')
  assert.equal(head.contentLength, 7)
  assert.equal(head.host, 'a')
  assert.equal(requestWith('Transfer-Encoding: chunked', 'Connection: transfer-encoding').chunked, true)
})

test('the options of Connection are read from any list', () => {
  for (const [text, close, keepAlive] of [
    ['close', true, false],
    ['Close', true, false],
    ['keep-alive', false, true],
    ['Keep-Alive', false, true],
    ['KEEP-ALIVE', false, true],
    ['keep-alive, close', true, true],
    ['x-a,close', true, false],
    ['closed', false, false],
    ['', false, false],
  ] as const) {
    const head = requestWith(`Connection: ${text}`)
    assert.deepEqual([head.close, head.keepAlive], [close, keepAlive], JSON.stringify(text))
  }
})

test('Upgrade counts only where Connection names it', () => {
  assert.equal(requestWith('Upgrade: websocket').upgrade, null)
  assert.equal(requestWith('Connection: upgrade').upgrade, null)
  assert.equal(requestWith('Connection: Upgrade', 'Upgrade: websocket').upgrade, 'websocket')
  assert.equal(requestWith('Upgrade: websocket', 'Connection: keep-alive, Upgrade').upgrade, 'websocket')
  assert.equal(requestWith('Upgrade: h2c', 'Upgrade: websocket', 'Connection: upgrade').upgrade, 'h2c, websocket')
})

test('status lines that are valid', () => {
  for (const [line, status, minor] of [
    ['HTTP/1.1 200 OK', 200, 1],
    ['HTTP/1.0 404 Not Found', 404, 0],
    ['HTTP/1.1 204 ', 204, 1],
    ['HTTP/1.1 204', 204, 1],
    ['HTTP/1.1 599 caf\u00e9 \t!', 599, 1],
    ['HTTP/1.1 100 Continue', 100, 1],
  ] as const) {
    const head = response(line, 'X-A: 1')
    assert.deepEqual([head.status, head.minorVersion, head.headers], [status, minor, ['x-a', '1']], line)
  }
})

test('status lines that are not valid are refused', () => {
  for (const line of [
    '',
    'HTTP/1.1',
    'HTTP/1.1 ',
    'HTTP/1.1  200 OK',
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1 200OK',
    'HTTP/1.1 099 X',
    'HTTP/1.1 600 X',
    'HTTP/1.1 +20 X',
    'HTTP/1.1 2x0 X',
    'HTTP/1.1\t200 OK',
    'HTTP/1.1 200\tOK',
    'HTTP/1.1 200 a\u0000b',
    'HTTP/1.1 200 a\rb',
    'HTTP/1.1 200 a\nb',
    'http/1.1 200 OK',
    ' HTTP/1.1 200 OK',
    'ICY 200 OK',
  ])
    assert.equal(
      refusal(() => response(line, 'X-A: 1')),
      'bad-request',
      JSON.stringify(line),
    )
  assert.equal(
    refusal(() => response('HTTP/2.0 200 OK')),
    'version-not-supported',
  )
})

test('the time an origin keeps its connections is read, and a strange one is not believed', () => {
  for (const [text, seconds] of [
    ['timeout=5', 5],
    ['timeout=5, max=100', 5],
    ['max=100, Timeout=5', 5],
    ['max=100', -1],
    ['xtimeout=5', -1],
    ['timeout=-1', -1],
    ['timeout=x', -1],
  ] as const)
    assert.equal(response('HTTP/1.1 200 OK', `Keep-Alive: ${text}`).keepAliveSeconds, seconds, text)
})

test('trailers are fields, without those that frame, route or end a message', () => {
  assert.equal(parseTrailers('', 10), null)
  assert.deepEqual(parseTrailers('Grpc-Status: 0\r\nX-Sum: a\r\n', 10), ['grpc-status', '0', 'x-sum', 'a'])
  assert.equal(parseTrailers('Keep-Alive: timeout=5\r\n', 10), null)
  assert.deepEqual(parseTrailers('Connection: x-hop\r\nX-Hop: 1\r\nX-Sum: a\r\n', 10), ['x-sum', 'a'])
  for (const line of [
    'Host: a',
    'Content-Length: 0',
    'Transfer-Encoding: chunked',
    'Expect: 100-continue',
    ' folded: 1',
    'x',
  ])
    assert.equal(
      refusal(() => parseTrailers(`X-Sum: a\r\n${line}\r\n`, 10)),
      'bad-request',
      line,
    )
  assert.equal(
    refusal(() => parseTrailers('A: 1\r\nB: 2\r\n', 1)),
    'head-too-large',
  )
})

test('the lines of a response are kept as they came, where passing them on says exactly what the list says', () => {
  const head = (...fields: string[]) =>
    parseResponseHead(`HTTP/1.1 200 OK\r\n${fields.map(f => `${f}\r\n`).join('')}`, 32)
  const kept = head('Server: a', 'Content-Length: 3', 'X-Request-Id: upstream', 'ETag: "x"', 'Connection: keep-alive')
  assert.equal(kept.lines, 'Server: a\r\nETag: "x"\r\n')
  assert.deepEqual(kept.headers, ['server', 'a', 'x-request-id', 'upstream', 'etag', '"x"'])
  assert.equal(head('Content-Length: 0').lines, '')
  for (const odd of ['A:b', 'A:  b', 'A:\tb', 'A: b ', 'A:']) assert.equal(head('Server: a', odd).lines, null, odd)
  assert.equal(head('A: b', 'Connection: close, a').lines, null)
})
