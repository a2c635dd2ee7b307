import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerEach, ok, type RawClient, rawClient, type ScriptedOrigin, scriptedOrigin } from '../harness.ts'
import { get, type RequestCase } from './cases/case.ts'

export { get, head, post } from './cases/case.ts'

/** The origin of the tables: it answers 200 with the target as body. */
export const tableOrigin = (): Promise<ScriptedOrigin> => scriptedOrigin(answerEach(request => ok(request.target)))

const probe = async (port: number): Promise<void> => {
  const client = await rawClient(port)
  client.send(get('/probe', 'Connection: close'))
  assert.equal((await client.readFinalResponse()).status, 200)
  client.destroy()
}

const methodOf = (send: string | Buffer): string => send.toString('latin1').trimStart().split(' ')[0] as string

const runCase = async (port: number, origin: ScriptedOrigin, client: RawClient, entry: RequestCase): Promise<void> => {
  const { expect } = entry
  origin.forget()
  const bytesBefore = origin.bytesReceived
  client.send(entry.send)
  const statuses = typeof expect.status === 'number' ? [expect.status] : expect.status
  const got: number[] = []
  for (const _ of statuses) got.push((await client.readFinalResponse({ method: methodOf(entry.send) })).status)
  assert.deepEqual(got, statuses)
  if (expect.origin === 'nothing') assert.equal(origin.bytesReceived, bytesBefore, 'bytes reached the origin')
  if (expect.closes) {
    const { rest } = await client.waitClose()
    assert.equal(rest.toString('latin1'), '', 'more than the expected responses')
  }
  const seen = [...origin.requests]
  if (expect.origin === 'nothing' || expect.origin === 'no-request')
    assert.deepEqual(
      seen.map(request => request.startLine),
      [],
    )
  else expect.origin(seen)
  if (!expect.closes) {
    client.send(get('/again'))
    const again = await client.readFinalResponse()
    assert.equal(again.status, 200)
    assert.equal(again.body.toString(), '/again', 'the connection answers out of step')
  }
  await probe(port)
  assert.ok(!origin.requests.some(request => request.target.includes('smuggled')), 'a smuggled request arrived')
}

/** Declares one test per case; ids must be unique. */
export const runTable = (cases: readonly RequestCase[], port: () => number, origin: () => ScriptedOrigin): void => {
  const ids = new Set<string>()
  for (const entry of cases) {
    assert.ok(!ids.has(entry.id), `the id ${entry.id} is used twice`)
    ids.add(entry.id)
    test(`${entry.id} (${entry.section})`, async () => {
      const client = await rawClient(port())
      try {
        await runCase(port(), origin(), client, entry)
      } finally {
        client.destroy()
      }
    })
  }
}
