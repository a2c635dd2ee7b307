import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Server } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { ByteSocket } from './byte-socket.ts'
import { createSocketServer, listen } from './socket-reading.ts'

type Echo = { server: Server & { direct: boolean }; port: number; sockets: ByteSocket[] }

/** A server that answers every read with its bytes, and closes its side when the client has closed its own. */
const echo = async (t: TestContext, direct?: boolean, prepare?: (server: Server) => void): Promise<Echo> => {
  const sockets: ByteSocket[] = []
  const server = createSocketServer(open => {
    const socket: ByteSocket = open((bytes, length) => {
      // Copied, since the bytes are valid during the call only.
      socket.write(Buffer.from(bytes.subarray(0, length)))
    })
    sockets.push(socket)
    socket.on('end', () => socket.end())
    socket.on('error', () => socket.destroy())
  }, direct)
  prepare?.(server)
  const port = await listen(server, { host: '127.0.0.1', port: 0 })
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { server, port, sockets }
}

/** Sends everything, ends, and resolves with all that came back. */
const talk = async (port: number, pieces: readonly Buffer[]): Promise<Buffer> => {
  const socket = connect(port, '127.0.0.1')
  const received: Buffer[] = []
  socket.on('data', chunk => received.push(Buffer.from(chunk)))
  for (const piece of pieces) socket.write(piece)
  socket.end()
  await once(socket, 'close')
  return Buffer.concat(received)
}

const big = Buffer.alloc(3_000_000, 'portico ')

/** What must be the same whichever way sockets are read. */
const behavesAsASocket = async (t: TestContext, direct: boolean): Promise<void> => {
  const { server, port, sockets } = await echo(t, direct)
  assert.equal(server.direct, direct)

  await t.test('bytes come as they were sent, at any size', async () => {
    assert.equal((await talk(port, [Buffer.from('hello')])).toString(), 'hello')
    assert.equal((await talk(port, [])).length, 0)
    const answer = await talk(port, [big, Buffer.from('!')])
    assert.equal(answer.compare(Buffer.concat([big, Buffer.from('!')])), 0)
  })

  await t.test('many connections at once do not mix their bytes', async () => {
    const texts = Array.from({ length: 50 }, (_, index) => `${index} `.repeat(2000))
    const answers = await Promise.all(texts.map(text => talk(port, [Buffer.from(text)])))
    assert.deepEqual(
      answers.map(answer => answer.toString()),
      texts,
    )
  })

  await t.test('a socket knows its addresses', async () => {
    const client = connect(port, '127.0.0.1')
    client.write('x')
    await once(client, 'data')
    const socket = sockets.at(-1) as ByteSocket
    assert.deepEqual([socket.remoteAddress, socket.remotePort], ['127.0.0.1', client.localPort])
    client.destroy()
  })

  await t.test('a paused socket reads nothing until it is resumed', async () => {
    const client = connect(port, '127.0.0.1')
    client.write('x')
    await once(client, 'data')
    const socket = sockets.at(-1) as ByteSocket
    socket.pause()
    let returned = 0
    client.on('data', chunk => {
      returned += chunk.length
    })
    // What the kernel takes is gone; the rest can only leave when somebody reads.
    const sent = new Promise<void>(resolve => client.write(Buffer.alloc(20_000_000), () => resolve()))
    await talk(port, [Buffer.from('another connection is served meanwhile')])
    assert.equal(returned, 0)
    socket.resume()
    await sent
    client.end()
    await once(client, 'close')
    assert.equal(returned, 20_000_000)
  })

  /** A client and the server's end of its connection. */
  const pair = async () => {
    const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    client.write('x')
    await once(client, 'data')
    return { client, socket: sockets.at(-1) as ByteSocket }
  }

  await t.test('text, bytes and corked pieces come in order, and drain follows when all is out', async () => {
    const { client, socket } = await pair()
    client.pause()
    const expected: Buffer[] = []
    const text = 'é'.repeat(30_000)
    let written = 0
    let ready = true
    for (let i = 0; i < 200; i++) {
      socket.cork()
      socket.write(`${i}:`, 'latin1')
      socket.write(Buffer.alloc(40_000, i), () => written++)
      socket.uncork()
      ready = socket.write(text, 'latin1')
      expected.push(Buffer.from(`${i}:`), Buffer.alloc(40_000, i), Buffer.from(text, 'latin1'))
    }
    assert.equal(ready, false)
    assert.ok(socket.writableLength > 1_000_000)
    const drained = new Promise<void>(resolve => socket.on('drain', resolve))
    const received: Buffer[] = []
    client.on('data', chunk => received.push(Buffer.from(chunk)))
    client.resume()
    await drained
    assert.equal(socket.writableLength, 0)
    assert.equal(written, 200)
    socket.end()
    await once(client, 'end')
    assert.equal(Buffer.concat(received).compare(Buffer.concat(expected)), 0)
    client.destroy()
  })

  await t.test('one side may end while the other goes on', async () => {
    const { client, socket } = await pair()
    const closed = new Promise<void>(resolve => socket.on('close', resolve))
    socket.end()
    client.resume()
    await once(client, 'end')
    assert.equal(socket.destroyed, false)
    client.write('still sent')
    client.end()
    await closed
    assert.equal(socket.destroyed, true)
  })

  await t.test('destroySoon sends what was written first, resetAndDestroy is a reset', async () => {
    const first = await pair()
    first.socket.write(big)
    first.socket.destroySoon()
    let length = 0
    first.client.on('data', chunk => {
      length += chunk.length
    })
    await once(first.client, 'end')
    assert.equal(length, big.length)
    first.client.destroy()
    const second = await pair()
    second.client.resume()
    second.socket.resetAndDestroy()
    const [error] = await once(second.client, 'error')
    assert.equal((error as NodeJS.ErrnoException).code, 'ECONNRESET')
  })

  await t.test('the reset of a client is heard', async () => {
    const client = connect(port, '127.0.0.1')
    client.write('x')
    await once(client, 'data')
    const socket = sockets.at(-1) as ByteSocket
    const ended = new Promise<void>(resolve => socket.on('close', resolve))
    client.resetAndDestroy()
    await ended
    assert.equal(socket.destroyed, true)
  })
}

test('sockets accepted into the shared buffer', t => behavesAsASocket(t, true))

test('sockets accepted with data events', t => behavesAsASocket(t, false))

test('sockets are read into the shared buffer unless told otherwise', async t => {
  assert.equal((await echo(t)).server.direct, true)
})

test('a server whose inside has no place to hook into still serves, with data events', async t => {
  type Handle = { getsockname(out: object): number; close(done: () => void): void; ref(): void; unref(): void }
  const { server, port } = await echo(t, true, plain => {
    plain.prependListener('listening', () => {
      const inside = plain as unknown as { _handle: Handle }
      const handle = inside._handle
      inside._handle = {
        getsockname: out => handle.getsockname(out),
        close: done => handle.close(done),
        ref: () => handle.ref(),
        unref: () => handle.unref(),
      }
    })
  })
  assert.equal(server.direct, false)
  assert.equal((await talk(port, [Buffer.from('hello')])).toString(), 'hello')
})

test('connections that lack what is needed make the server go back to data events, and no byte is lost', async t => {
  const { server, port } = await echo(t)
  const { _handle: handle } = server as unknown as { _handle: object }
  const prototype = Object.getPrototypeOf(handle)
  // A Node that calls it something else.
  Object.defineProperty(prototype, 'useUserBuffer', { value: undefined, configurable: true })
  t.after(() => delete prototype.useUserBuffer)
  for (const text of ['first', 'second', 'third']) {
    assert.equal((await talk(port, [Buffer.from(text)])).toString(), text)
    assert.equal(server.direct, false)
  }
})

test('a port that is taken is told by its error', async t => {
  const { port } = await echo(t)
  const second = createSocketServer(() => assert.fail('nobody can connect'))
  await assert.rejects(listen(second, { host: '127.0.0.1', port }), { code: 'EADDRINUSE' })
})
