import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  answerEach,
  ok,
  type RawClient,
  type RequestMessage,
  rawClient,
  type ScriptedOrigin,
  scriptedOrigin,
} from '../harness.ts'

/** One request, or stream of requests, and what a strict gateway does with it. */
export type RequestCase = {
  readonly id: string
  /** The paragraph that decides it; `engine` is the project's own rule. */
  readonly section: string
  readonly send: string | Buffer
  readonly expect: {
    /** The statuses of the final responses, in order. */
    readonly status: number | readonly number[]
    /** Whether the gateway closes the connection after the last response; otherwise it must serve one more call. */
    readonly closes: boolean
    /** `nothing`: no byte reaches the origin. `no-request`: nothing that is a whole request. Else a check of what it got. */
    readonly origin: 'nothing' | 'no-request' | ((requests: readonly RequestMessage[]) => void)
  }
}

/** A request head with Host and these lines. */
export const head = (line: string, ...fields: string[]): string =>
  `${[line, 'Host: a.test', ...fields].join('\r\n')}\r\n\r\n`

export const get = (target: string, ...fields: string[]): string => head(`GET ${target} HTTP/1.1`, ...fields)
export const post = (fields: readonly string[], body: string): string => head('POST /p HTTP/1.1', ...fields) + body

/** Put behind whatever is refused: a second reader of the framing would take it for a request. */
export const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n'

export const refuses = (id: string, section: string, send: string | Buffer, status = 400): RequestCase => ({
  id,
  section,
  send: Buffer.concat([typeof send === 'string' ? Buffer.from(send, 'latin1') : send, Buffer.from(smuggled)]),
  expect: { status, closes: true, origin: 'nothing' },
})

/** Refused inside the body: the head may have travelled already, a whole request must not. */
export const refusesBody = (id: string, section: string, send: string): RequestCase => ({
  id,
  section,
  send: send + smuggled,
  expect: { status: 400, closes: true, origin: 'no-request' },
})

export const passes = (
  id: string,
  section: string,
  send: string | Buffer,
  check: (request: RequestMessage, requests: readonly RequestMessage[]) => void = () => {},
): RequestCase => ({
  id,
  section,
  send,
  expect: {
    status: 200,
    closes: false,
    origin: requests => {
      assert.equal(requests.length, 1, `the origin got ${requests.map(request => request.startLine).join(' | ')}`)
      check(requests[0] as RequestMessage, requests)
    },
  },
})

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
