import assert from 'node:assert/strict'
import type { ScriptedOrigin } from '../harness.ts'
import { headers, type RawHttp2, rawHttp2, request } from '../raw-http2.ts'
import type { RequestMessage } from '../read-message.ts'
import type { Http2Case } from './cases/http2-case.ts'

/** How long nothing may happen before a peer counts as waiting for more; longer where it has an answer to give. */
const silence = ({ allowed }: Http2Case): number => (allowed === 'pass' ? 4000 : 1000)

const ended = (client: RawHttp2): boolean => client.goaway !== null || client.raw.ending !== 'open'

/** Resolves when stream 1, or the connection, has come to its end, or when nothing comes any more. */
const settled = async (client: RawHttp2, connection: boolean, milliseconds: number): Promise<void> => {
  const take = (): true | null => {
    const answer = client.answers.get(1)
    return ended(client) || (!connection && answer !== undefined && (answer.ended || answer.reset !== null))
      ? true
      : null
  }
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>(resolve => {
    timer = setTimeout(resolve, milliseconds)
  })
  await Promise.race([client.waitFor(take, 'the end of the case').catch(() => {}), late])
  clearTimeout(timer)
}

const passed = (client: RawHttp2, requests: readonly RequestMessage[], entry: Http2Case): void => {
  const answer = client.answer(1)
  assert.equal(
    requests.length,
    1,
    `refused with ${answer.status || (ended(client) ? 'an end of the connection' : 'a reset')}`,
  )
  assert.equal(answer.status, 200)
  entry.check?.(requests[0] as RequestMessage)
}

const refused = (client: RawHttp2, requests: readonly RequestMessage[]): void => {
  assert.deepEqual(
    requests.map(({ startLine }) => startLine),
    [],
    'it was passed on',
  )
  const { status, reset } = client.answer(1)
  assert.ok(
    status >= 300 || reset !== null || ended(client),
    status > 0 ? `answered with ${status}` : 'nothing happened',
  )
}

/** Plays a case at a peer that speaks HTTP/2 from the first byte; as `judgeRequest`. */
export const judgeHttp2 = async (port: number, origin: ScriptedOrigin, entry: Http2Case): Promise<string | null> => {
  const { allowed } = entry
  if (allowed === null) return null
  const client = await rawHttp2(port)
  try {
    origin.forget()
    client.send(...entry.send)
    await settled(client, allowed === 'end', silence(entry))
    assert.deepEqual(
      origin.failures.map(failure => failure.message),
      [],
      'what was passed on is not a valid message',
    )
    const requests = [...origin.requests]
    if (allowed === 'end') assert.ok(ended(client), 'the connection lives on')
    else if (allowed === 'pass' || (allowed === 'either' && requests.length > 0)) passed(client, requests, entry)
    else refused(client, requests)
    // What is left of the connection must be in step.
    if (!ended(client)) {
      client.send(headers(101, request('/last'), true))
      assert.equal((await client.read(101)).body.toString(), '/last', 'a later call got an answer that is not its own')
    }
    return null
  } catch (error) {
    return (error as Error).message.split('\n')[0] as string
  } finally {
    client.destroy()
  }
}
