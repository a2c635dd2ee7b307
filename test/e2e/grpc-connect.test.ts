import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect'
import { createGrpcTransport, createGrpcWebTransport, Http2SessionManager } from '@connectrpc/connect-node'
import { createGrpcWebTransport as createBrowserTransport } from '@connectrpc/connect-web'
import { type GrpcTestServer, startGrpcServer } from '../grpc/test-server.ts'
import { type Fields, testService, zeros } from '../grpc/test-service.ts'
import { type Portico, startPortico } from '../harness.ts'

/** Connect's clients in front of a gateway in front of @grpc/grpc-js: nobody here is related to anybody else. */
let server: GrpcTestServer
let portico: Portico

const key = 'connect-key-0123456789'
const sessions: Http2SessionManager[] = []

before(async () => {
  server = await startGrpcServer()
  const upstream = { targets: [{ url: server.url }], protocol: 'h2', retry: { attempts: 0 } }
  portico = await startPortico({
    config: {
      version: 1,
      services: [
        {
          name: 'interop',
          upstream,
          routes: [{ path: '/grpc.testing.TestService' }],
          policies: { 'key-auth': {} },
        },
      ],
      consumers: [{ name: 'alice', keys: [{ secret: key }] }],
    },
  })
})
after(async () => {
  for (const session of sessions) session.abort()
  await portico.stop()
  server.stop()
})

const baseUrl = (): string => `http://127.0.0.1:${portico.gatewayPort}`

const overHttp2 = (): Http2SessionManager => {
  const session = new Http2SessionManager(baseUrl())
  sessions.push(session)
  return session
}

const transports: Record<string, () => Transport> = {
  'gRPC over HTTP/2': () => createGrpcTransport({ baseUrl: baseUrl(), sessionManager: overHttp2() }),
  'gRPC-Web over HTTP/2': () =>
    createGrpcWebTransport({ baseUrl: baseUrl(), httpVersion: '2', sessionManager: overHttp2() }),
  'gRPC-Web over HTTP/1.1': () => createGrpcWebTransport({ baseUrl: baseUrl(), httpVersion: '1.1' }),
  'gRPC-Web of browsers': () => createBrowserTransport({ baseUrl: baseUrl() }),
}

type Options = {
  headers?: Record<string, string>
  timeoutMs?: number
  signal?: AbortSignal
  onHeader?: (headers: Headers) => void
  onTrailer?: (trailers: Headers) => void
}

type Unary = (request: Fields, options?: Options) => Promise<Fields>
type ServerStream = (request: Fields, options?: Options) => AsyncIterable<Fields>
type ClientStream = (requests: AsyncIterable<Fields>, options?: Options) => Promise<Fields>
type Duplex = (requests: AsyncIterable<Fields>, options?: Options) => AsyncIterable<Fields>

type TestClient = {
  emptyCall: Unary
  unaryCall: Unary
  unimplementedCall: Unary
  streamingOutputCall: ServerStream
  streamingInputCall: ClientStream
  fullDuplexCall: Duplex
}

const clientOf = (transport: Transport): TestClient => createClient(testService, transport) as unknown as TestClient

const sizeOf = (message: Fields | undefined): number =>
  (message?.['payload'] as { body: Uint8Array } | undefined)?.body.length ?? -1

const headers = { 'x-api-key': key }

const failure = async (call: Promise<unknown>): Promise<ConnectError> => {
  try {
    await call
  } catch (error) {
    return ConnectError.from(error)
  }
  throw new Error('The call went well')
}

const collect = async (messages: AsyncIterable<Fields>): Promise<Fields[]> => {
  const all: Fields[] = []
  for await (const message of messages) all.push(message)
  return all
}

for (const [name, transport] of Object.entries(transports))
  describe(name, () => {
    const client = (): TestClient => clientOf(transport())

    test('one message each way', async () => {
      assert.ok(await client().emptyCall({}, { headers }))
      const answer = await client().unaryCall({ responseSize: 314_159, payload: zeros(271_828) }, { headers })
      assert.equal(sizeOf(answer), 314_159)
      assert.equal(sizeOf(server.calls.at(-1)?.messages[0]), 271_828)
    })

    test('a server stream', async () => {
      const sizes = [31415, 9, 2653, 58979]
      const request = { responseParameters: sizes.map(size => ({ size, intervalUs: 1000 })) }
      const messages = await collect(client().streamingOutputCall(request, { headers }))
      assert.deepEqual(messages.map(sizeOf), sizes)
    })

    test('a message arrives while the stream goes on', async () => {
      const request = {
        responseParameters: [
          { size: 1, intervalUs: 0 },
          { size: 1, intervalUs: 60_000_000 },
        ],
      }
      const stop = new AbortController()
      const iterator = client().streamingOutputCall(request, { headers, signal: stop.signal })[Symbol.asyncIterator]()
      assert.equal(sizeOf((await iterator.next()).value), 1)
      const seen = server.calls.at(-1)
      const next = failure(iterator.next())
      stop.abort()
      assert.equal((await next).code, Code.Canceled)
      await server.seen(call => call === seen && call.cancelled)
    })

    test('metadata both ways', async () => {
      const initial: string[] = []
      const trailing: string[] = []
      await client().unaryCall(
        { responseSize: 1 },
        {
          headers: { ...headers, 'x-grpc-test-echo-initial': 'initial', 'x-grpc-test-echo-trailing-bin': 'q6ur' },
          onHeader: received => initial.push(received.get('x-grpc-test-echo-initial') ?? ''),
          onTrailer: received => trailing.push(received.get('x-grpc-test-echo-trailing-bin') ?? ''),
        },
      )
      assert.deepEqual([initial, trailing], [['initial'], ['q6ur']])
    })

    test('a status with its message, also of special characters', async () => {
      const message = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n'
      const error = await failure(client().unaryCall({ responseStatus: { code: 9, message } }, { headers }))
      assert.deepEqual([error.code, error.rawMessage], [Code.FailedPrecondition, message])
    })

    test('a status after messages', async () => {
      const request = {
        responseParameters: [{ size: 5, intervalUs: 0 }],
        responseStatus: { code: 5, message: 'enough' },
      }
      const seen: number[] = []
      const error = await failure(
        (async () => {
          for await (const message of client().streamingOutputCall(request, { headers })) seen.push(sizeOf(message))
        })(),
      )
      assert.deepEqual([seen, error.code, error.rawMessage], [[5], Code.NotFound, 'enough'])
    })

    test('what is not there', async () => {
      assert.equal((await failure(client().unimplementedCall({}, { headers }))).code, Code.Unimplemented)
    })

    test('a deadline', async () => {
      const request = { responseParameters: [{ size: 1, intervalUs: 60_000_000 }] }
      const error = await failure(collect(client().streamingOutputCall(request, { headers, timeoutMs: 100 })))
      assert.equal(error.code, Code.DeadlineExceeded)
      const seen = await server.seen(call => call.cancelled && call.timeout <= 100)
      assert.equal(seen.method, 'StreamingOutputCall')
    })

    test('an error of the gateway', async () => {
      const error = await failure(client().emptyCall({}))
      assert.equal(error.code, Code.Unauthenticated)
      assert.match(error.rawMessage, /API key/)
      assert.match(error.metadata.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/)
    })
  })

describe('only gRPC over HTTP/2', () => {
  const client = (): TestClient => clientOf(transports['gRPC over HTTP/2']?.() as Transport)

  async function* requests(): AsyncIterable<Fields> {
    for (const size of [27182, 8, 1828, 45904])
      yield { payload: zeros(size), responseParameters: [{ size, intervalUs: 0 }] }
  }

  test('a client stream', async () => {
    const answer = await client().streamingInputCall(requests(), { headers })
    assert.equal(answer['aggregatedPayloadSize'], 74_922)
  })

  test('streams both ways', async () => {
    const messages = await collect(client().fullDuplexCall(requests(), { headers }))
    assert.deepEqual(messages.map(sizeOf), [27182, 8, 1828, 45904])
  })
})
