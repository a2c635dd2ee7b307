import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { createGrpcWebTransport, Http2SessionManager } from '@connectrpc/connect-node'
import { ChannelCredentials, ServerCredentials, status } from '@grpc/grpc-js'
import { makeCertificate, skipCertificates as skip } from '#base/test-certificates'
import { grpcClient, nextMessage } from '../grpc/test-client.ts'
import { startGrpcServer } from '../grpc/test-server.ts'
import { type Fields, testService } from '../grpc/test-service.ts'
import { oneService, startPortico } from '../harness.ts'

test('gRPC and gRPC-Web over TLS on both sides', { skip, timeout: 60_000 }, async t => {
  const authority = makeCertificate({ subject: '/CN=Test authority', authority: true })
  const own = makeCertificate({ names: ['localhost', 'IP:127.0.0.1'], by: authority })
  const pair = { private_key: Buffer.from(own.key), cert_chain: Buffer.from(own.cert) }
  const server = await startGrpcServer(ServerCredentials.createSsl(null, [pair]))
  t.after(() => server.stop())
  const portico = await startPortico({
    // With TLS both sides agree on HTTP/2 by themselves: no `protocol` is needed.
    config: oneService(
      server.url.replace('http:', 'https:'),
      {},
      {},
      { tls: { certificates: [{ cert: './own.pem', key: './own.key' }] } },
    ),
    env: { NODE_EXTRA_CA_CERTS: './ca.pem' },
    args: ['--gateway-tls', '127.0.0.1:0'],
    files: { 'ca.pem': authority.cert, 'own.pem': own.cert, 'own.key': own.key },
  })
  t.after(() => portico.stop())

  const client = grpcClient(
    `127.0.0.1:${portico.gatewayTlsPort}`,
    ChannelCredentials.createSsl(Buffer.from(authority.cert)),
    { 'grpc.ssl_target_name_override': 'localhost' },
  )
  t.after(() => client.close())
  assert.equal((await client.unary('EmptyCall')).code, status.OK)
  const { call, outcome } = client.duplex()
  for (const size of [1, 100_000]) {
    call.write({ responseParameters: [{ size, intervalUs: 0 }] })
    const message = await nextMessage(call)
    assert.equal((message['payload'] as { body: Uint8Array }).body.length, size)
  }
  call.end()
  assert.equal((await outcome).code, status.OK)
  assert.deepEqual(server.calls.at(-1)?.metadata.get('x-forwarded-proto'), ['https'])

  const baseUrl = `https://127.0.0.1:${portico.gatewayTlsPort}`
  const sessionManager = new Http2SessionManager(baseUrl, {}, { ca: authority.cert })
  t.after(() => sessionManager.abort())
  const web = createClient(
    testService,
    createGrpcWebTransport({ baseUrl, httpVersion: '2', sessionManager }),
  ) as unknown as { unaryCall(request: Fields): Promise<Fields> }
  const failed = await web.unaryCall({ responseStatus: { code: 5, message: 'nothing' } }).catch(ConnectError.from)
  assert.ok(failed instanceof ConnectError)
  assert.deepEqual([failed.code, failed.rawMessage], [Code.NotFound, 'nothing'])
})
