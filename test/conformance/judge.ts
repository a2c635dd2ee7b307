import assert from 'node:assert/strict'
import { type RawClient, rawClient, type ScriptedOrigin } from '../harness.ts'
import type { RequestMessage, ResponseMessage } from '../read-message.ts'
import { ok } from '../scripted-origin.ts'
import { get, type RequestCase } from './cases/case.ts'

/** Sent behind every case: where the peer is in step, it is answered and ends the connection. */
const last = get('/last', 'Connection: close')
/** How long nothing may happen before a peer counts as waiting for more; longer where it has an answer to give. */
const silence = ({ allowed }: RequestCase): number => (allowed?.verdict === 'pass' ? 4000 : 700)

/** What came of one case at a peer. */
type Outcome = {
  readonly responses: readonly ResponseMessage[]
  /** Bytes that are no HTTP/1.1 response to a strict reader. */
  readonly unreadable: string
  readonly ended: boolean
  readonly requests: readonly RequestMessage[]
  /** What a strict reader at the origin could not read. */
  readonly failures: readonly Error[]
}

/** Marks an answer as that of the origin, and of which request. */
export const seenHeader = 'x-seen'

/** The origin of the request cases: each answer tells the place of its request in `origin.requests`. */
export const countingAnswer = (origin: ScriptedOrigin, request: RequestMessage): string =>
  ok(request.target, `${seenHeader}: ${origin.requests.lastIndexOf(request)}\r\n`)

const readAll = async (
  client: RawClient,
  method: string,
  milliseconds: number,
): Promise<Pick<Outcome, 'responses' | 'unreadable' | 'ended'>> => {
  const responses: ResponseMessage[] = []
  for (let next = method; ; next = 'GET') {
    try {
      responses.push(await client.readFinalResponse({ method: next, milliseconds }))
    } catch {
      const unreadable = client.rest.toString('latin1')
      return { responses, unreadable, ended: client.ending !== 'open' }
    }
  }
}

const play = async (port: number, origin: ScriptedOrigin, entry: RequestCase): Promise<Outcome> => {
  origin.forget()
  const client = await rawClient(port)
  try {
    client.send(entry.send)
    client.send(last)
    const method = entry.send.toString('latin1').trimStart().split(' ')[0] as string
    const read = await readAll(client, method, silence(entry))
    return { ...read, requests: [...origin.requests], failures: [...origin.failures] }
  } finally {
    client.destroy()
  }
}

/** The requests that are not the well-formed ones put behind the case. */
const ofCase = (requests: readonly RequestMessage[]): RequestMessage[] =>
  requests.filter(request => request.target !== '/last' && request.target !== '/smuggled')

/** Every answer of the origin belongs to the next request it got: nothing was split, joined or swallowed on the way. */
const inStep = ({ responses, requests }: Outcome): void => {
  const seen = responses.flatMap(response => response.headers.filter(([name]) => name.toLowerCase() === seenHeader))
  assert.deepEqual(
    seen.map(([, value]) => value),
    requests.map((_, index) => String(index)),
    'the answers are out of step with the requests that the origin read',
  )
}

const passed = (outcome: Outcome, allowed: NonNullable<RequestCase['allowed']>): void => {
  const requests = ofCase(outcome.requests)
  assert.ok(requests[0] !== undefined, `refused with ${outcome.responses[0]?.status ?? 'no answer'}`)
  inStep(outcome)
  if (allowed.answers !== undefined) assert.equal(outcome.responses.length - (allowed.closes ? 0 : 1), allowed.answers)
  assert.equal(outcome.responses[0]?.status, 200)
  if (allowed.closes === true)
    assert.ok(outcome.ended && !outcome.requests.some(({ target }) => target === '/last'), 'the connection is used on')
  allowed.check?.(requests[0], requests)
}

const refused = ({ responses, unreadable, requests }: Outcome): void => {
  assert.deepEqual(
    requests.map(request => request.startLine),
    [],
    'it was passed on',
  )
  assert.equal(unreadable, '', 'the answer cannot be read')
  const status = responses[0]?.status
  assert.ok(status === undefined || status >= 400 || (status >= 300 && status < 400), `answered with ${status}`)
}

const answered = ({ responses, requests }: Outcome): void => {
  assert.deepEqual(
    ofCase(requests).map(request => request.startLine),
    [],
    'it was passed on',
  )
  assert.ok(responses[0] !== undefined, 'no answer')
}

/** Plays a case at a peer; the reason why it fails what the standard asks, or null. Null too where nothing is asked. */
export const judgeRequest = async (
  port: number,
  origin: ScriptedOrigin,
  entry: RequestCase,
): Promise<string | null> => {
  const { allowed } = entry
  if (allowed === null) return null
  try {
    const outcome = await play(port, origin, entry)
    assert.deepEqual(
      outcome.failures.map(failure => failure.message),
      [],
      'what was passed on is not a valid message',
    )
    if (allowed.verdict === 'pass' || (allowed.verdict === 'either' && ofCase(outcome.requests).length > 0))
      passed(outcome, allowed)
    else if (allowed.verdict === 'answer') answered(outcome)
    else refused(outcome)
    return null
  } catch (error) {
    return (error as Error).message.split('\n')[0] as string
  }
}
