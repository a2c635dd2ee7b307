import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Server, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createSocketServer, listen } from './socket-reading.ts'

type Echo = { server: Server & { direct: boolean }; port: number; sockets: Socket[] }

/** A server that answers every read with its bytes, and closes its side when the client has closed its own. */
const echo = async (t: TestContext, direct?: boolean, prepare?: (server: Server) => void): Promise<Echo> => {
  const sockets: Socket[] = []
  const server = createSocketServer(open => {
    const socket: Socket = open((bytes, length) => {
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
    const socket = sockets.at(-1) as Socket
    assert.deepEqual([socket.remoteAddress, socket.remotePort, socket.localPort], ['127.0.0.1', client.localPort, port])
    client.destroy()
  })

  await t.test('a paused socket reads nothing until it is resumed', async () => {
    const client = connect(port, '127.0.0.1')
    client.write('x')
    await once(client, 'data')
    const socket = sockets.at(-1) as Socket
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

  await t.test('the reset of a client is heard', async () => {
    const client = connect(port, '127.0.0.1')
    client.write('x')
    await once(client, 'data')
    const socket = sockets.at(-1) as Socket
    const ended = new Promise(resolve => socket.once('close', resolve))
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

test('a socket that does not keep the shared buffer makes the server go back to data events, and no byte is lost', async t => {
  const { server, port } = await echo(t)
  const symbolsOf = Object.getOwnPropertySymbols
  // A Node that keeps its read buffer under another name.
  t.mock.method(Object, 'getOwnPropertySymbols', (value: object) =>
    symbolsOf(value).filter(symbol => symbol.description !== 'kBuffer'),
  )
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
