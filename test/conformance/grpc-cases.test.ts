import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type GrpcOrigin, startGrpcOrigin } from '../grpc/grpc-origin.ts'
import { oneService, type Portico, startPortico } from '../harness.ts'
import { grpcCases } from './cases/grpc.ts'
import { playGrpc } from './judge-grpc.ts'

let portico: Portico
let origin: GrpcOrigin
before(async () => {
  origin = await startGrpcOrigin()
  portico = await startPortico({ config: oneService(origin.url, {}, { protocol: 'h2' }) })
})
after(async () => {
  await portico?.stop()
  origin?.stop()
})

for (const entry of grpcCases)
  test(`${entry.id} (${entry.section})`, async () => {
    assert.equal(await playGrpc(portico.gatewayPort, origin, entry), null)
  })
