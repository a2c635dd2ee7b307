import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { oneService, type Portico, type ScriptedOrigin, startPortico } from '../harness.ts'
import { webSocketCases } from './cases/websocket.ts'
import { playWebSocket } from './judge-websocket.ts'
import { suiteOrigin } from './suite.ts'

let portico: Portico
let origin: ScriptedOrigin
before(async () => {
  origin = await suiteOrigin()
  portico = await startPortico({ config: oneService(origin.url) })
})
after(async () => {
  await portico?.stop()
  await origin?.stop()
})

for (const entry of webSocketCases)
  test(`${entry.id} (${entry.section})`, async () => {
    assert.equal(await playWebSocket(portico.gatewayPort, origin, entry), null)
  })
