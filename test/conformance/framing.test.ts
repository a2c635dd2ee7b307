import { after, before } from 'node:test'
import { oneService, type Portico, type ScriptedOrigin, startPortico } from '../harness.ts'
import { runTable, tableOrigin } from './case-table.ts'
import { chunkCases } from './cases/chunks.ts'
import { codingCases } from './cases/codings.ts'
import { lengthCases } from './cases/lengths.ts'
import { mutationCases } from './cases/mutations.ts'

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
  [...lengthCases, ...codingCases, ...mutationCases, ...chunkCases],
  () => portico.gatewayPort,
  () => origin,
)
