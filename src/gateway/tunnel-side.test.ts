import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RawStream } from '#http/message'
import { FrameReader } from '#http/websocket/frame-reader'
import { closeFrame } from '#http/websocket/frames'
import { type TunnelEvents, TunnelSide } from './tunnel-side.ts'

let state = 7
const int = (below: number): number => {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) % below
}

/** A stream that keeps what was written to it. */
const keeping = (): RawStream & { written: Buffer[] } => ({
  written: [],
  onData: null,
  onEnd: null,
  onClose: null,
  onDrain: null,
  write(chunk) {
    this.written.push(Buffer.from(chunk))
    return true
  },
  end: () => {},
  pause: () => {},
  resume: () => {},
  destroy: () => {},
})

/** What a server or a client says: messages in fragments, pings, sometimes a goodbye. */
const conversation = (masked: boolean): Buffer => {
  const frames: Buffer[] = []
  const frame = (first: number, size: number): Buffer => {
    const head = size < 126 ? Buffer.from([first, size]) : Buffer.from([first, 126, size >> 8, size & 255])
    if (masked) head[1] = (head[1] as number) | 0x80
    return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0), Buffer.alloc(size, 0x61)])
  }
  let open = false
  for (let i = 3 + int(6); i > 0; i--) {
    if (int(4) === 0) frames.push(frame(0x89, int(126)))
    const fin = int(2) === 0
    frames.push(frame((fin ? 0x80 : 0) | (open ? 0 : 2), [int(10), 126 + int(3000)][int(2)] as number))
    open = !fin
  }
  if (int(3) === 0) frames.push(closeFrame(1000, '', masked), frame(0x82, 5))
  return Buffer.concat(frames)
}

/** The opcodes of control frames in `bytes`, which must be whole frames or break off in a payload. */
const controlsOf = (bytes: Buffer, masked: boolean): number[] => {
  const controls: number[] = []
  let passed = 0
  const reader = new FrameReader(
    { masked, reserved: 0, maxMessage: Number.POSITIVE_INFINITY },
    {
      onBytes: chunk => {
        passed += chunk.length
      },
      onMessage: () => 0,
      onControl: opcode => controls.push(opcode) > 0,
    },
  )
  assert.equal(reader.read(bytes), 0)
  assert.equal(passed, bytes.length, 'nothing stands behind the goodbye, or half of a head')
  return controls
}

test('whenever the gateway speaks up, each side reads whole frames, and nothing after a goodbye', () => {
  for (let round = 0; round < 3000; round++) {
    const streams = [keeping(), keeping()]
    const events: TunnelEvents = {
      now: 1,
      onMessage: () => 0,
      onLast: side => {
        ;(side === client ? server : client).closeSent = true
      },
    }
    const rules = { reserved: 0, maxMessage: Number.POSITIVE_INFINITY }
    const client = new TunnelSide(streams[0] as RawStream, false, rules, events)
    const server = new TunnelSide(streams[1] as RawStream, true, rules, events)
    client.join(server)
    server.join(client)
    const said = [conversation(true), conversation(false)]
    const at = [0, 0]
    const leaves = int(40)
    for (let turn = 0; at.some((position, i) => position < (said[i] as Buffer).length); turn++) {
      const who = int(2)
      const size = [1, 2, 1 + int(20), 1 + int(4000)][int(4)] as number
      const piece = (said[who] as Buffer).subarray(at[who], (at[who] as number) + size)
      at[who] = (at[who] as number) + piece.length
      if (piece.length > 0) streams[who]?.onData?.(piece)
      if (int(5) === 0) [client, server][int(2)]?.ping()
      if (turn === leaves) for (const side of [client, server]) side.close(1001, 'away')
    }
    for (const [i, stream] of streams.entries()) {
      const controls = controlsOf(Buffer.concat(stream.written), i === 1)
      const goodbyes = controls.filter(opcode => opcode === 8).length
      assert.ok(goodbyes <= 1 && (goodbyes === 0 || controls.at(-1) === 8), `round ${round}: ${controls}`)
    }
  }
})
