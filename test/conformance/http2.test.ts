import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { errorCodes as codes } from '#http/http2/error-codes'
import {
  oneService,
  type Portico,
  type RequestMessage,
  rawClient,
  type ScriptedOrigin,
  startPortico,
} from '../harness.ts'
import {
  data,
  frame,
  headers,
  postRequest,
  preface,
  RawHttp2,
  rawHttp2,
  request,
  settings,
  windowUpdate,
} from '../raw-http2.ts'
import { tableOrigin } from './case-table.ts'
import { http2Cases } from './cases/http2.ts'
import { post } from './cases/http2-case.ts'

let portico: Portico
let origin: ScriptedOrigin
before(async () => {
  origin = await tableOrigin()
  const limits = { head: '8kb', headers: 50, target: '1kb' }
  portico = await startPortico({ config: oneService(origin.url, {}, {}, { limits }) })
})
after(async () => {
  await portico?.stop()
  await origin?.stop()
})

const ids = new Set<string>()
for (const { id, section, send, expect, origin: check } of http2Cases) {
  assert.ok(!ids.has(id), `the id ${id} is used twice`)
  ids.add(id)
  test(`${id} (${section})`, async t => {
    origin.forget()
    const client = await rawHttp2(portico.gatewayPort)
    t.after(() => client.destroy())
    client.send(...send)
    if (expect.goaway !== undefined) {
      const code = await client.readGoaway()
      const allowed: readonly number[] = typeof expect.goaway === 'number' ? [expect.goaway] : expect.goaway
      assert.ok(allowed.includes(code), `GOAWAY with ${code}: ${client.goawayFrames[0]?.reason}`)
    } else {
      const answer =
        expect.reset === undefined
          ? await client.read(1)
          : await client.waitFor(() => (client.answer(1).reset === null ? null : client.answer(1)), 'RST_STREAM')
      if (expect.status !== undefined) assert.equal(answer.status, expect.status, answer.body.toString())
      if (expect.reset !== undefined) assert.equal(answer.reset, expect.reset)
      // The connection, and its header table, are as good as before.
      client.send(headers(101, request('/again'), true))
      assert.equal((await client.read(101)).body.toString(), '/again')
    }
    const seen = origin.requests.filter(({ target }) => target !== '/again')
    if (check === null)
      assert.deepEqual(
        seen.map(({ startLine }) => startLine),
        [],
      )
    else if (check !== undefined) {
      assert.equal(seen.length, 1)
      check(seen[0] as RequestMessage)
    }
  })
}

test('h2-preface-split (RFC 9113 §3.4): a preface in pieces is the same preface', async t => {
  for (let at = 1; at < preface.length; at++) {
    const client = new RawHttp2(await rawClient(portico.gatewayPort))
    t.after(() => client.destroy())
    await client.raw.sendSlowly(Buffer.concat([preface, settings(), headers(1, request('/split'), true)]), [at, 1000])
    assert.equal((await client.read(1)).body.toString(), '/split')
    client.destroy()
  }
})

test('h2-byte-by-byte (RFC 9113 §4.1): frames in any split', async t => {
  const client = new RawHttp2(await rawClient(portico.gatewayPort))
  t.after(() => client.destroy())
  const bytes = [preface, settings(), ...post([['content-length', '5']], data(1, 'hel'), data(1, 'lo', true))]
  await client.raw.sendSlowly(Buffer.concat(bytes), [1])
  assert.equal((await client.read(1)).status, 200)
})

test('h2-preface-wrong (RFC 9113 §3.4): a broken second half ends the connection', async () => {
  const raw = await rawClient(portico.gatewayPort)
  raw.send('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n')
  await raw.waitClose()
})

test('h2-preface-later (RFC 9113 §3.4): after a request of HTTP/1.1 it is a wrong request', async () => {
  const raw = await rawClient(portico.gatewayPort)
  raw.send('GET /1 HTTP/1.1\r\nhost: a.test\r\n\r\n')
  assert.equal((await raw.readFinalResponse()).status, 200)
  raw.send(preface)
  assert.equal((await raw.readFinalResponse()).status, 505)
  await raw.waitClose()
})

test('h2-first-frame (RFC 9113 §3.4): SETTINGS comes first', async t => {
  const client = await rawHttp2(portico.gatewayPort, frame(6, 0, 0, Buffer.alloc(8)))
  t.after(() => client.destroy())
  assert.equal(await client.readGoaway(), codes.protocolError)
})

test('h2-concurrency (RFC 9113 §5.1.2): streams above the limit are refused and may be sent again', async t => {
  const client = await rawHttp2(portico.gatewayPort)
  t.after(() => client.destroy())
  for (let i = 0; i < 129; i++) client.send(headers(2 * i + 1, postRequest(), false))
  assert.equal((await client.read(257)).reset, codes.refusedStream)
  await client.settle()
  assert.equal([...client.answers.values()].filter(({ reset }) => reset !== null).length, 1)
})

test('h2-window (RFC 9113 §6.9): no byte more than the window, and the rest when it grows', async t => {
  const client = await rawHttp2(portico.gatewayPort, settings([4, 3]))
  t.after(() => client.destroy())
  client.send(headers(1, request('/0123456789'), true))
  await client.waitFor(() => (client.answer(1).body.length >= 3 ? true : null), 'three bytes')
  await client.settle()
  assert.equal(client.answer(1).body.toString(), '/01')
  client.send(windowUpdate(1, 2))
  await client.settle()
  assert.equal(client.answer(1).body.toString(), '/0123')
  client.send(settings([4, 100]))
  assert.equal((await client.read(1)).body.toString(), '/0123456789')
})

test('h2-window-exceeded (RFC 9113 §6.9.1): more DATA than allowed breaks the stream or the connection', async t => {
  const client = await rawHttp2(portico.gatewayPort)
  t.after(() => client.destroy())
  origin.script = () => new Promise(() => {})
  client.send(headers(1, postRequest(), false))
  // Nobody reads at the origin, so the windows are not opened again for long.
  for (let i = 0; i < 1200; i++) client.send(data(1, Buffer.alloc(16_384)))
  await client.waitFor(() => ((client.answer(1).reset ?? client.goaway) !== null ? true : null), 'a flow-control error')
  assert.equal(client.answer(1).reset ?? client.goaway, codes.flowControlError)
})
