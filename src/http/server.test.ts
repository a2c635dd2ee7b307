import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { GatewayError } from '#base/errors'
import type { HeaderList } from './headers.ts'
import type { ExchangeListener, ServerExchange } from './message.ts'
import { createHttpServer, type HttpServer, type HttpServerOptions } from './server.ts'
import { TimerWheel } from './timer-wheel.ts'

const silent: ExchangeListener = { onAbort: () => {}, onDrain: () => {}, onFinish: () => {} }

type Given = Partial<Pick<HttpServerOptions, 'limits' | 'timeouts' | 'direct'>> & {
  answer: (exchange: ServerExchange) => void
}

const serve = async (t: TestContext, { answer, ...given }: Given): Promise<{ server: HttpServer; port: number }> => {
  const wheel = new TimerWheel(10)
  const server = createHttpServer({
    wheel,
    limits: { head: 4096, headers: 20, target: 1000, connections: 100 },
    timeouts: { requestHead: 5000, idle: 5000 },
    onExchange: exchange => {
      exchange.listener ??= silent
      answer(exchange)
    },
    onInvalid: (error: GatewayError) => ({ status: error.status, headers: ['x-code', error.code], body: error.code }),
    ...given,
  })
  const port = await server.listen({ host: '127.0.0.1', port: 0 })
  t.after(() => {
    server.close()
    wheel.close()
  })
  return { server, port }
}

/** A client of which the test writes and reads every byte. */
const client = (t: TestContext, port: number) => {
  const socket: Socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  let received = ''
  let ended = false
  let wake = (): void => {}
  socket.on('data', chunk => {
    received += chunk.toString('latin1')
    wake()
  })
  for (const event of ['end', 'close', 'error'])
    socket.on(event, () => {
      ended = true
      wake()
    })
  t.after(() => socket.destroy())
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) {
      if (ended) break
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  }
  return {
    socket,
    send: (text: string) => socket.write(text, 'latin1'),
    /** Everything up to and with `mark`; the rest stays for the next read. */
    through: async (mark: string): Promise<string> => {
      await until(() => received.includes(mark))
      const at = received.indexOf(mark)
      assert.ok(at >= 0, `the connection ended before ${JSON.stringify(mark)}: ${JSON.stringify(received)}`)
      const text = received.slice(0, at + mark.length)
      received = received.slice(at + mark.length)
      return text
    },
    /** Everything until the server has ended the connection. */
    toEnd: async (): Promise<string> => {
      await until(() => false)
      return received
    },
  }
}

const get = (path: string, ...fields: string[]): string =>
  `GET ${path} HTTP/1.1\r\nhost: a\r\n${fields.map(field => `${field}\r\n`).join('')}\r\n`

const echoPath = (exchange: ServerExchange): void => exchange.respond(200, ['x-path', exchange.target], exchange.target)

/** Answers with the whole body of the request. */
const echoBody = (exchange: ServerExchange): void => {
  const chunks: Buffer[] = []
  exchange.receive({
    onBodyData: chunk => chunks.push(Buffer.from(chunk)),
    onBodyEnd: trailers =>
      exchange.respond(200, trailers === null ? [] : ['x-trailers', trailers.join()], Buffer.concat(chunks)),
  })
}

for (const direct of [true, false]) {
  const way = direct ? 'read into the shared buffer' : 'read by data events'

  test(`a connection serves one request after the other (${way})`, async t => {
    const { server, port } = await serve(t, { answer: echoPath, direct })
    const { send, through } = client(t, port)
    for (const path of ['/first', '/second', '/third']) {
      send(get(path))
      assert.match(
        await through(`\r\n\r\n${path}`),
        /^HTTP\/1\.1 200 OK\r\nx-path: \/\w+\r\ncontent-length: \d+\r\n\r\n/,
      )
    }
    assert.equal(server.context.connections.size, 1)
    assert.equal(server.context.requests, 3)
  })

  test(`requests sent at once are answered in order, also when the first answer comes late (${way})`, async t => {
    const waiting: ServerExchange[] = []
    const answer = (exchange: ServerExchange): void => {
      if (exchange.target === '/slow') waiting.push(exchange)
      else echoPath(exchange)
      if (waiting.length > 0) setImmediate(() => echoPath(waiting.pop() as ServerExchange))
    }
    const { port } = await serve(t, { answer, direct })
    const { send, through } = client(t, port)
    send(get('/slow') + get('/b') + get('/slow') + get('/d'))
    const text = await through('\r\n\r\n/d')
    assert.deepEqual(text.match(/(?<=x-path: )\/\w+/g), ['/slow', '/b', '/slow', '/d'])
  })

  test(`requests in pieces of one byte are the same requests (${way})`, async t => {
    const { port } = await serve(t, { answer: echoBody, direct })
    const { socket, send, through } = client(t, port)
    const wire = `POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\nPOST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nbye`
    for (const byte of wire) {
      send(byte)
      await new Promise(resolve => socket.write('', resolve))
    }
    assert.match(await through('hello'), /x-trailers: x-sum,1\r\n/)
    await through('\r\n\r\nbye')
  })
}

test('an answer to HEAD tells the length of a body that is not sent', async t => {
  const { port } = await serve(t, { answer: exchange => exchange.respond(200, [], 'twelve bytes') })
  const { send, through } = client(t, port)
  send(`HEAD / HTTP/1.1\r\nhost: a\r\n\r\n${get('/')}`)
  const text = await through('twelve bytes')
  const head = 'HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n'
  assert.equal(text, `${head}${head}twelve bytes`)
})

test('answers without a body have none, whatever is written', async t => {
  for (const status of [204, 304]) {
    const answer = (exchange: ServerExchange): void => {
      exchange.head(status, [], -1)
      exchange.write(Buffer.from('nothing of this'))
      exchange.end(null)
    }
    const { port } = await serve(t, { answer })
    const { send, through } = client(t, port)
    send(get('/') + get('/'))
    const one = await through('\r\n\r\n')
    assert.match(one, new RegExp(`^HTTP/1\\.1 ${status} [A-Za-z ]+\r\n\r\n$`))
    assert.equal(await through('\r\n\r\n'), one)
  }
})

test('a body of unknown length is sent in chunks with its trailers, and to HTTP/1.0 until the end', async t => {
  const answer = (exchange: ServerExchange): void => {
    exchange.head(200, [], -1)
    exchange.write(Buffer.from('hello '))
    exchange.write(Buffer.from('world'))
    exchange.end(['x-sum', '1'])
  }
  const { port } = await serve(t, { answer })
  const modern = client(t, port)
  modern.send(get('/'))
  assert.equal(
    await modern.through('x-sum: 1\r\n\r\n'),
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\nx-sum: 1\r\n\r\n',
  )
  const old = client(t, port)
  old.send('GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n')
  assert.match(await old.toEnd(), /^HTTP\/1\.1 200 OK\r\nconnection: close\r\n\r\nhello world$/)
})

test('who may use a connection again depends on version and Connection', async t => {
  const { port } = await serve(t, { answer: echoPath })
  for (const [request, stays] of [
    ['GET / HTTP/1.1\r\nhost: a\r\n\r\n', true],
    ['GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n', false],
    ['GET / HTTP/1.0\r\n\r\n', false],
    ['GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n', true],
  ] as const) {
    const { send, toEnd, through } = client(t, port)
    send(request)
    if (stays) {
      assert.doesNotMatch(await through('\r\n\r\n/'), /connection: close/)
      send(get('/again'))
      await through('\r\n\r\n/again')
    } else assert.match(await toEnd(), /connection: close\r\n\r\n\/$/, request)
  }
})

test('what is not HTTP is answered once, and nothing after it is looked at', async t => {
  const seen: string[] = []
  const { port } = await serve(t, {
    answer: exchange => {
      seen.push(exchange.target)
      echoPath(exchange)
    },
  })
  const { send, toEnd } = client(t, port)
  send(`${get('/good')}GET /bad HTTP/1.1\r\n\r\n${get('/never')}`)
  const text = await toEnd()
  assert.deepEqual(text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 400'])
  assert.match(text, /x-code: bad-request\r\ncontent-length: 11\r\nconnection: close\r\n\r\nbad-request$/)
  assert.deepEqual(seen, ['/good'])
})

test('limits of heads have their own answers', async t => {
  const { port } = await serve(t, { answer: echoPath })
  for (const [request, code] of [
    [get(`/${'a'.repeat(1100)}`), 'target-too-long'],
    [get('/', `x-a: ${'a'.repeat(5000)}`), 'head-too-large'],
    [get('/', ...Array.from({ length: 20 }, (_, index) => `x-${index}: 1`)), 'head-too-large'],
    [`GET /${'a'.repeat(6000)}`, 'target-too-long'],
    ['GET / HTTP/1.1\nhost', 'bad-request'],
    [get('/', 'expect: miracles'), 'expectation-failed'],
  ] as const) {
    const { send, toEnd } = client(t, port)
    send(request)
    assert.match(await toEnd(), new RegExp(`x-code: ${code}\r\n`), code)
  }
})

test('a client that waits for 100 Continue gets it when the body is wanted, and not before', async t => {
  const { port } = await serve(t, {
    answer: exchange => (exchange.target === '/wanted' ? echoBody(exchange) : exchange.respond(413, [], 'no')),
  })
  const wanted = client(t, port)
  wanted.send('POST /wanted HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n')
  assert.equal(await wanted.through('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n')
  wanted.send('body')
  await wanted.through('\r\n\r\nbody')
  const unwanted = client(t, port)
  unwanted.send('POST /unwanted HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n')
  assert.match(await unwanted.toEnd(), /^HTTP\/1\.1 413 [\s\S]*connection: close\r\n\r\nno$/)
})

test('a body that nobody reads is skipped before the next request', async t => {
  const { port } = await serve(t, { answer: echoPath })
  const { send, through } = client(t, port)
  const smuggled = get('/smuggled')
  send(`POST /one HTTP/1.1\r\nhost: a\r\ncontent-length: ${smuggled.length}\r\n\r\n${smuggled}`)
  send(`POST /two HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhel`)
  await through('\r\n\r\n/one')
  await through('\r\n\r\n/two')
  send(`lo${get('/three')}`)
  assert.match(await through('/three'), /^HTTP\/1\.1 200/)
})

test('the listener hears once that the client left', async t => {
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>()
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>()
  const heard: string[] = []
  const { server, port } = await serve(t, {
    answer: exchange => {
      exchange.listener = {
        onAbort: error => heard.push(`abort ${error.code}`),
        onDrain: () => {},
        onFinish: () => {
          heard.push('finish')
          finish()
        },
      }
      arrive()
    },
  })
  const { socket, send } = client(t, port)
  send(get('/'))
  await arrived
  socket.destroy()
  await finished
  assert.deepEqual(heard, ['abort client-closed', 'finish'])
  assert.equal(server.context.connections.size, 0)
})

test('a cut answer can be told from a whole one', async t => {
  const answer = (exchange: ServerExchange): void => {
    exchange.head(200, [], exchange.target === '/length' ? 100 : -1)
    exchange.write(Buffer.from('half'))
    if (exchange.target === '/short') exchange.end(null)
    else exchange.abort()
  }
  const { port } = await serve(t, { answer })
  for (const path of ['/length', '/chunked']) {
    const { send, toEnd } = client(t, port)
    send(get(path))
    const text = await toEnd()
    assert.match(text, /half/, path)
    assert.doesNotMatch(text, /0\r\n\r\n$/, path)
  }
})

test('a head that does not arrive in time is answered with 408, an idle connection is closed without a word', async t => {
  const { port } = await serve(t, { answer: echoPath, timeouts: { requestHead: 60, idle: 60 } })
  const slow = client(t, port)
  slow.send('GET / HTTP/1.1\r\nhost')
  assert.match(await slow.toEnd(), /^HTTP\/1\.1 408 [\s\S]*x-code: request-timeout\r\n/)
  const idle = client(t, port)
  idle.send(get('/'))
  assert.match(await idle.toEnd(), /\r\n\r\n\/$/)
})

test('draining ends idle connections at once and others after their answer', async t => {
  const held: ServerExchange[] = []
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>()
  const { server, port } = await serve(t, {
    answer: exchange => {
      if (exchange.target !== '/held') return echoPath(exchange)
      held.push(exchange)
      arrive()
    },
  })
  const idle = client(t, port)
  idle.send(get('/'))
  await idle.through('\r\n\r\n/')
  const busy = client(t, port)
  busy.send(get('/held'))
  await arrived
  const drained = server.drain(5000)
  assert.equal(await idle.toEnd(), '')
  echoPath(held[0] as ServerExchange)
  assert.match(await busy.toEnd(), /connection: close\r\n\r\n\/held$/)
  busy.socket.end()
  await drained
  assert.equal(server.context.connections.size, 0)
})

test('after an upgrade the bytes belong to both sides, also those that came with the request', async t => {
  const { port } = await serve(t, {
    answer: exchange => {
      const headers: HeaderList = ['x-protocol', String(exchange.upgradeProtocol)]
      const stream = exchange.upgrade(101, headers)
      stream.onData = chunk => stream.write(chunk)
      stream.onEnd = () => stream.end()
      stream.resume()
    },
  })
  const { socket, send, through, toEnd } = client(t, port)
  send(`${get('/', 'connection: upgrade', 'upgrade: shout')}early `)
  assert.equal(
    await through('early '),
    'HTTP/1.1 101 Switching Protocols\r\nx-protocol: shout\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\nearly ',
  )
  send(get('/not-http-any-more'))
  await through(get('/not-http-any-more'))
  socket.end()
  assert.equal(await toEnd(), '')
})
