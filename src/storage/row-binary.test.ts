import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { callColumns, maxRowBytes } from './call-columns.ts'
import type { CallRecord } from './calls.ts'
import { sampleCall } from './calls-contract.ts'
import { RowWriter } from './row-binary.ts'
import { RowFormatError, RowReader, readCalls, scanCalls } from './row-reader.ts'

const encode = (...records: CallRecord[]): Uint8Array => {
  const writer = new RowWriter(maxRowBytes * (records.length + 1))
  for (const record of records) assert.equal(writer.writeCall(record), true)
  return writer.take()
}

const roundTrip = (record: CallRecord): CallRecord => readCalls(encode(record))[0] as CallRecord

/** Decodes by the names and types in call-columns.ts alone, as another program would. */
const decodeByColumns = (batch: Uint8Array): Record<string, unknown> => {
  const bytes = Buffer.from(batch)
  const row: Record<string, unknown> = {}
  let at = 0
  for (const { name, type } of callColumns) {
    if (type === 'String') {
      let length = bytes[at++] as number
      if (length >= 0x80) length = (length & 0x7f) | ((bytes[at++] as number) << 7)
      row[name] = bytes.toString('utf8', at, (at += length))
      continue
    }
    if (type.startsWith('Nullable') && bytes[at++] === 1) {
      row[name] = null
      continue
    }
    if (type === 'UInt8') row[name] = bytes.readUInt8(at++)
    else if (type === 'UInt16') row[name] = bytes.readUInt16LE((at += 2) - 2)
    else if (type.includes('Float64')) row[name] = bytes.readDoubleLE((at += 8) - 8)
    else row[name] = Number(bytes.readBigUInt64LE((at += 8) - 8))
  }
  assert.equal(at, bytes.length)
  return row
}

describe('row binary', () => {
  it('gives back what was written', () => {
    const plain = sampleCall()
    assert.deepEqual(roundTrip(plain), plain)
    const full = sampleCall({
      tokensIn: 0,
      tokensOut: 12,
      tokensCached: 7,
      costNanoUsd: 9_007_199_254_740_991,
      firstTokenMs: 0.25,
      grpcStatus: 14,
      bytesOut: 5_000_000_000,
      path: '/ünï/💶',
      retries: 3,
    })
    assert.deepEqual(roundTrip(full), full)
  })

  it('writes the columns that call-columns.ts lists, in that order and type', () => {
    const record = sampleCall({ tokensIn: 5, firstTokenMs: 1.5, path: `/${'ä'.repeat(90)}` })
    assert.deepEqual(decodeByColumns(encode(record)), record)
    assert.deepEqual(new Set(callColumns.map(column => column.name)), new Set(Object.keys(record)))
  })

  it('writes known bytes', () => {
    const batch = Buffer.from(encode(sampleCall({ startedAt: 0x0102030405, status: 0x0102, requestId: 'ab' })))
    assert.equal(batch.subarray(0, 10).toString('hex'), '05040302010000000201')
    assert.equal(batch.subarray(51, 54).toString('hex'), '026162')
  })

  it('cuts strings at their cap and never inside a character', () => {
    assert.equal(roundTrip(sampleCall({ path: `/${'a'.repeat(5000)}` })).path, `/${'a'.repeat(2047)}`)
    assert.equal(roundTrip(sampleCall({ path: `/${'€'.repeat(2000)}` })).path, `/${'€'.repeat(682)}`)
    assert.equal(roundTrip(sampleCall({ consumer: '👋'.repeat(100) })).consumer, '👋'.repeat(64))
    assert.equal(roundTrip(sampleCall({ consumer: 'x'.repeat(256) })).consumer, 'x'.repeat(256))
    for (const column of callColumns) {
      if (column.type !== 'String') continue
      const cut = roundTrip(sampleCall({ [column.name]: 'z'.repeat(4000) }))[column.name]
      assert.equal(cut, 'z'.repeat(column.cap), column.name)
    }
  })

  it('keeps strings of every length around the limits of its two ways to write', () => {
    for (const letter of ['a', 'ü']) {
      for (let length = 0; length <= 260; length++) {
        const text = letter.repeat(length)
        const kept = letter === 'a' ? text.slice(0, 256) : text.slice(0, 128)
        assert.equal(roundTrip(sampleCall({ target: text })).target, kept)
      }
    }
  })

  it('replaces half a surrogate pair instead of writing invalid UTF-8', () => {
    assert.equal(roundTrip(sampleCall({ path: '/\ud83d/' })).path, '/\ufffd/')
  })

  it('writes numbers that are none as 0', () => {
    const record = roundTrip(
      sampleCall({ durationMs: Number.NaN, upstreamMs: Number.POSITIVE_INFINITY, bytesIn: -5, status: 70_000 }),
    )
    assert.deepEqual([record.durationMs, record.upstreamMs, record.bytesIn, record.status], [0, 0, 0, 0])
    assert.equal(roundTrip(sampleCall({ retries: 300 })).retries, 255)
    assert.equal(roundTrip(sampleCall({ tokensIn: Number.NaN })).tokensIn, null)
  })

  it('refuses a row when full, keeps what it has, and is empty after take', () => {
    const writer = new RowWriter(maxRowBytes + 100)
    assert.equal(writer.writeCall(sampleCall({ requestId: 'first' })), true)
    assert.equal(writer.writeCall(sampleCall({ requestId: 'second' })), false)
    assert.equal(writer.rows, 1)
    const batch = writer.take()
    assert.equal(readCalls(batch)[0]?.requestId, 'first')
    assert.deepEqual([writer.rows, writer.bytes, writer.take().length], [0, 0, 0])
    assert.equal(writer.writeCall(sampleCall({ requestId: 'second' })), true)
    assert.equal(readCalls(writer.take())[0]?.requestId, 'second')
  })

  it('hands over memory that it does not touch again until it is given back', () => {
    const writer = new RowWriter(maxRowBytes + 100)
    const large = sampleCall({ path: `/${'p'.repeat(2000)}` })
    writer.writeCall(large)
    const first = writer.take()
    writer.writeCall(sampleCall({ requestId: 'second' }))
    assert.deepEqual(readCalls(first), [roundTrip(large)])
    assert.equal(readCalls(writer.take())[0]?.requestId, 'second')
    writer.recycle(first.buffer)
    writer.writeCall(large)
    writer.take()
    writer.writeCall(sampleCall({ requestId: 'third' }))
    assert.equal(readCalls(writer.take())[0]?.requestId, 'third')
  })

  it('keeps rows apart whose names differ in one column only', () => {
    const names = ['service', 'route', 'consumer', 'method', 'target', 'errorCode', 'errorSource', 'model', 'provider']
    const records = names.flatMap(name => [sampleCall(), sampleCall({ [name]: 'other' }), sampleCall({ [name]: 'ö' })])
    assert.deepEqual(readCalls(encode(...records)), records)
  })

  it('never writes past its buffer with rows of the largest kind', () => {
    const huge = Object.fromEntries(
      callColumns.map(column => [column.name, column.type === 'String' ? 'ü'.repeat(4000) : 2 ** 52]),
    ) as unknown as CallRecord
    const batch = encode(huge)
    assert.ok(batch.length <= maxRowBytes)
    assert.equal(readCalls(batch).length, 1)
    assert.throws(() => new RowWriter(maxRowBytes - 1), RangeError)
  })

  it('refuses a batch cut at any byte', () => {
    const batch = encode(sampleCall({ tokensIn: 1 }))
    for (let length = 1; length < batch.length; length++) {
      assert.throws(() => readCalls(batch.subarray(0, length)), RowFormatError)
      assert.throws(() => scanCalls(batch.subarray(0, length)), RowFormatError)
    }
  })

  it('reads random bytes as an error or as rows, but never past the end', () => {
    let seed = 7
    for (let round = 0; round < 500; round++) {
      const bytes = Buffer.from(encode(sampleCall({ requestId: `r${round}` })))
      for (let i = 0; i < 4; i++) {
        seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
        bytes[seed % bytes.length] = seed >>> 24
      }
      try {
        readCalls(bytes)
      } catch (error) {
        assert.ok(error instanceof RowFormatError, String(error))
      }
    }
  })

  it('scans rows, times and ids without decoding', () => {
    const batch = encode(
      sampleCall({ requestId: 'one', startedAt: 3000 }),
      sampleCall({ requestId: 'two', startedAt: 1000, tokensIn: 5 }),
      sampleCall({ requestId: 'three', startedAt: 2000 }),
    )
    assert.deepEqual(scanCalls(batch), { rows: 3, first: 1000, last: 3000 })
    const reader = new RowReader(batch)
    assert.equal(reader.hasId(Buffer.from('two')), false)
    assert.equal(reader.skip(), 3000)
    assert.equal(reader.hasId(Buffer.from('two')), true)
    assert.equal(reader.hasId(Buffer.from('tw')), false)
    assert.equal(reader.time(), 1000)
    assert.equal(reader.read().requestId, 'two')
  })
})
