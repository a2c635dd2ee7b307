import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, constants, createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { after, before, type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { get, head, post } from '../conformance/case-table.ts'
import {
  eventually,
  headerOf,
  oneService,
  type Portico,
  type ResponseMessage,
  rawCall,
  rawClient,
  startPortico,
  within,
} from '../harness.ts'
import { block, data, frame, headers, number32, rawHttp2, request, resetStream, settings } from '../raw-http2.ts'
import { type Http2Origin, http2Origin, type OriginStream } from '../raw-http2-origin.ts'
import { bulkCall, bulkHash, writeBulk } from './bulk.ts'

let portico: Portico
before(async () => {
  portico = await startPortico({ config: oneService('http://127.0.0.1:1') })
})
after(() => portico?.stop())

/** The gateway with one service behind HTTP/2 without TLS. */
const gatewayFor = async (url: string, upstream: object = {}): Promise<void> => {
  await portico.reload(oneService(url, {}, { protocol: 'h2', ...upstream }))
}

const originFor = async (
  t: TestContext,
  answer: (stream: OriginStream) => void,
  first?: Buffer,
): Promise<Http2Origin> => {
  const origin = await http2Origin(answer, first)
  t.after(() => origin.stop())
  return origin
}

const answerWith = (stream: OriginStream, fields: [string, string][], body = ''): void =>
  stream.connection.send(headers(stream.id, fields, body === ''), ...(body === '' ? [] : [data(stream.id, body, true)]))

const echo = (stream: OriginStream): void =>
  answerWith(
    stream,
    [
      [':status', '200'],
      ['x-a', '1'],
    ],
    `${stream.fields[':method']} ${stream.fields[':path']} ${stream.body}`,
  )

const nodeServer = async (
  t: TestContext,
  onStream: (stream: ServerHttp2Stream, headers: Record<string, unknown>) => void,
) => {
  const server: Http2Server = createServer({ settings: { enableConnectProtocol: true } })
  server.on('stream', onStream)
  server.on('sessionError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('a request of HTTP/1.1 becomes one of HTTP/2', async t => {
  const origin = await originFor(t, echo)
  await gatewayFor(origin.url)
  const answer = await rawCall(
    portico.gatewayPort,
    post(['Content-Length: 5', 'X-B: 2', 'Connection: x-c', 'X-C: 3'], 'hello'),
  )
  assert.equal(answer.status, 200)
  assert.equal(answer.body.toString(), 'POST /p hello')
  const { fields } = origin.requests[0] as OriginStream
  assert.equal(fields[':scheme'], 'http')
  assert.equal(fields[':authority'], new URL(origin.url).host)
  assert.equal(fields['x-b'], '2')
  assert.equal(fields['via'], '1.1 portico')
  assert.equal(fields['content-length'], '5')
  for (const name of ['host', 'connection', 'x-c', 'transfer-encoding', 'te']) assert.equal(fields[name], undefined)
  const length = await rawCall(portico.gatewayPort, get('/none'))
  assert.equal(length.body.toString(), 'GET /none ')
  assert.equal(origin.requests[1]?.fields['content-length'], undefined)
})

test('many calls at the same time share one connection', async t => {
  const waiting: OriginStream[] = []
  const origin = await originFor(t, stream => {
    if (waiting.push(stream) === 50) for (const one of waiting.reverse()) echo(one)
  })
  await gatewayFor(origin.url)
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => rawCall(portico.gatewayPort, get(`/${i}`))))
  for (const [i, answer] of answers.entries()) assert.equal(answer.body.toString(), `GET /${i} `)
  assert.equal(origin.connections.length, 1)
})

test('an origin that takes two streams at a time gets more connections, and no stream is refused', async t => {
  const waiting: OriginStream[] = []
  const origin = await originFor(
    t,
    stream => {
      if (waiting.push(stream) === 6) for (const one of waiting) echo(one)
    },
    settings([3, 2]),
  )
  await gatewayFor(origin.url)
  const answers = await Promise.all(Array.from({ length: 6 }, (_, i) => rawCall(portico.gatewayPort, get(`/${i}`))))
  assert.deepEqual(
    answers.map(({ status }) => status),
    Array(6).fill(200),
  )
  assert.equal(origin.connections.length, 3)
})

test('large bodies pass both ways', async t => {
  const bytes = 8_000_000
  const url = await nodeServer(t, (stream, fields) => {
    stream.on('error', () => {})
    stream.respond({ ':status': 200 })
    if (fields[':method'] === 'GET') {
      void writeBulk(stream, bytes)
      return
    }
    const hash = createHash('sha256')
    stream.on('data', chunk => hash.update(chunk))
    stream.on('end', () => stream.end(hash.digest('hex')))
  })
  await gatewayFor(url)
  const [down, up] = await Promise.all([
    bulkCall(portico.gatewayPort, '/down'),
    bulkCall(portico.gatewayPort, '/up', { method: 'PUT', upload: bytes }),
  ])
  assert.equal(down.hash, bulkHash(bytes))
  assert.equal(up.text, bulkHash(bytes))
})

test('a client that does not read stops its origin, and others go on', async t => {
  let sent = 0
  const url = await nodeServer(t, (stream, fields) => {
    stream.on('error', () => {})
    stream.respond({ ':status': 200 })
    if (fields[':path'] === '/slow')
      void writeBulk(stream, 100_000_000, total => {
        sent = total
      })
    else stream.end('quick')
  })
  await gatewayFor(url)
  const client = await rawClient(portico.gatewayPort)
  t.after(() => client.destroy())
  client.socket.pause()
  client.send(get('/slow'))
  let before = -1
  await eventually(async () => {
    const stands = sent > 0 && sent === before
    before = sent
    await new Promise(resolve => setTimeout(resolve, 100))
    return stands ? true : null
  }, 'the origin to be stopped')
  assert.ok(sent < 20_000_000, `${sent} bytes were sent`)
  assert.equal((await rawCall(portico.gatewayPort, get('/quick'))).body.toString(), 'quick')
})

test('trailers pass both ways', async t => {
  const origin = await originFor(t, stream =>
    stream.connection.send(
      headers(stream.id, [[':status', '200']], false),
      data(stream.id, 'body'),
      headers(stream.id, [['x-sum', stream.trailers['x-check'] ?? 'none']], true),
    ),
  )
  await gatewayFor(origin.url)
  const answer = await rawCall(
    portico.gatewayPort,
    post(['Transfer-Encoding: chunked'], '2\r\nhi\r\n0\r\nX-Check: abc\r\n\r\n'),
  )
  assert.equal(answer.body.toString(), 'body')
  assert.deepEqual(
    answer.trailers.map(([name, value]) => `${name.toLowerCase()}: ${value}`),
    ['x-sum: abc'],
  )
})

test('HEAD, 204, 304, and interim answers', async t => {
  const origin = await originFor(t, stream => {
    const { ':path': path } = stream.fields
    if (path === '/hints')
      stream.connection.send(
        headers(
          stream.id,
          [
            [':status', '103'],
            ['link', '</a>'],
          ],
          false,
        ),
      )
    const fields: [string, string][] =
      path === '/304'
        ? [
            [':status', '304'],
            ['content-length', '7'],
          ]
        : [
            [':status', path === '/204' ? '204' : '200'],
            ...(path === '/head' ? [['content-length', '9'] as [string, string]] : []),
          ]
    answerWith(stream, fields)
  })
  await gatewayFor(origin.url)
  const headed = await rawCall(portico.gatewayPort, head('HEAD /head HTTP/1.1'), 'HEAD')
  assert.equal(headed.headers.find(([name]) => name.toLowerCase() === 'content-length')?.[1], '9')
  assert.equal((await rawCall(portico.gatewayPort, get('/204'))).status, 204)
  assert.equal((await rawCall(portico.gatewayPort, get('/304'))).status, 304)
  const client = await rawClient(portico.gatewayPort)
  t.after(() => client.destroy())
  client.send(get('/hints'))
  assert.equal((await client.readResponse()).status, 103)
  assert.equal((await client.readResponse()).status, 200)
})

test('streams that the origin did not look at are sent again elsewhere (RFC 9113 §6.8, §8.7)', async t => {
  let first = true
  const origin = await originFor(t, stream => {
    if (stream.fields[':path'] === '/goaway' && first) {
      first = false
      stream.connection.send(frame(7, 0, 0, number32(0, 0)))
    } else if (stream.fields[':path'] === '/refused' && stream.id === 1) stream.connection.send(resetStream(1, 7))
    else echo(stream)
  })
  await gatewayFor(origin.url, { retry: { attempts: 2 } })
  const again = await rawCall(portico.gatewayPort, get('/goaway'))
  assert.equal(again.body.toString(), 'GET /goaway ')
  assert.equal(origin.connections.length, 2)
})

test('a refused stream is sent again, also when its method may not be repeated', async t => {
  let refused = 0
  const origin = await originFor(t, stream => {
    if (refused++ === 0) stream.connection.send(resetStream(stream.id, 7))
    else echo(stream)
  })
  await gatewayFor(origin.url, { retry: { attempts: 2 } })
  assert.equal((await rawCall(portico.gatewayPort, head('DELETE /x HTTP/1.1'))).status, 200)
  assert.equal(origin.requests.length, 2)
  assert.equal(origin.connections.length, 1)
})

test('GOAWAY lets running streams finish, and new ones go elsewhere', async t => {
  let held: OriginStream | null = null
  const origin = await originFor(t, stream => {
    if (held === null) {
      held = stream
      stream.connection.send(frame(7, 0, 0, number32(1, 0)))
    } else echo(stream)
  })
  await gatewayFor(origin.url)
  const running = rawCall(portico.gatewayPort, get('/running'))
  await origin.waitFor(() => held, 'the first request')
  await eventually(async () => {
    await rawCall(portico.gatewayPort, get('/new'))
    return origin.connections.length === 2 ? true : null
  }, 'a second connection')
  echo(held as unknown as OriginStream)
  assert.equal((await running).body.toString(), 'GET /running ')
})

/** Answers that are not HTTP/2, or that two readers could take in two ways, are 502. */
const invalid: [string, (stream: OriginStream) => void][] = [
  ['no status (§8.3.2)', s => answerWith(s, [['x-a', '1']])],
  ['a status of four digits (§8.3.2)', s => answerWith(s, [[':status', '2000']])],
  [
    'two statuses (§8.3)',
    s =>
      answerWith(s, [
        [':status', '200'],
        [':status', '200'],
      ]),
  ],
  ['101 (§8.6)', s => answerWith(s, [[':status', '101']])],
  [
    'a pseudo-header of requests (§8.3)',
    s =>
      answerWith(s, [
        [':status', '200'],
        [':path', '/'],
      ]),
  ],
  [
    'a pseudo-header behind a field (§8.3)',
    s =>
      answerWith(s, [
        ['x-a', '1'],
        [':status', '200'],
      ]),
  ],
  [
    'an upper-case name (§8.2.1)',
    s =>
      answerWith(s, [
        [':status', '200'],
        ['X-A', '1'],
      ]),
  ],
  [
    'CR LF in a value (§8.2.1)',
    s =>
      answerWith(s, [
        [':status', '200'],
        ['x-a', '1\r\nset-cookie: b'],
      ]),
  ],
  [
    'NUL in a value (§8.2.1)',
    s =>
      answerWith(s, [
        [':status', '200'],
        ['x-a', '1\0'],
      ]),
  ],
  [
    'Transfer-Encoding (§8.2.2)',
    s =>
      answerWith(s, [
        [':status', '200'],
        ['transfer-encoding', 'chunked'],
      ]),
  ],
  [
    'Connection (§8.2.2)',
    s =>
      answerWith(s, [
        [':status', '200'],
        ['connection', 'close'],
      ]),
  ],
  [
    'two lengths (RFC 9110 §8.6)',
    s =>
      answerWith(
        s,
        [
          [':status', '200'],
          ['content-length', '1'],
          ['content-length', '1'],
        ],
        'a',
      ),
  ],
  [
    'a length without a body (§8.1.1)',
    s =>
      answerWith(s, [
        [':status', '200'],
        ['content-length', '5'],
      ]),
  ],
  ['DATA before HEADERS (§8.1)', s => s.connection.send(data(s.id, 'x', true))],
  ['an interim answer that ends (§8.1)', s => answerWith(s, [[':status', '103']])],
  ['PUSH_PROMISE (§8.4)', s => s.connection.send(frame(5, 4, s.id, Buffer.concat([number32(2), block(request())])))],
  ['garbage instead of a field block (§4.3)', s => s.connection.send(frame(1, 5, s.id, '\xff\xff\xff\xff\xff\xff'))],
  [
    'a frame that is too large (§4.2)',
    s => s.connection.send(Buffer.concat([number32(0x7f_ffff_00), Buffer.alloc(5)])),
  ],
  ['HEADERS on a stream nobody opened (§5.1)', s => s.connection.send(headers(s.id + 2, [[':status', '200']], true))],
]

test('an invalid answer is 502 and never reaches a client', async t => {
  let answer: (stream: OriginStream) => void = echo
  const origin = await originFor(t, stream => answer(stream))
  await gatewayFor(origin.url)
  for (const [what, send] of invalid)
    await t.test(what, async () => {
      answer = send
      const response = await rawCall(portico.gatewayPort, get('/x'))
      assert.equal(response.status, 502)
      assert.equal(JSON.parse(response.body.toString()).code, 'upstream-invalid')
      answer = echo
      assert.equal((await rawCall(portico.gatewayPort, get('/x'))).status, 200)
    })
})

test('a body that is not what Content-Length says is visible as cut', async t => {
  const origin = await originFor(t, stream =>
    stream.connection.send(
      headers(
        stream.id,
        [
          [':status', '200'],
          ['content-length', '5'],
        ],
        false,
      ),
      data(stream.id, stream.fields[':path'] === '/short' ? 'abc' : 'abcdefg', true),
    ),
  )
  await gatewayFor(origin.url)
  for (const path of ['/short', '/long']) {
    const client = await rawClient(portico.gatewayPort)
    client.send(get(path))
    const { rest } = await client.waitClose()
    assert.ok(!rest.toString().includes('defg'))
    assert.ok(
      rest.toString().includes('content-length: 5') || rest.toString().startsWith('HTTP/1.1 502'),
      rest.toString(),
    )
  }
})

test('a stream that the origin resets is 502, a connection that dies too', async t => {
  const origin = await originFor(t, stream => {
    if (stream.fields[':path'] === '/dies') stream.connection.raw.reset()
    else stream.connection.send(resetStream(stream.id, 2))
  })
  await gatewayFor(origin.url)
  for (const path of ['/reset', '/dies']) {
    const response = await rawCall(portico.gatewayPort, post(['Content-Length: 1'], 'a').replace('/p ', `${path} `))
    assert.equal(response.status, 502)
    assert.equal(JSON.parse(response.body.toString()).code, 'upstream-closed')
  }
})

test('a client that goes away resets its stream, and the connection serves on', async t => {
  const origin = await originFor(t, stream => {
    if (stream.fields[':path'] !== '/silent') echo(stream)
  })
  await gatewayFor(origin.url)
  const client = await rawClient(portico.gatewayPort)
  client.send(get('/silent'))
  const stream = await origin.waitFor(() => origin.requests[0] ?? null, 'the request')
  client.reset()
  await eventually(async () => (stream.reset === null ? null : true), 'RST_STREAM')
  assert.equal(stream.reset, constants.NGHTTP2_CANCEL)
  assert.equal((await rawCall(portico.gatewayPort, get('/next'))).status, 200)
  assert.equal(origin.connections.length, 1)
})

test('a dead connection takes no more requests after its first timeout', async t => {
  let dead = true
  const origin = await originFor(t, stream => {
    if (!dead) echo(stream)
  })
  await gatewayFor(origin.url, { timeouts: { response: '300ms' } })
  assert.equal((await rawCall(portico.gatewayPort, get('/1'))).status, 504)
  dead = false
  assert.equal((await rawCall(portico.gatewayPort, get('/2'))).status, 200)
})

test('a service that is not there is 502', async () => {
  await gatewayFor('http://127.0.0.1:1')
  assert.equal((await rawCall(portico.gatewayPort, get('/x'))).status, 502)
})

test('HTTP/2 to HTTP/2, with te: trailers for gRPC', async t => {
  const origin = await originFor(t, stream =>
    stream.connection.send(
      headers(
        stream.id,
        [
          [':status', '200'],
          ['content-type', 'application/grpc'],
        ],
        false,
      ),
      headers(stream.id, [['grpc-status', '0']], true),
    ),
  )
  await gatewayFor(origin.url)
  const client = await rawHttp2(portico.gatewayPort)
  t.after(() => client.destroy())
  client.send(
    headers(
      1,
      [
        [':method', 'POST'],
        ...request('/pkg.Service/Call').slice(1),
        ['content-type', 'application/grpc'],
        ['te', 'trailers'],
      ],
      false,
    ),
    data(1, 'message', true),
  )
  const answer = await client.read(1)
  assert.deepEqual(answer.trailers, { 'grpc-status': '0' })
  const seen = origin.requests[0] as OriginStream
  assert.equal(seen.fields['te'], 'trailers')
  assert.equal(seen.fields['via'], '2 portico')
  assert.equal(seen.body.toString(), 'message')
})

test('a WebSocket of HTTP/1.1 reaches a service of HTTP/2 (RFC 8441)', async t => {
  const url = await nodeServer(t, (stream, fields) => {
    assert.equal(fields[':method'], 'CONNECT')
    assert.equal(fields[':protocol'], 'websocket')
    assert.equal(fields['sec-websocket-key'], undefined)
    stream.on('error', () => {})
    stream.respond({ ':status': 200 })
    // "hi" without a mask, when the client has said something.
    stream.once('data', () => stream.write(Buffer.from('\x81\x02hi', 'latin1')))
  })
  await gatewayFor(url)
  const socket = new WebSocket(`ws://127.0.0.1:${portico.gatewayPort}/ws`)
  t.after(() => socket.terminate())
  await within(once(socket, 'open'), () => 'the WebSocket')
  socket.send('hello')
  const [message] = (await within(once(socket, 'message'), () => 'the answer')) as [Buffer]
  assert.equal(message.toString(), 'hi')
})

test('the pools of both protocols are told apart, and idle connections are counted', async t => {
  const origin = await originFor(t, echo)
  await gatewayFor(origin.url)
  const answer: ResponseMessage = await rawCall(portico.gatewayPort, get('/x'))
  assert.equal(answer.status, 200)
  const { load } = (await portico.status()).workers[0] as {
    load: { upstreamConnections: number; upstreamIdle: number }
  }
  assert.deepEqual([load.upstreamConnections, load.upstreamIdle], [1, 1])
})

test('many calls that lose their kept connection share the next one', async t => {
  const waiting: OriginStream[] = []
  const origin = await originFor(t, stream => {
    if (stream.fields[':path'] === '/first') echo(stream)
    else if (waiting.push(stream) === 20) stream.connection.raw.reset()
    else if (waiting.length > 20) echo(stream)
  })
  await gatewayFor(origin.url)
  await rawCall(portico.gatewayPort, get('/first'))
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => rawCall(portico.gatewayPort, get(`/${i}`))))
  assert.deepEqual(
    answers.map(({ status }) => status),
    Array(20).fill(200),
  )
  assert.equal(origin.connections.length, 2)
})

test('heads that need more than one frame pass both ways (RFC 9113 §6.10)', async t => {
  const url = await nodeServer(t, (stream, fields) => {
    stream.respond({ ':status': 200, 'x-large': String(fields['x-large']) })
    stream.end()
  })
  await gatewayFor(url)
  const large = Array.from({ length: 30_000 }, (_, i) => String.fromCharCode(97 + ((i * i) % 26))).join('')
  const answer = await rawCall(portico.gatewayPort, get('/x', `X-Large: ${large}`))
  assert.equal(headerOf(answer, 'x-large'), large)
  const client = connect(`http://127.0.0.1:${portico.gatewayPort}`)
  t.after(() => client.destroy())
  const stream = client.request({ ':path': '/x', 'x-large': large })
  const [fields] = (await within(once(stream, 'response'), () => 'the answer')) as [Record<string, unknown>]
  assert.equal(fields['x-large'], large)
})
