import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { compressionAlgorithms, Metadata, status } from '@grpc/grpc-js'
import { startConnectServer } from '../grpc/connect-server.ts'
import { type GrpcClient, grpcClient, nextMessage } from '../grpc/test-client.ts'
import { type GrpcTestServer, startGrpcServer } from '../grpc/test-server.ts'
import { type Fields, zeros } from '../grpc/test-service.ts'
import { eventually, oneService, type Portico, startPortico } from '../harness.ts'

/** The cases of grpc/doc/interop-test-descriptions.md, told anew for a gateway in the middle. */
let server: GrpcTestServer
let portico: Portico
let client: GrpcClient

before(async () => {
  server = await startGrpcServer()
  portico = await startPortico({ config: oneService(server.url, {}, { protocol: 'h2' }) })
  client = grpcClient(`127.0.0.1:${portico.gatewayPort}`)
})
after(async () => {
  client.close()
  await portico.stop()
  server.stop()
})

const sizeOf = (message: Fields | undefined): number =>
  (message?.['payload'] as { body: Uint8Array } | undefined)?.body.length ?? -1

type Call = { path: string; bytesIn: number; bytesOut: number; status: number; grpcStatus: number | null }

/** The newest call to this path in the call log. */
const lastCall = ({ console }: Portico, path: string): Promise<Call> =>
  eventually(async () => {
    const { body } = await console('/api/calls?limit=1')
    const call = (body as { items: Call[] }).items[0]
    return call?.path === path ? call : null
  }, `a call to ${path} in the log`)

const sizes = [31415, 9, 2653, 58979]
const requestSizes = [27182, 8, 1828, 45904]
const parameters = (...list: number[]): Fields[] => list.map(size => ({ size, intervalUs: 0 }))

describe('one message each way', () => {
  test('empty_unary', async () => {
    const { code, messages } = await client.unary('EmptyCall')
    assert.equal(code, status.OK)
    assert.equal(messages.length, 1)
  })

  test('large_unary', async () => {
    const { code, messages } = await client.unary('UnaryCall', { responseSize: 314_159, payload: zeros(271_828) })
    assert.equal(code, status.OK)
    assert.equal(sizeOf(messages[0]), 314_159)
    assert.equal(sizeOf(server.calls.at(-1)?.messages[0]), 271_828)
  })

  test('messages far larger than any window', async () => {
    const { code, messages } = await client.unary('UnaryCall', { responseSize: 8_000_000, payload: zeros(8_000_000) })
    assert.equal(code, status.OK)
    assert.equal(sizeOf(messages[0]), 8_000_000)
  })
})

describe('streams', () => {
  test('client_streaming', async () => {
    const { call, outcome } = client.clientStream()
    for (const size of requestSizes) call.write({ payload: zeros(size) })
    call.end()
    const { code, messages } = await outcome
    assert.equal(code, status.OK)
    assert.equal(messages[0]?.['aggregatedPayloadSize'], 74_922)
  })

  test('server_streaming', async () => {
    const { code, messages } = await client.serverStream({ responseParameters: parameters(...sizes) }).outcome
    assert.equal(code, status.OK)
    assert.deepEqual(messages.map(sizeOf), sizes)
  })

  test('ping_pong', async () => {
    const { call, outcome } = client.duplex()
    for (const [index, size] of sizes.entries()) {
      call.write({ responseParameters: parameters(size), payload: zeros(requestSizes[index] as number) })
      assert.equal(sizeOf(await nextMessage(call)), size)
    }
    call.end()
    assert.equal((await outcome).code, status.OK)
  })

  test('empty_stream', async () => {
    const { call, outcome } = client.duplex()
    call.end()
    const { code, messages } = await outcome
    assert.equal(code, status.OK)
    assert.equal(messages.length, 0)
  })

  test('a server stream is held back by a slow reader, and complete', async () => {
    const many = new Array<number>(400).fill(65_536)
    const { call, outcome } = client.serverStream({ responseParameters: parameters(...many) })
    call.pause()
    setTimeout(() => call.resume(), 100)
    const { code, messages } = await outcome
    assert.equal(code, status.OK)
    assert.equal(messages.length, 400)
  })
})

describe('compression passes as it is', () => {
  const compressing = (port: number): GrpcClient =>
    grpcClient(`127.0.0.1:${port}`, undefined, { 'grpc.default_compression_algorithm': compressionAlgorithms.gzip })

  test('client_compressed_unary, client_compressed_streaming', async t => {
    const gzip = compressing(portico.gatewayPort)
    t.after(() => gzip.close())
    const unary = await gzip.unary('UnaryCall', { responseSize: 314_159, payload: zeros(271_828) })
    assert.equal(sizeOf(unary.messages[0]), 314_159)
    assert.equal(sizeOf(server.calls.at(-1)?.messages[0]), 271_828)
    const { bytesIn } = await lastCall(portico, '/grpc.testing.TestService/UnaryCall')
    assert.ok(bytesIn < 10_000, `${bytesIn} bytes came in: nothing was compressed`)

    const { call, outcome } = gzip.duplex()
    for (const size of sizes) {
      call.write({ responseParameters: parameters(size), payload: zeros(size) })
      assert.equal(sizeOf(await nextMessage(call)), size)
    }
    call.end()
    assert.equal((await outcome).code, status.OK)
  })

  test('server_compressed_unary, server_compressed_streaming', async t => {
    const connect = await startConnectServer()
    t.after(() => connect.stop())
    const before = await startPortico({ config: oneService(connect.url, {}, { protocol: 'h2' }) })
    t.after(() => before.stop())
    const gzip = compressing(before.gatewayPort)
    t.after(() => gzip.close())
    const unary = await gzip.unary('UnaryCall', { responseSize: 314_159 })
    assert.equal(sizeOf(unary.messages[0]), 314_159)
    const unaryBytes = (await lastCall(before, '/grpc.testing.TestService/UnaryCall')).bytesOut
    assert.ok(unaryBytes < 10_000, `${unaryBytes} bytes went out: nothing was compressed`)
    const { code, messages } = await gzip.serverStream({ responseParameters: parameters(...sizes) }).outcome
    assert.equal(code, status.OK)
    assert.deepEqual(messages.map(sizeOf), sizes)
    const streamBytes = (await lastCall(before, '/grpc.testing.TestService/StreamingOutputCall')).bytesOut
    assert.ok(streamBytes < 10_000, `${streamBytes} bytes went out: nothing was compressed`)
  })
})

describe('cancelling', () => {
  test('cancel_after_begin', async () => {
    const { call, outcome } = client.clientStream()
    const seen = await server.seen(entry => entry.method === 'StreamingInputCall' && entry.messages.length === 0)
    call.cancel()
    assert.equal((await outcome).code, status.CANCELLED)
    await server.seen(entry => entry === seen && entry.cancelled)
    assert.equal((await lastCall(portico, '/grpc.testing.TestService/StreamingInputCall')).grpcStatus, status.CANCELLED)
  })

  test('cancel_after_first_response', async () => {
    const { call, outcome } = client.duplex()
    call.write({ responseParameters: parameters(31_415), payload: zeros(27_182) })
    assert.equal(sizeOf(await nextMessage(call)), 31_415)
    const seen = server.calls.at(-1)
    call.cancel()
    assert.equal((await outcome).code, status.CANCELLED)
    await server.seen(entry => entry === seen && entry.cancelled)
  })

  test('timeout_on_sleeping_server', async () => {
    const { call, outcome } = client.duplex({ deadline: Date.now() + 100 })
    call.write({ payload: zeros(27_182), responseParameters: [{ size: 31_415, intervalUs: 60_000_000 }] })
    assert.equal((await outcome).code, status.DEADLINE_EXCEEDED)
    await server.seen(entry => entry.method === 'FullDuplexCall' && entry.cancelled && entry.timeout <= 100)
  })
})

test('a server that ends the call before the client is done (gRPC over HTTP2, Early Server Closure)', async () => {
  const { call, outcome } = client.duplex()
  call.write({ responseStatus: { code: 9, message: 'enough' } })
  const { code, details } = await outcome
  assert.deepEqual([code, details], [9, 'enough'])
  assert.equal((await client.unary('EmptyCall')).code, status.OK)
})

test('many calls at a time on one connection', async () => {
  const calls = Array.from({ length: 200 }, (_, index) =>
    client.unary('UnaryCall', { responseSize: index * 100, payload: zeros(index * 50) }),
  )
  for (const [index, { code, messages }] of (await Promise.all(calls)).entries()) {
    assert.equal(code, status.OK)
    assert.equal(sizeOf(messages[0]), index * 100)
  }
})

test('a stream lives through a reload, and a shutdown waits for it', async t => {
  const config = oneService(server.url, {}, { protocol: 'h2' }, { timeouts: { drain: '5s' } })
  const other = await startPortico({ config })
  t.after(() => other.stop())
  const caller = grpcClient(`127.0.0.1:${other.gatewayPort}`)
  t.after(() => caller.close())
  const { call, outcome } = caller.duplex()
  const ask = async (size: number): Promise<void> => {
    call.write({ responseParameters: parameters(size) })
    assert.equal(sizeOf(await nextMessage(call)), size)
  }
  await ask(1)
  await other.reload(oneService(server.url, { routes: [{ path: '/other' }] }, { protocol: 'h2' }))
  await ask(2)
  assert.equal((await caller.unary('EmptyCall')).code, status.UNIMPLEMENTED)
  other.signal('SIGTERM')
  await ask(3)
  call.end()
  assert.equal((await outcome).code, status.OK)
  assert.equal((await other.exited).code, 0)
})

test('a stream ends when its key is taken away, and others go on', async t => {
  const keys = { alice: 'alice-key-0123456789', bob: 'bob-key-0123456789' }
  const configOf = (...names: (keyof typeof keys)[]): object => ({
    ...oneService(server.url, { policies: { 'key-auth': {} } }, { protocol: 'h2' }),
    consumers: names.map(name => ({ name, keys: [{ secret: keys[name] }] })),
  })
  const other = await startPortico({ config: configOf('alice', 'bob') })
  t.after(() => other.stop())
  const caller = grpcClient(`127.0.0.1:${other.gatewayPort}`)
  t.after(() => caller.close())
  const open = async (name: keyof typeof keys) => {
    const metadata = new Metadata()
    metadata.set('x-api-key', keys[name])
    const stream = caller.duplex({ metadata })
    stream.call.write({ responseParameters: parameters(1) })
    await nextMessage(stream.call)
    return { ...stream, seen: server.calls.at(-1) }
  }
  const alice = await open('alice')
  const bob = await open('bob')
  await other.reload(configOf('bob'))
  assert.equal((await alice.outcome).code, status.UNAUTHENTICATED)
  await server.seen(entry => entry === alice.seen && entry.cancelled)
  bob.call.write({ responseParameters: parameters(2) })
  assert.equal(sizeOf(await nextMessage(bob.call)), 2)
  bob.call.end()
  assert.equal((await bob.outcome).code, status.OK)
})

describe('status and metadata', () => {
  const wanted = { code: 2, message: 'test status message' }

  test('status_code_and_message', async () => {
    const unary = await client.unary('UnaryCall', { responseStatus: wanted })
    assert.deepEqual([unary.code, unary.details], [2, wanted.message])
    const { call, outcome } = client.duplex()
    call.write({ responseStatus: wanted })
    call.end()
    const { code, details } = await outcome
    assert.deepEqual([code, details], [2, wanted.message])
  })

  test('special_status_message', async () => {
    const message = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n'
    const { code, details } = await client.unary('UnaryCall', { responseStatus: { code: 2, message } })
    assert.deepEqual([code, details], [2, message])
  })

  test('unimplemented_method', async () => {
    const { code, details } = await client.unary('UnimplementedCall')
    assert.equal(code, status.UNIMPLEMENTED)
    assert.match(details, /UnimplementedCall/)
  })

  test('custom_metadata', async () => {
    const binary = Buffer.from([0xab, 0xab, 0xab])
    const metadata = new Metadata()
    metadata.set('x-grpc-test-echo-initial', 'test_initial_metadata_value')
    metadata.set('x-grpc-test-echo-trailing-bin', binary)
    const check = ({ code, initial, trailing }: { code: number; initial: Metadata; trailing: Metadata }): void => {
      assert.equal(code, status.OK)
      assert.deepEqual(initial.get('x-grpc-test-echo-initial'), ['test_initial_metadata_value'])
      assert.deepEqual(trailing.get('x-grpc-test-echo-trailing-bin'), [binary])
    }
    check(await client.unary('UnaryCall', { responseSize: 1, payload: zeros(1) }, { metadata }))
    const { call, outcome } = client.duplex({ metadata })
    call.write({ responseParameters: parameters(1), payload: zeros(1) })
    call.end()
    check(await outcome)
  })

  test('binary and repeated metadata arrive byte for byte', async () => {
    const metadata = new Metadata()
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
    metadata.add('x-many', 'a')
    metadata.add('x-many', 'b')
    metadata.add('x-bytes-bin', bytes)
    await client.unary('EmptyCall', {}, { metadata })
    const seen = server.calls.at(-1)?.metadata
    assert.deepEqual(String(seen?.get('x-many')).split(/, */), ['a', 'b'])
    assert.deepEqual(seen?.get('x-bytes-bin'), [bytes])
  })

  test('initial metadata is there before the first message', async () => {
    const metadata = new Metadata()
    metadata.set('x-grpc-test-echo-initial', 'early')
    const { call, outcome } = client.duplex({ metadata })
    const initial = await new Promise<Metadata>(resolve => call.once('metadata', resolve))
    assert.deepEqual(initial.get('x-grpc-test-echo-initial'), ['early'])
    call.end()
    assert.equal((await outcome).code, status.OK)
  })
})
