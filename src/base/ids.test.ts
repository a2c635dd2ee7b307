import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomHex, uuidTime, uuidv7 } from './ids.ts'

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('an id has the shape of a UUID of version 7 and variant 10', () => {
  for (let i = 0; i < 2000; i++) assert.match(uuidv7(), uuidPattern)
})

test('ids are all different, also across many refills of the random bytes', () => {
  const ids = new Set(Array.from({ length: 20_000 }, uuidv7))
  assert.equal(ids.size, 20_000)
})

test('an id tells the millisecond it was born at', () => {
  const before = Date.now()
  const time = uuidTime(uuidv7())
  const after = Date.now()
  assert.ok(time !== null && time >= before && time <= after, `${time} is not within ${before}…${after}`)
})

test('ids of different milliseconds sort by the time of their birth', t => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_700_000_000_000 })
  const ids: string[] = []
  for (const step of [1, 1, 250, 65_536, 4_294_967_296]) {
    ids.push(uuidv7())
    t.mock.timers.tick(step)
  }
  assert.deepEqual(ids.toSorted(), ids)
  assert.equal(uuidTime(ids[0] as string), 1_700_000_000_000)
  assert.equal(uuidTime(ids[1] as string), 1_700_000_000_001)
})

test('every random bit of an id takes both values', () => {
  const seen = new Map<number, Set<string>>()
  for (let i = 0; i < 500; i++)
    for (const [index, digit] of [...uuidv7()].entries()) {
      const digits = seen.get(index) ?? new Set()
      seen.set(index, digits.add(digit))
    }
  // After the dashes and the version digit: 16 values each, but only four where the variant is fixed.
  for (const index of [15, 16, 17, 20, 21, 22, 24, 29, 35]) assert.equal(seen.get(index)?.size, 16, `digit ${index}`)
  assert.deepEqual([...(seen.get(19) ?? [])].sort(), ['8', '9', 'a', 'b'])
})

test('the time of anything but a version 7 UUID is null', () => {
  const id = uuidv7()
  for (const text of [
    '',
    'orders',
    id.toUpperCase().replace(/^./, 'F'),
    id.slice(1),
    `${id}0`,
    ` ${id}`,
    `${id}\n`,
    id.replaceAll('-', ''),
    `${id.slice(0, 14)}4${id.slice(15)}`,
    `${id.slice(0, 19)}c${id.slice(20)}`,
  ])
    assert.equal(uuidTime(text), null, JSON.stringify(text))
})

test('random hex has two lower-case digits for each byte', () => {
  for (const count of [1, 8, 16, 100]) {
    const text = randomHex(count)
    assert.match(text, /^[0-9a-f]+$/)
    assert.equal(text.length, 2 * count)
  }
  assert.equal(new Set(Array.from({ length: 5000 }, () => randomHex(8))).size, 5000)
})
