import assert from 'node:assert/strict'
import { type OriginConnection, type RawClient, rawCall, rawClient } from '../harness.ts'
import type { ResponseMessage } from '../read-message.ts'
import { get, head } from './cases/case.ts'
import type { ResponseCase } from './cases/response-case.ts'
import type { Play } from './dispatch-origin.ts'

/** Where the origin plays the answer of a case. */
export const pathOf = (entry: ResponseCase): string => `/${encodeURIComponent(entry.id)}`

const gates = new Map<string, PromiseWithResolvers<void>>()
const gate = (id: string): PromiseWithResolvers<void> => {
  const made = gates.get(id) ?? Promise.withResolvers<void>()
  gates.set(id, made)
  return made
}

/** Lets the origin send what comes after the part that the client has got. */
export const openGate = (id: string): void => gate(id).resolve()

/** Closes the gates again, for the next peer. */
export const closeGates = (): void => gates.clear()

/** A part that is broken by its end waits until the client has the head: a reset throws away what was not read yet. */
export const playAnswer =
  (entry: ResponseCase): Play =>
  async (_, connection: OriginConnection) => {
    const [now, later] = entry.answer.split('|') as [string, string | undefined]
    if (now !== '') connection.send(now)
    if (later !== undefined || entry.expect.complete === false) await gate(entry.id).promise
    if (later !== undefined) connection.send(later)
    if (entry.afterwards === 'end') connection.end()
    if (entry.afterwards === 'reset') connection.reset()
  }

/** Calls the path of a case; the gate opens when the head is there, or after `patience` when the gateway holds it back. */
export const callCase = async (
  port: number,
  entry: ResponseCase,
  patience = 5000,
  milliseconds = 5000,
): Promise<ResponseMessage> => {
  const client: RawClient = await rawClient(port)
  const method = entry.method ?? 'GET'
  client.send(head(`${method} ${pathOf(entry)} HTTP/1.1`))
  try {
    if (entry.answer.includes('|') || entry.expect.complete === false) {
      await client.readUntil('\r\n\r\n', patience).catch(() => {})
      client.taken = 0
      openGate(entry.id)
    }
    const response = await client.readFinalResponse({ method, milliseconds })
    if (!response.complete) assert.notEqual(client.ending, 'open')
    return response
  } finally {
    client.destroy()
  }
}

/** Null is no whole response: an end without one, or a wait for the rest of it; a refusal that everybody sees. */
const whatCame = async (port: number, entry: ResponseCase): Promise<ResponseMessage | null> => {
  try {
    return await callCase(port, entry, 300, 2000)
  } catch (error) {
    if (/connection is closed \([a-z]+\); 0 bytes not taken|^waited /.test((error as Error).message)) return null
    throw error
  }
}

const refused = (response: ResponseMessage | null): void => {
  if (response === null || !response.complete || response.status >= 500) return
  assert.fail(`passed on as a whole ${response.status}`)
}

const passed = (response: ResponseMessage | null, { expect, clear }: ResponseCase): void => {
  assert.ok(response?.complete, 'not passed on whole')
  assert.equal(response.status, clear === undefined ? expect.status : 200)
  const body = clear ?? expect.body
  if (body !== undefined) assert.equal(response.body.toString('latin1'), body)
  expect.check?.(response)
}

/** Plays a case at a peer; the reason why it fails what the standard asks, or null. Null too where nothing is asked. */
export const judgeResponse = async (port: number, entry: ResponseCase): Promise<string | null> => {
  if (entry.allowed === null) return null
  try {
    const response = await whatCame(port, entry)
    if (entry.allowed === 'refuse') refused(response)
    else if (entry.allowed === 'pass') passed(response, entry)
    else if (response?.complete && response.status < 500) passed(response, entry)
    for (const path of ['/next-1', '/next-2'])
      assert.equal(
        (await rawCall(port, get(path))).body.toString(),
        path,
        'a later call got an answer that is not its own',
      )
    return null
  } catch (error) {
    return (error as Error).message.split('\n')[0] as string
  }
}
