import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { GatewayError } from '#base/errors'
import { type ClientExchange, type Origin, type OutgoingRequest, Pool, type ResponseHandler } from './client.ts'
import type { HeaderList } from './headers.ts'
import { listen } from './socket-reading.ts'
import { TimerWheel } from './timer-wheel.ts'

/** An origin on which the test reads every request and writes every byte of the answer. */
const scripted = async (t: TestContext, onRequest: (socket: Socket, head: string, connection: number) => void) => {
  const sockets: Socket[] = []
  const server: Server = createServer({ noDelay: true }, socket => {
    const connection = sockets.push(socket)
    let text = ''
    socket.on('error', () => socket.destroy())
    socket.on('data', chunk => {
      text += chunk.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end + 4)
        text = text.slice(end + 4)
        onRequest(socket, head, connection)
      }
    })
  })
  const port = await listen(server, { host: '127.0.0.1', port: 0 })
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port, sockets }
}

const poolFor = (t: TestContext, port: number, given: { tls?: Origin['tls']; idleTimeout?: number } = {}): Pool => {
  const wheel = new TimerWheel(10)
  const pool = new Pool({
    origin: { host: '127.0.0.1', port, tls: given.tls ?? null },
    wheel,
    idleTimeout: given.idleTimeout ?? 5000,
    maxHead: 4096,
    maxFields: 20,
  })
  t.after(() => {
    for (const connection of pool.connections) connection.abort()
    wheel.close()
  })
  return pool
}

const ok = (body: string, ...fields: string[]): string =>
  `HTTP/1.1 200 OK\r\n${fields.map(field => `${field}\r\n`).join('')}content-length: ${body.length}\r\n\r\n${body}`

type Answer = {
  status: number
  headers: HeaderList
  length: number
  body: string
  trailers: HeaderList | null
  reused: boolean
}

/** Sends a request and resolves with the whole answer; rejects with the GatewayError. */
const ask = (pool: Pool, given: Partial<OutgoingRequest> = {}, fresh = false): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const answer: Answer = { status: 0, headers: [], length: 0, body: '', trailers: null, reused: false }
    const handler: ResponseHandler = {
      onReady: exchange => {
        answer.reused = exchange.reused
      },
      onInformational: () => {},
      onResponse: (status, headers, length) => Object.assign(answer, { status, headers, length }),
      onBodyData: chunk => {
        answer.body += chunk.toString('latin1')
      },
      onBodyEnd: trailers => resolve(Object.assign(answer, { trailers })),
      onPause: () => {},
      onDrain: () => {},
      onUpgrade: () => reject(new Error('nobody asked for an upgrade')),
      onError: reject,
    }
    const request: OutgoingRequest = {
      method: 'GET',
      target: '/',
      host: 'origin',
      fields: '',
      length: 0,
      body: null,
      upgrade: null,
      connectTimeout: 3000,
      responseTimeout: 3000,
      idleTimeout: 3000,
      totalTimeout: 30_000,
      ...given,
    }
    pool.request(request, handler, fresh)
  })

const failure = async (work: Promise<unknown>): Promise<{ code: string; retry: string }> => {
  try {
    await work
  } catch (error) {
    const { code, retry } = error as GatewayError
    return { code, retry }
  }
  return { code: 'answered', retry: '' }
}

/** Resolves when the pool has no connection left. */
const emptied = async (pool: Pool): Promise<void> => {
  while (pool.connections.size > 0) await new Promise(setImmediate)
}

test('one connection serves one request after the other', async t => {
  const { port, sockets } = await scripted(t, (socket, head) => socket.write(ok(head.split(' ')[1] as string)))
  const pool = poolFor(t, port)
  for (const [index, target] of ['/a', '/b', '/c'].entries()) {
    const answer = await ask(pool, { target })
    assert.deepEqual([answer.status, answer.body, answer.reused], [200, target, index > 0])
    assert.equal(pool.idleCount, 1)
  }
  assert.equal(sockets.length, 1)
})

test('requests at the same time have a connection each', async t => {
  const { port, sockets } = await scripted(t, (socket, head) => socket.write(ok(head.split(' ')[1] as string)))
  const pool = poolFor(t, port)
  const targets = ['/a', '/b', '/c', '/d']
  const answers = await Promise.all(targets.map(target => ask(pool, { target })))
  assert.deepEqual(
    answers.map(({ body }) => body),
    targets,
  )
  assert.deepEqual([sockets.length, pool.idleCount, pool.connections.size], [4, 4, 4])
})

test('a request is written with its host, its fields and the framing of its body', async t => {
  const heads: string[] = []
  const { port } = await scripted(t, (socket, head) => {
    heads.push(head)
    socket.write(ok(''))
  })
  const pool = poolFor(t, port)
  await ask(pool, { target: '/a?b', fields: 'x-a: 1\r\n' })
  await ask(pool, { method: 'POST' })
  await ask(pool, { method: 'PUT', length: 4, body: Buffer.from('\r\n\r\n') })
  assert.deepEqual(heads, [
    'GET /a?b HTTP/1.1\r\nhost: origin\r\nx-a: 1\r\n\r\n',
    'POST / HTTP/1.1\r\nhost: origin\r\ncontent-length: 0\r\n\r\n',
    'PUT / HTTP/1.1\r\nhost: origin\r\ncontent-length: 4\r\n\r\n',
    '\r\n\r\n',
  ])
})

test('an answer to HEAD has a length and no body, and leaves the connection usable', async t => {
  const { port, sockets } = await scripted(t, (socket, head) =>
    socket.write(head.startsWith('HEAD') ? 'HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n' : ok('next')),
  )
  const pool = poolFor(t, port)
  const head = await ask(pool, { method: 'HEAD' })
  assert.deepEqual([head.length, head.body], [12, ''])
  assert.equal((await ask(pool)).body, 'next')
  assert.equal(sockets.length, 1)
})

test('bodies of every framing are read to their end', async t => {
  const answers: Record<string, string> = {
    '/length': ok('hello'),
    '/chunked': 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nx-sum: 1\r\n\r\n',
    '/close': 'HTTP/1.1 200 OK\r\n\r\nhello',
    '/old': 'HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello',
  }
  const { port, sockets } = await scripted(t, (socket, head) => {
    const target = head.split(' ')[1] as string
    socket.write(answers[target] as string)
    if (target === '/close') socket.end()
  })
  const pool = poolFor(t, port)
  for (const target of Object.keys(answers)) assert.equal((await ask(pool, { target })).body, 'hello', target)
  assert.deepEqual((await ask(pool, { target: '/chunked' })).trailers, ['x-sum', '1'])
  // length and chunked shared one; close and HTTP/1.0 used theirs up.
  assert.equal(sockets.length, 3)
})

test('bytes that nobody asked for close an idle connection and are never an answer', async t => {
  const { port, sockets } = await scripted(t, (socket, _head, connection) => socket.write(ok(`from ${connection}`)))
  const pool = poolFor(t, port)
  await ask(pool)
  ;(sockets[0] as Socket).write(ok('poison'))
  await emptied(pool)
  const answer = await ask(pool)
  assert.deepEqual([answer.body, answer.reused], ['from 2', false])
})

test('a request in the very moment an idle connection is given up gets another one', async t => {
  const { port, sockets } = await scripted(t, (socket, _head, connection) => socket.write(ok(`from ${connection}`)))
  for (const method of ['GET', 'POST'] as const) {
    const before = sockets.length
    const pool = poolFor(t, port)
    await ask(pool)
    const origin = sockets[before] as Socket
    // The bytes are there at once; they are read in the next turn of the loop, before what setImmediate runs there,
    // and the closing of the socket is only told after that.
    await new Promise(setImmediate)
    origin.write('x')
    await new Promise(setImmediate)
    const answer = await ask(pool, { method })
    assert.deepEqual([answer.body, answer.reused], [`from ${before + 2}`, false], method)
  }
})

test('bytes after the end of an answer never reach the next request', async t => {
  for (const [answer, extra] of [
    [ok('first'), ok('poison')],
    [ok('first'), 'x'],
    ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n', ok('poison')],
    ['HTTP/1.1 304 Not Modified\r\n\r\n', 'first'],
  ] as const) {
    const { port } = await scripted(t, (socket, _head, connection) =>
      socket.write(connection === 1 ? answer + extra : ok('second')),
    )
    const pool = poolFor(t, port)
    const first = await ask(pool)
    assert.equal(first.body, first.status === 304 ? '' : 'first')
    const second = await ask(pool)
    assert.deepEqual([second.body, second.reused], ['second', false])
  }
})

test('an answer that comes before the request was sent whole uses its connection up', async t => {
  const { port, sockets } = await scripted(t, socket => socket.write(ok('early')))
  const pool = poolFor(t, port)
  const answer = await ask(pool, { method: 'POST', length: 1000 })
  assert.equal(answer.body, 'early')
  await emptied(pool)
  assert.equal((await ask(pool)).reused, false)
  assert.equal(sockets.length, 2)
})

test('a connection that died while it was idle says nothing about the request', async t => {
  const { port } = await scripted(t, (socket, _head, connection) => {
    if (socket.listenerCount('answered') === 0) {
      socket.once('answered', () => {})
      socket.write(ok(`from ${connection}`))
    } else socket.destroy()
  })
  const pool = poolFor(t, port)
  await ask(pool)
  assert.deepEqual(await failure(ask(pool)), { code: 'upstream-closed', retry: 'if-reused' })
  assert.equal((await ask(pool, {}, true)).body, 'from 2')
})

test('a fresh connection that dies is the fault of the origin', async t => {
  const { port } = await scripted(t, socket => socket.destroy())
  assert.deepEqual(await failure(ask(poolFor(t, port))), { code: 'upstream-closed', retry: 'no' })
})

test('answers that are cut, ambiguous or not HTTP are errors of the upstream', async t => {
  for (const [answer, code] of [
    ['HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf', 'upstream-closed'],
    ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n', 'upstream-closed'],
    ['HTTP/1.1 200 OK\r\ncontent-len', 'upstream-closed'],
    ['HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx', 'upstream-invalid'],
    ['HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n', 'upstream-invalid'],
    ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n', 'upstream-invalid'],
    ['HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n', 'upstream-invalid'],
    ['HTTP/1.1 204 No Content\r\ncontent-length: 1\r\n\r\nx', 'upstream-invalid'],
    [`HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(5000)}\r\n\r\n`, 'upstream-invalid'],
    ['SSH-2.0-OpenSSH_9.6\r\n\r\n', 'upstream-invalid'],
    ['HTTP/1.1 200 OK\nx: y\n\n', 'upstream-invalid'],
  ] as const) {
    const { port } = await scripted(t, socket => socket.end(answer))
    const pool = poolFor(t, port)
    assert.equal((await failure(ask(pool))).code, code, JSON.stringify(answer))
    await emptied(pool)
  }
})

test('interim answers come before the answer and do not end it', async t => {
  const { port } = await scripted(t, socket =>
    socket.write(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${ok('final')}`),
  )
  assert.equal((await ask(poolFor(t, port))).body, 'final')
})

test('an origin that does not answer, or stops in the middle, is given up', async t => {
  for (const [answer, timeouts] of [
    ['', { responseTimeout: 50 }],
    ['HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf', { idleTimeout: 50 }],
    ['HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf', { totalTimeout: 80 }],
  ] as const) {
    const { port } = await scripted(t, socket => socket.write(answer))
    const pool = poolFor(t, port)
    assert.equal((await failure(ask(pool, timeouts))).code, 'upstream-timeout')
    await emptied(pool)
  }
})

test('an address where nobody listens may be tried elsewhere', async t => {
  const { port } = await (async () => {
    const closed = createServer()
    const free = await listen(closed, { host: '127.0.0.1', port: 0 })
    closed.close()
    await once(closed, 'close')
    return { port: free }
  })()
  assert.deepEqual(await failure(ask(poolFor(t, port))), { code: 'upstream-unreachable', retry: 'yes' })
})

test('an unused connection is closed after its time, and sooner where the origin says so', async t => {
  const { port } = await scripted(t, (socket, head) =>
    socket.write(ok('', ...(head.includes('/short') ? ['keep-alive: timeout=1'] : []))),
  )
  const patient = poolFor(t, port, { idleTimeout: 60 })
  await ask(patient)
  assert.equal(patient.idleCount, 1)
  await emptied(patient)
  assert.equal(patient.idleCount, 0)
  const told = poolFor(t, port, { idleTimeout: 600_000 })
  await ask(told, { target: '/short' })
  await emptied(told)
})

test('a closed pool lets running requests finish and keeps nothing', async t => {
  const waiting: Socket[] = []
  const { port } = await scripted(t, (socket, head) => {
    if (head.includes('/slow')) waiting.push(socket)
    else socket.write(ok(''))
  })
  const pool = poolFor(t, port)
  await Promise.all([ask(pool), ask(pool)])
  const running = ask(pool, { target: '/slow' })
  while (waiting.length === 0) await new Promise(setImmediate)
  pool.close()
  ;(waiting[0] as Socket).write(ok('late'))
  assert.equal((await running).body, 'late')
  await emptied(pool)
  assert.equal(pool.idleCount, 0)
})

test('an aborted request closes its connection and is not heard of again', async t => {
  const { port, sockets } = await scripted(t, socket =>
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'),
  )
  const pool = poolFor(t, port)
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
  let exchange: ClientExchange | null = null
  let ended = false
  const unheard = (): void => {
    ended = true
  }
  exchange = pool.request(
    {
      method: 'GET',
      target: '/',
      host: 'origin',
      fields: '',
      length: 0,
      body: null,
      upgrade: null,
      connectTimeout: 3000,
      responseTimeout: 3000,
      idleTimeout: 3000,
      totalTimeout: 3000,
    },
    {
      onReady: () => {},
      onInformational: () => {},
      onResponse: () => begin(),
      onBodyData: () => {},
      onBodyEnd: unheard,
      onPause: () => {},
      onDrain: () => {},
      onUpgrade: unheard,
      onError: unheard,
    },
  )
  await begun
  exchange.abort()
  await emptied(pool)
  assert.equal(ended, false)
  if (!(sockets[0] as Socket).destroyed) await once(sockets[0] as Socket, 'close')
})
