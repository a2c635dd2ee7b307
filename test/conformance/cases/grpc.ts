import assert from 'node:assert/strict'
import { messageFrame } from '#http/grpc/frames'
import type { OriginAnswer, OriginCall } from '../../grpc/grpc-origin.ts'
import type { HttpAnswer } from '../../grpc/http-call.ts'
import { type Level, type Source, sourceOf } from './case.ts'

/** A call of gRPC over HTTP/2 on both sides; sections are those of "gRPC over HTTP2" (PROTOCOL-HTTP2.md). */
export type GrpcCase = {
  readonly id: string
  readonly section: string
  readonly level: Level
  readonly fields: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly answer: OriginAnswer
  check(answer: HttpAnswer, call: OriginCall): void
}

const ping = messageFrame(Buffer.from('ping'))
const pong = messageFrame(Buffer.from('pong'))
const type = { 'content-type': 'application/grpc+proto' }

const made = (id: string, source: Source, check: GrpcCase['check'], more: Partial<GrpcCase> = {}): GrpcCase => ({
  id: `grpc-${id}`,
  ...sourceOf(source),
  fields: {},
  body: ping,
  answer: { body: [pong], trailers: { 'grpc-status': '0' } },
  check,
  ...more,
})

const requests: GrpcCase[] = [
  made('method-and-path', 'gRPC Requests MUST', (_, call) => {
    assert.equal(call.path, '/pkg.Echo/Say')
    assert.equal(call.headers[':method'], 'POST')
  }),
  made('te', 'gRPC Requests: TE MUST', (_, call) => assert.equal(call.headers['te'], 'trailers')),
  made('content-type', 'gRPC Requests: Content-Type MUST', (_, call) =>
    assert.equal(call.headers['content-type'], 'application/grpc'),
  ),
  made(
    'timeout',
    'gRPC Requests: Timeout MUST',
    // A gateway may take off the time it used itself.
    (_, call) => assert.match(String(call.headers['grpc-timeout']), /^[1-9]\d{0,7}[HMSmun]$/),
    { fields: { 'grpc-timeout': '10S' } },
  ),
  made('message', 'gRPC Requests: Length-Prefixed-Message MUST', (_, call) => assert.ok(call.body.equals(ping))),
  made('message-empty', 'gRPC Requests: Length-Prefixed-Message MUST', (_, call) => assert.equal(call.body.length, 5), {
    body: messageFrame(Buffer.alloc(0)),
  }),
  made(
    'message-large',
    'gRPC Requests: Length-Prefixed-Message MUST',
    (_, call) => assert.equal(call.body.length, 500_005),
    { body: messageFrame(Buffer.alloc(500_000, 'x')) },
  ),
  made(
    'encoding',
    'gRPC Requests: Message-Encoding MUST',
    (_, call) => {
      assert.equal(call.headers['grpc-encoding'], 'gzip')
      assert.equal(call.headers['grpc-accept-encoding'], 'gzip,identity')
      assert.equal(call.body[0], 1, 'the compressed flag')
    },
    {
      fields: { 'grpc-encoding': 'gzip', 'grpc-accept-encoding': 'gzip,identity' },
      body: Buffer.from('0100000000', 'hex'),
    },
  ),
  made(
    'metadata',
    'gRPC Requests: Custom-Metadata MUST',
    (_, call) => {
      assert.equal(call.headers['x-trace'], 'a b')
      assert.equal(call.headers['x-data-bin'], 'AAECAw')
    },
    { fields: { 'x-trace': 'a b', 'x-data-bin': 'AAECAw' } },
  ),
  made('user-agent', 'gRPC User Agents SHOULD', (_, call) => assert.equal(call.headers['user-agent'], 'grpc-test/1'), {
    fields: { 'user-agent': 'grpc-test/1' },
  }),
]

const responses: GrpcCase[] = [
  made('status-in-trailers', 'gRPC Responses: Trailers MUST', answer => {
    assert.equal(answer.status, 200)
    assert.ok(answer.body.equals(pong))
    assert.equal(answer.trailers['grpc-status'], '0')
    assert.equal(answer.headers['grpc-status'], undefined)
  }),
  made(
    'trailers-only',
    'gRPC Responses: Trailers-Only MUST',
    answer => {
      assert.equal(answer.headers['grpc-status'], '5')
      assert.equal(answer.headers['grpc-message'], 'no such thing')
      assert.equal(answer.body.length, 0)
    },
    { answer: { headers: { ...type, 'grpc-status': '5', 'grpc-message': 'no such thing' } } },
  ),
  made(
    'message-encoded',
    'gRPC Responses: Status-Message MUST',
    answer => assert.equal(answer.trailers['grpc-message'], '50%25 %E2%82%AC'),
    { answer: { body: [pong], trailers: { 'grpc-status': '9', 'grpc-message': '50%25 %E2%82%AC' } } },
  ),
  made(
    'status-after-messages',
    'gRPC Responses: Status MUST',
    answer => {
      assert.ok(answer.body.equals(Buffer.concat([pong, pong])))
      assert.equal(answer.trailers['grpc-status'], '13')
    },
    { answer: { body: [pong, pong], trailers: { 'grpc-status': '13' } } },
  ),
  made(
    'status-details',
    'gRPC Responses: Custom-Metadata MUST',
    answer => assert.equal(answer.trailers['grpc-status-details-bin'], 'CAMSAQ'),
    { answer: { body: [pong], trailers: { 'grpc-status': '3', 'grpc-status-details-bin': 'CAMSAQ' } } },
  ),
  made(
    'initial-metadata',
    'gRPC Responses: Response-Headers MUST',
    answer => {
      assert.equal(answer.headers['x-served-by'], 'one')
      assert.equal(answer.headers['grpc-encoding'], 'gzip')
      assert.equal(answer.headers['content-type'], 'application/grpc+proto')
    },
    {
      answer: {
        headers: { ...type, 'x-served-by': 'one', 'grpc-encoding': 'gzip' },
        body: [pong],
        trailers: { 'grpc-status': '0' },
      },
    },
  ),
  made(
    'many-messages',
    'gRPC Responses: Length-Prefixed-Message MUST',
    answer => {
      assert.equal(answer.body.length, 500 * pong.length)
      assert.equal(answer.trailers['grpc-status'], '0')
    },
    { answer: { body: Array.from({ length: 500 }, () => pong), trailers: { 'grpc-status': '0' } } },
  ),
  made(
    'no-messages',
    'gRPC Responses MUST',
    answer => {
      assert.equal(answer.body.length, 0)
      assert.equal(answer.trailers['grpc-status'] ?? answer.headers['grpc-status'], '0')
    },
    { answer: { body: [], trailers: { 'grpc-status': '0' } } },
  ),
]

export const grpcCases: readonly GrpcCase[] = [...requests, ...responses]
