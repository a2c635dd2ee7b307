import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { oneService, type Portico, rawClient, type ScriptedOrigin, startPortico } from '../harness.ts'
import { runTable, tableOrigin } from './case-table.ts'
import { fieldCases } from './cases/fields.ts'
import { hostCases } from './cases/hosts.ts'
import { requestLineCases } from './cases/request-line.ts'
import { targetCases } from './cases/targets.ts'

let portico: Portico
let origin: ScriptedOrigin
before(async () => {
  origin = await tableOrigin()
  portico = await startPortico({ config: oneService(origin.url) })
})
after(async () => {
  await portico?.stop()
  await origin?.stop()
})

runTable(
  [...requestLineCases, ...targetCases, ...hostCases, ...fieldCases],
  () => portico.gatewayPort,
  () => origin,
)

test('an endless head without a line end is cut off at the limit, not collected', async () => {
  const client = await rawClient(portico.gatewayPort)
  client.send(`GET /${'x'.repeat(100_000)}`)
  const response = await client.readFinalResponse()
  assert.ok([414, 431].includes(response.status), String(response.status))
  await client.waitClose()
  client.destroy()
})
