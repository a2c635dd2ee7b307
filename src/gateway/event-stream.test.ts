import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { TimerWheel } from '#http/timer-wheel'
import { EventStream, isEventStream } from './event-stream.ts'
import type { GatewayCall } from './gateway-call.ts'
import { LongCalls } from './long-calls.ts'

const wheel = new TimerWheel()
after(() => wheel.close())

/** A stream whose bytes are collected; `ended` when it was ended before its time. */
const open = (method = 'GET') => {
  const longCalls = new LongCalls(wheel)
  const call = { method, heartbeat: Number.POSITIVE_INFINITY, snapshot: { longCalls }, over: false }
  const seen = { text: '', ended: false, longCalls, send: (_: string): void => {} }
  const stream = new EventStream(call as unknown as GatewayCall, () => {
    seen.ended = true
    stream.close()
  })
  seen.send = text => {
    if (seen.ended) return
    seen.text += stream.pass(Buffer.from(text)).toString()
    stream.passed()
  }
  return seen
}

const events = [
  'data: a\n\n',
  'data: b\r\n\r\n',
  'id: 7\rdata: c\r\r',
  ': comment\n\n',
  'data: d\ndata: e\n\n\n',
  'x\r\n\n',
]

test('told to end, it ends at the next place between two events, however the bytes are cut', () => {
  const all = events.join('')
  for (let told = 0; told <= all.length; told++)
    for (const size of [1, 2, 3, 5, 100]) {
      const seen = open()
      let at = 0
      for (; at < told; at += size) seen.send(all.slice(at, Math.min(at + size, told)))
      seen.longCalls.goAway()
      for (at = told; at < all.length && !seen.ended; at += size) seen.send(all.slice(at, at + size))
      assert.ok(seen.ended, `told at ${told}, in pieces of ${size}`)
      assert.ok(seen.text.length >= told && all.startsWith(seen.text))
      // Nothing of an event is lost, and nothing of the next one is sent.
      assert.match(seen.text, /^$|(\n\n|\r\r|\r\n\r|\n\r|\r\n\n)\n?$/)
      assert.equal(seen.longCalls.size, 0)
    }
})

test('the answer to a POST is not told to end', () => {
  const seen = open('POST')
  seen.send('data: a\n\n')
  seen.longCalls.goAway()
  seen.send('data: b\n\n')
  assert.deepEqual([seen.ended, seen.text], [false, 'data: a\n\ndata: b\n\n'])
})

for (const [headers, expected] of [
  [['content-type', 'text/event-stream'], true],
  [['content-type', 'Text/Event-Stream; charset=utf-8'], true],
  [['content-type', 'text/event-stream-not'], false],
  [['content-type', 'text/plain'], false],
  [[], false],
  [['content-type', 'text/event-stream', 'content-encoding', 'gzip'], false],
] as [string[], boolean][])
  test(`${JSON.stringify(headers)} ${expected ? 'is' : 'is not'} a stream of events that can be read`, () =>
    assert.equal(isEventStream(headers), expected))
