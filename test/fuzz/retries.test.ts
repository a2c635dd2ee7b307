import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { head } from '../conformance/case-table.ts'
import {
  headerOf,
  ok,
  oneService,
  type Portico,
  rawClient,
  type ScriptedOrigin,
  scriptedOrigin,
  startPortico,
} from '../harness.ts'
import { seededRandom } from './random.ts'

const calls = 150
const random = seededRandom(2026)

let portico: Portico
let origin: ScriptedOrigin
const failures = new Map<string, number>()
const busy = 'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n'

before(async () => {
  // Fails each call up to three times, in one of three ways, at any point of its body; then sends the body back.
  origin = await scriptedOrigin(async connection => {
    for (;;) {
      const text = await connection.readHead(600_000).catch(() => null)
      if (text === null) return connection.destroy()
      const call = /^x-call: (\d+)/im.exec(text)?.[1] ?? ''
      const count = failures.get(call) ?? 0
      const fate = count < 3 ? random.int(4) : 3
      if (fate < 3) failures.set(call, count + 1)
      if (fate === 0) {
        // Answers before it has read the body, and is done with the connection.
        connection.send(busy)
        connection.end()
        return
      }
      if (fate === 1) {
        const part = connection.rest.length + random.int(3000)
        await connection.readBytes(Math.max(part, 1), 30).catch(() => {})
        connection.reset()
        return
      }
      const request = await connection.readRequest(600_000)
      if (request === null) return connection.end()
      connection.send(fate === 2 ? busy : ok(request.body.toString('latin1')))
    }
  })
  const retry = {
    ...{ attempts: 5, methods: ['POST'], bufferBody: '64kb' },
    ...{ backoff: { base: '1ms', max: '2ms' }, budget: { percent: 100, minimum: 100_000 } },
  }
  portico = await startPortico({ config: oneService(origin.url, {}, { retry }) })
})
after(async () => {
  await portico?.stop()
  await origin?.stop()
})

test(`${calls} bodies arrive whole through tries that fail anywhere`, async () => {
  const send = async (call: number): Promise<void> => {
    const body = Buffer.from(Array.from({ length: random.int(20_000) }, () => random.int(256)))
    const chunked = random.int(2) === 0
    const sizes = Array.from({ length: 8 }, () => 1 + random.int(6000))
    const framing = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`
    const client = await rawClient(portico.gatewayPort)
    let message = Buffer.from(head('POST /x HTTP/1.1', `X-Call: ${call}`, framing))
    if (!chunked) message = Buffer.concat([message, body])
    else {
      const pieces: Buffer[] = [message]
      for (let at = 0, i = 0; at < body.length; i++) {
        const piece = body.subarray(at, at + (sizes[i % sizes.length] as number))
        pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'))
        at += piece.length
      }
      message = Buffer.concat([...pieces, Buffer.from('0\r\n\r\n')])
    }
    await client.sendSlowly(message, sizes)
    const response = await client.readFinalResponse({ method: 'POST', milliseconds: 15_000 })
    assert.equal(response.status, 200, `call ${call}: ${response.body}`)
    assert.ok(response.body.equals(body), `call ${call}: ${response.body.length} of ${body.length} bytes`)
    assert.ok(headerOf(response, 'x-request-id'))
    client.destroy()
  }
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < calls) await send(next++)
  }
  await Promise.all(Array.from({ length: 10 }, lane))
  assert.ok([...failures.values()].reduce((sum, count) => sum + count, 0) > calls, 'enough tries failed')
})
