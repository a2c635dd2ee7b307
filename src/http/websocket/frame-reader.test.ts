import assert from 'node:assert/strict'
import type { Writable } from 'node:stream'
import { test } from 'node:test'
import * as library from 'ws'
import { FrameReader, type FrameRules } from './frame-reader.ts'
import { closeFrame, pingFrame } from './frames.ts'

type FrameInput = {
  opcode: number
  payload?: Buffer
  fin?: boolean
  reserved?: number
  masked?: boolean
  /** How many bytes say the length: 0, 2 or 8; as few as possible unless set. */
  width?: number
}

const frame = ({ opcode, payload = Buffer.alloc(0), fin = true, reserved = 0, masked = false, width }: FrameInput) => {
  const bytes = width ?? (payload.length < 126 ? 0 : payload.length < 65_536 ? 2 : 8)
  const short = bytes === 0 ? payload.length : bytes === 2 ? 126 : 127
  const head = Buffer.alloc(2 + bytes)
  head[0] = (fin ? 0x80 : 0) | reserved | opcode
  head[1] = (masked ? 0x80 : 0) | short
  if (bytes === 2) head.writeUInt16BE(payload.length, 2)
  if (bytes === 8) head.writeBigUInt64BE(BigInt(payload.length), 2)
  if (!masked) return Buffer.concat([head, payload])
  const key = Buffer.from([1, 200, 3, 77])
  return Buffer.concat([head, key, payload.map((byte, i) => byte ^ (key[i & 3] as number))])
}

type Seen = { passed: string; controls: string[]; messages: number; refused: number; remaining: number }

const rulesOf = (given: Partial<FrameRules>): FrameRules => ({
  masked: false,
  reserved: 0,
  maxMessage: Number.POSITIVE_INFINITY,
  ...given,
})

/** What a reader lets through when the bytes come in these pieces; `swallow` is a payload that goes no further. */
const read = (pieces: readonly Buffer[], given: Partial<FrameRules> = {}, swallow = ''): Seen => {
  const passed: Buffer[] = []
  const seen: Seen = { passed: '', controls: [], messages: 0, refused: 0, remaining: 0 }
  const reader = new FrameReader(rulesOf(given), {
    onBytes: bytes => passed.push(Buffer.from(bytes)),
    onMessage: () => {
      seen.messages++
      return 0
    },
    onControl: (opcode, payload) => {
      seen.controls.push(`${opcode} ${payload.toString('latin1')}`)
      return payload.length === 0 || payload.toString('latin1') !== swallow
    },
  })
  for (const piece of pieces) seen.refused ||= reader.read(piece)
  seen.passed = Buffer.concat(passed).toString('hex')
  seen.remaining = reader.remaining
  return seen
}

const hex = (...frames: Buffer[]): string => Buffer.concat(frames).toString('hex')
const text = (words: string): FrameInput => ({ opcode: 1, payload: Buffer.from(words) })

test('whole frames go on as they are, in one piece', () => {
  const all = Buffer.concat([
    frame(text('hello')),
    frame({ opcode: 2, payload: Buffer.alloc(126, 1) }),
    frame({ opcode: 2, payload: Buffer.alloc(65_536, 2) }),
    frame({ opcode: 9, payload: Buffer.from('are you there') }),
    frame({ opcode: 1, fin: false }),
    frame({ opcode: 10 }),
    frame({ opcode: 0, payload: Buffer.from('end') }),
  ])
  let times = 0
  const reader = new FrameReader(rulesOf({}), {
    onBytes: bytes => {
      times++
      assert.equal(bytes, all, 'the very buffer that came')
    },
    onMessage: () => 0,
    onControl: () => true,
  })
  assert.equal(reader.read(all), 0)
  assert.equal(times, 1)
  assert.deepEqual(read([all]), {
    passed: hex(all),
    controls: ['9 are you there', '10 '],
    messages: 4,
    refused: 0,
    remaining: 0,
  })
})

test('masked control frames are understood, and a swallowed one leaves no trace', () => {
  const hello = frame({ ...text('hello'), masked: true })
  const pong = frame({ opcode: 10, payload: Buffer.from('mine'), masked: true })
  const seen = read([Buffer.concat([hello, pong, hello])], { masked: true }, 'mine')
  assert.deepEqual([seen.passed, seen.controls], [hex(hello, hello), ['10 mine']])
})

test('what is written can be read', () => {
  for (const masked of [false, true]) {
    const bytes = Buffer.concat([pingFrame(Buffer.from('ping!'), masked), closeFrame(1001, 'going', masked)])
    const seen = read([bytes], { masked })
    assert.deepEqual([seen.refused, seen.controls], [0, ['9 ping!', '8 \x03\xe9going']])
  }
})

const close = (code: number, reason = ''): FrameInput => {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
  payload.writeUInt16BE(code)
  payload.write(reason, 2)
  return { opcode: 8, payload }
}

for (const [what, inputs, code, given] of [
  ['a reserved bit nobody agreed on (§5.2)', [{ ...text('x'), reserved: 0x40 }], 1002],
  ['RSV2 where only compression was agreed on', [{ ...text('x'), reserved: 0x20 }], 1002, { reserved: 0x40 }],
  [
    'RSV1 on a continuation (RFC 7692 §6.1)',
    [
      { ...text('x'), fin: false },
      { opcode: 0, reserved: 0x40 },
    ],
    1002,
    { reserved: 0x40 },
  ],
  ['a reserved bit on a control frame', [{ opcode: 9, reserved: 0x40 }], 1002, { reserved: 0x40 }],
  ['a reserved data opcode (§5.2)', [{ opcode: 3 }], 1002],
  ['a reserved control opcode', [{ opcode: 11 }], 1002],
  ['a masked frame of a server (§5.1)', [{ ...text('x'), masked: true }], 1002],
  ['an unmasked frame of a client', [text('x')], 1002, { masked: true }],
  ['a fragmented control frame (§5.5)', [{ opcode: 9, fin: false }], 1002],
  ['a control frame of 126 bytes', [{ opcode: 9, payload: Buffer.alloc(126) }], 1002],
  ['a continuation of nothing (§5.4)', [{ opcode: 0 }], 1002],
  ['a message inside of another one', [{ ...text('x'), fin: false }, text('y')], 1002],
  ['a length of 125 in two bytes (§5.2)', [{ opcode: 2, payload: Buffer.alloc(125), width: 2 }], 1002],
  ['a length of 65535 in eight bytes', [{ opcode: 2, payload: Buffer.alloc(65_535), width: 8 }], 1002],
  ['a close frame of one byte (§5.5.1)', [{ opcode: 8, payload: Buffer.alloc(1) }], 1002],
  ['close code 999', [close(999)], 1002],
  ['close code 1005, which must not be sent (§7.4.1)', [close(1005)], 1002],
  ['close code 1006', [close(1006)], 1002],
  ['close code 1015', [close(1015)], 1002],
  ['close code 2999', [close(2999)], 1002],
  ['close code 5000', [close(5000)], 1002],
  ['a close reason that is not UTF-8 (§8.1)', [{ opcode: 8, payload: Buffer.from([3, 232, 0xff]) }], 1007],
  ['a message above the limit', [{ opcode: 2, payload: Buffer.alloc(11) }], 1009, { maxMessage: 10 }],
  [
    'a message whose fragments are above the limit together',
    [
      { opcode: 2, payload: Buffer.alloc(6), fin: false },
      { opcode: 0, payload: Buffer.alloc(5) },
    ],
    1009,
    { maxMessage: 10 },
  ],
] as [string, FrameInput[], number, Partial<FrameRules>?][])
  test(`refused with ${code}: ${what}`, () => {
    const good = frame({ ...text('before'), masked: given?.masked === true, payload: Buffer.from('before') })
    const bad = inputs.map(frame)
    const seen = read([Buffer.concat([good, ...bad, good])], given)
    assert.equal(seen.refused, code)
    assert.equal(seen.passed, hex(good, ...bad.slice(0, -1)), 'what is valid before it goes on, nothing else')
  })

test('a length beyond all sense is refused at once', () => {
  const head = Buffer.from([0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0])
  assert.equal(read([head]).refused, 1002)
})

test('messages up to the limit pass, whatever control frames stand between their fragments', () => {
  const frames = [
    frame({ opcode: 2, payload: Buffer.alloc(6), fin: false }),
    frame({ opcode: 9, payload: Buffer.alloc(100) }),
    frame({ opcode: 0, payload: Buffer.alloc(4) }),
    frame({ opcode: 2, payload: Buffer.alloc(10) }),
  ]
  assert.deepEqual(read([Buffer.concat(frames)], { maxMessage: 10 }).refused, 0)
})

for (const code of [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999])
  test(`close code ${code} passes, and nothing behind it`, () => {
    const bye = frame(close(code, 'grüße'))
    const seen = read([Buffer.concat([bye, frame(text('late'))])])
    assert.deepEqual([seen.refused, seen.passed], [0, hex(bye)])
  })

test('an unknown extension may use all reserved bits of messages', () => {
  const frames = [frame({ ...text('x'), fin: false, reserved: 0x70 }), frame({ opcode: 0, reserved: 0x40 })]
  assert.equal(read([Buffer.concat(frames)], { reserved: 0x70 }).refused, 0)
})

// ---- any split, against the reader itself and against another one

let state = 20_260
const int = (below: number): number => {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) % below
}

/** A conversation that is mostly valid; sometimes a byte of it is not what it was. */
const conversation = (masked: boolean): Buffer => {
  const frames: Buffer[] = []
  let open = false
  for (let i = int(8) + 1; i > 0; i--) {
    const control = int(4) === 0
    const payload = Buffer.alloc(control ? int(126) : ([int(10), int(200), int(70_000)][int(3)] ?? 0), 0x61)
    const fin = control || int(3) > 0
    frames.push(frame({ opcode: control ? 9 + int(2) : open ? 0 : 1 + int(2), payload, fin, masked }))
    if (!control) open = !fin
  }
  if (int(3) === 0) frames.push(frame({ ...close(1000 + int(20)), masked }))
  const bytes = Buffer.concat(frames)
  if (int(3) === 0) bytes[int(Math.min(bytes.length, 16))] = int(256)
  return bytes
}

const split = (bytes: Buffer): Buffer[] => {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const size = [1, 2, 3, int(20) + 1, int(5000) + 1][int(5)] as number
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}

test('however the bytes are cut, the result is the same', () => {
  for (let round = 0; round < 1500; round++) {
    const masked = round % 2 === 0
    const bytes = conversation(masked)
    const given = { masked, maxMessage: round % 3 === 0 ? 100_000 : Number.POSITIVE_INFINITY }
    const whole = read([bytes], given, 'a'.repeat(5))
    for (let i = 0; i < 2; i++) assert.deepEqual(read(split(bytes), given, 'a'.repeat(5)), whole, `round ${round}`)
  }
})

// Exported, but missing in its types.
const { Receiver } = library as unknown as { Receiver: new (options: object) => Writable }

/** Whether the `ws` library takes these bytes of a server. */
const accepted = (bytes: Buffer): Promise<boolean> =>
  new Promise(resolve => {
    const receiver = new Receiver({ isServer: false, skipUTF8Validation: true })
    receiver.on('error', () => resolve(false))
    receiver.on('conclude', () => resolve(true))
    receiver.write(bytes, () => resolve(true))
  })

test('what the ws library refuses is refused, and the other way round but for lengths in too many bytes', async () => {
  let refusals = 0
  for (let round = 0; round < 600; round++) {
    const bytes = conversation(false)
    const { refused } = read([bytes])
    if (refused !== 0) refusals++
    const theirs = await accepted(bytes)
    if (!theirs) assert.notEqual(refused, 0, `round ${round}`)
  }
  assert.ok(refusals > 50)
})
