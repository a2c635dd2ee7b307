import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messageFrame } from '#http/grpc/frames'
import { type GrpcOrigin, startGrpcOrigin } from '../grpc/grpc-origin.ts'
import { http2Call } from '../grpc/http-call.ts'
import { oneService, startPortico } from '../harness.ts'

const good = { body: [messageFrame(Buffer.from('pong'))], trailers: { 'grpc-status': '0' } }

const upstream = (...origins: GrpcOrigin[]) => ({
  protocol: 'h2',
  targets: origins.map(({ url }) => ({ url })),
  health: { passive: { failures: 2, ejectFor: '1h' } },
})

const call = (port: number, fields: Record<string, string> = {}) =>
  http2Call(port, '/pkg.Some/Do', { 'content-type': 'application/grpc', te: 'trailers', ...fields }, [
    messageFrame(Buffer.from('ping')),
  ])

test('a target that says UNAVAILABLE is ejected, in whatever form it says it', async t => {
  const [one, other] = [await startGrpcOrigin(), await startGrpcOrigin()]
  t.after(() => one.stop())
  t.after(() => other.stop())
  const forms = [
    { headers: { 'content-type': 'application/grpc', 'grpc-status': '14' } },
    { body: [messageFrame(Buffer.from('part'))], trailers: { 'grpc-status': '14' } },
  ]
  for (const form of forms) {
    one.answer = form
    other.answer = good
    const portico = await startPortico({ config: oneService(one.url, {}, upstream(one, other)) })
    try {
      for (let i = 0; i < 4; i++) await call(portico.gatewayPort)
      one.calls.length = 0
      for (let i = 0; i < 6; i++) assert.equal((await call(portico.gatewayPort)).trailers['grpc-status'], '0')
      assert.equal(one.calls.length, 0)
    } finally {
      await portico.stop()
    }
  }
})

test('callers in a hurry eject nobody', async t => {
  const [one, other] = [await startGrpcOrigin(), await startGrpcOrigin()]
  t.after(() => one.stop())
  t.after(() => other.stop())
  const portico = await startPortico({ config: oneService(one.url, {}, upstream(one, other)) })
  t.after(() => portico.stop())
  one.answer = { silent: true }
  other.answer = { headers: { 'content-type': 'application/grpc', 'grpc-status': '4' } }
  for (let i = 0; i < 6; i++) {
    const { headers } = await call(portico.gatewayPort, { 'grpc-timeout': '50m' })
    assert.equal(headers['grpc-status'], '4')
  }
  one.answer = good
  other.answer = good
  one.calls.length = 0
  other.calls.length = 0
  for (let i = 0; i < 4; i++) await call(portico.gatewayPort)
  assert.deepEqual([one.calls.length, other.calls.length], [2, 2])
})
