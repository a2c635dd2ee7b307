import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GatewayError } from '#base/errors'
import { acceptsGrpcText, grpcContentType, readGrpcContentType } from './content-type.ts'
import {
  grpcStatus,
  grpcStatusFields,
  grpcStatusOfError,
  grpcStatusOfHttp,
  httpStatusOfGrpc,
  percentEncodeMessage,
} from './status.ts'
import { grpcTimeout, readGrpcTimeout } from './timeout.ts'

describe('content type (gRPC over HTTP2, Requests; gRPC-Web, Content-Type)', () => {
  const cases: [string | undefined, string | null][] = [
    ['application/grpc', 'native'],
    ['application/grpc+proto', 'native +proto'],
    ['application/grpc+json', 'native +json'],
    ['application/grpc; charset=utf-8', 'native'],
    ['Application/GRPC+Proto', 'native +proto'],
    ['application/grpc-web', 'web'],
    ['application/grpc-web+proto', 'web +proto'],
    ['application/grpc-web-text', 'web-text'],
    ['application/grpc-web-text+proto', 'web-text +proto'],
    ['application/grpc-web-text-base64', 'web-text'],
    ['application/grpcx', null],
    ['application/grpc-websocket', null],
    ['application/grpc+', null],
    ['application/grpc proto', null],
    ['application/json', null],
    ['text/plain; a=application/grpc', null],
    ['', null],
    [undefined, null],
  ]
  for (const [value, expected] of cases) {
    test(String(value), () => {
      const type = readGrpcContentType(value)
      assert.equal(type === null ? null : `${type.form} ${type.format}`.trimEnd(), expected)
    })
  }

  test('what was read is written again', () => {
    for (const text of ['application/grpc', 'application/grpc+proto', 'application/grpc-web-text+proto']) {
      const type = readGrpcContentType(text)
      assert.ok(type)
      assert.equal(grpcContentType(type), text)
    }
  })

  test('Accept may ask for text', () => {
    assert.equal(acceptsGrpcText('application/grpc-web-text'), true)
    assert.equal(acceptsGrpcText('application/json, application/grpc-web-text+proto'), true)
    assert.equal(acceptsGrpcText('application/grpc-web, */*'), false)
  })
})

describe('grpc-timeout (gRPC over HTTP2, Requests: Timeout)', () => {
  const cases: [string, number | null][] = [
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3000],
    ['4m', 4],
    ['5u', 0.005],
    ['6n', 0.000006],
    ['0m', 0],
    ['99999999H', 99_999_999 * 3_600_000],
    ['100000000m', null],
    ['1', null],
    ['m', null],
    ['1s', null],
    ['1h', null],
    ['-1m', null],
    ['+1m', null],
    ['1.5S', null],
    [' 1m', null],
    ['1m ', null],
    ['1 m', null],
    ['1mm', null],
    ['', null],
    ['١m', null],
  ]
  for (const [text, ms] of cases) test(JSON.stringify(text), () => assert.equal(readGrpcTimeout(text), ms))

  test('is written in a unit that holds it, never longer than it is', () => {
    assert.equal(grpcTimeout(0.0001), '1u')
    assert.equal(grpcTimeout(1.5), '1500u')
    assert.equal(grpcTimeout(99_999.9999), '99999999u')
    assert.equal(grpcTimeout(100_000), '100000m')
    assert.equal(grpcTimeout(99_999_999_999), '99999999S')
    for (let ms = 0.002; ms < 1e14; ms *= 1.7) {
      const written = readGrpcTimeout(grpcTimeout(ms))
      assert.ok(written !== null && written <= ms && written > ms * 0.49, `${ms} became ${written}`)
    }
    const forever = readGrpcTimeout(grpcTimeout(1e18))
    assert.equal(forever, 99_999_999 * 3_600_000)
  })
})

describe('status', () => {
  test('grpc-message is percent-encoded UTF-8 (gRPC over HTTP2, Responses: Percent-Encoded)', () => {
    const special = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n'
    const encoded = percentEncodeMessage(special)
    assert.match(encoded, /^[\x20-\x24\x26-\x7e%]*$/)
    assert.equal(decodeURIComponent(encoded), special)
    assert.equal(percentEncodeMessage('100% ok~'), '100%25 ok~')
    assert.deepEqual(grpcStatusFields(5, 'ü'), ['grpc-status', '5', 'grpc-message', '%C3%BC'])
  })

  test('an answer without a status (http-grpc-status-mapping)', () => {
    const statuses = [400, 401, 403, 404, 429, 431, 502, 503, 504, 200, 302, 418, 500]
    assert.deepEqual(statuses.map(grpcStatusOfHttp), [13, 16, 7, 12, 14, 13, 14, 14, 14, 2, 2, 2, 2])
  })

  test('a status in the terms of HTTP (google/rpc/code.proto)', () => {
    const { OK, UNKNOWN, UNAVAILABLE, NOT_FOUND, UNAUTHENTICATED } = grpcStatus
    assert.deepEqual(
      [OK, UNKNOWN, UNAVAILABLE, NOT_FOUND, UNAUTHENTICATED, 99].map(httpStatusOfGrpc),
      [200, 500, 503, 404, 401, 500],
    )
  })

  test('an error of the gateway', () => {
    const of = (...args: ConstructorParameters<typeof GatewayError>) => grpcStatusOfError(new GatewayError(...args))
    assert.equal(of('missing-credentials'), grpcStatus.UNAUTHENTICATED)
    assert.equal(of('address-not-allowed'), grpcStatus.PERMISSION_DENIED)
    assert.equal(of('no-route'), grpcStatus.UNIMPLEMENTED)
    assert.equal(of('method-not-allowed'), grpcStatus.UNIMPLEMENTED)
    assert.equal(of('rate-limited'), grpcStatus.RESOURCE_EXHAUSTED)
    assert.equal(of('body-too-large'), grpcStatus.RESOURCE_EXHAUSTED)
    assert.equal(of('invalid-body'), grpcStatus.INVALID_ARGUMENT)
    assert.equal(of('overloaded'), grpcStatus.UNAVAILABLE)
    assert.equal(of('upstream-unreachable'), grpcStatus.UNAVAILABLE)
    assert.equal(of('upstream-closed'), grpcStatus.UNAVAILABLE)
    assert.equal(of('upstream-invalid'), grpcStatus.INTERNAL)
    assert.equal(of('upstream-timeout'), grpcStatus.DEADLINE_EXCEEDED)
    assert.equal(of('client-closed'), grpcStatus.CANCELLED)
    assert.equal(of('internal'), grpcStatus.INTERNAL)
    assert.equal(of('not-implemented'), grpcStatus.UNIMPLEMENTED)
  })
})
