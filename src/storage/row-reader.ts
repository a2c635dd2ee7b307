import { type ColumnType, callColumns } from './call-columns.ts'
import type { CallRecord } from './calls.ts'

/** A batch of rows that is cut short or was never one. */
export class RowFormatError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'RowFormatError'
  }
}

/** Bytes of a column, without the flag of a nullable; 0 for strings. */
const widths: Record<ColumnType, number> = {
  String: 0,
  'DateTime64(3)': 8,
  UInt8: 1,
  UInt16: 2,
  UInt64: 8,
  Float64: 8,
  'Nullable(UInt64)': 8,
  'Nullable(Float64)': 8,
}

const columns = callColumns.map(({ type }) => ({
  width: widths[type],
  nullable: type.startsWith('Nullable'),
}))

/** The columns of fixed width at the front of a row. */
const fixedColumns = columns.findIndex(({ width }) => width === 0)
const fixedBytes = columns.slice(0, fixedColumns).reduce((sum, { width }) => sum + width, 0)

/** Reads rows of calls from a batch one after the other; every step past the end throws RowFormatError. */
export class RowReader {
  #position = 0
  readonly #buffer: Buffer
  readonly #view: DataView

  constructor(batch: Uint8Array) {
    this.#buffer = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength)
    this.#view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength)
  }

  get done(): boolean {
    return this.#position >= this.#buffer.length
  }

  /** Decodes the next row. */
  read(): CallRecord {
    // Members of a literal are evaluated in order, so this is the order of the columns.
    return {
      startedAt: this.#unsigned64(),
      status: this.#view.getUint16(this.#advance(2), true),
      durationMs: this.#float(),
      upstreamMs: this.#float(),
      gatewayMs: this.#float(),
      bytesIn: this.#unsigned64(),
      bytesOut: this.#unsigned64(),
      retries: this.#buffer[this.#advance(1)] as number,
      requestId: this.#string(),
      traceId: this.#string(),
      path: this.#string(),
      clientAddress: this.#string(),
      service: this.#string(),
      route: this.#string(),
      consumer: this.#string(),
      method: this.#string(),
      target: this.#string(),
      errorCode: this.#string(),
      errorSource: this.#string(),
      model: this.#string(),
      provider: this.#string(),
      tokensIn: this.#isNull() ? null : this.#unsigned64(),
      tokensOut: this.#isNull() ? null : this.#unsigned64(),
      tokensCached: this.#isNull() ? null : this.#unsigned64(),
      costNanoUsd: this.#isNull() ? null : this.#unsigned64(),
      firstTokenMs: this.#isNull() ? null : this.#float(),
      grpcStatus: this.#isNull() ? null : this.#unsigned64(),
    }
  }

  /** Passes over the next row and returns its time, without decoding it. */
  skip(): number {
    const startedAt = this.time()
    this.#advance(fixedBytes)
    for (let i = fixedColumns; i < columns.length; i++) this.#skipColumn(i)
    return startedAt
  }

  /** Whether the next row's request id is `id` (UTF-8 bytes); stays before that row. */
  hasId(id: Buffer): boolean {
    const start = this.#position
    this.#advance(fixedBytes)
    const length = this.#length()
    const equal =
      length === id.length && this.#buffer.compare(id, 0, id.length, this.#position, this.#position + length) === 0
    this.#position = start
    return equal
  }

  /** The time of the next row; stays before that row. */
  time(): number {
    const start = this.#position
    const startedAt = this.#unsigned64()
    this.#position = start
    return startedAt
  }

  #skipColumn(index: number): void {
    const column = columns[index] as (typeof columns)[number]
    if (column.width === 0) this.#skipString()
    else if (!column.nullable || !this.#isNull()) this.#advance(column.width)
  }

  #string(): string {
    const length = this.#length()
    if (length === 0) return ''
    const start = this.#advance(length)
    return this.#buffer.toString('utf8', start, start + length)
  }

  #float(): number {
    return this.#view.getFloat64(this.#advance(8), true)
  }

  #skipString(): void {
    this.#advance(this.#length())
  }

  /** A LEB128 number; more than three bytes cannot be the length of one of our strings. */
  #length(): number {
    let length = 0
    for (let shift = 0; shift < 21; shift += 7) {
      const byte = this.#buffer[this.#advance(1)] as number
      length |= (byte & 0x7f) << shift
      if (byte < 0x80) return length
    }
    throw new RowFormatError(`no length of a string at byte ${this.#position}`)
  }

  #isNull(): boolean {
    const flag = this.#buffer[this.#advance(1)] as number
    if (flag > 1) throw new RowFormatError(`no null flag at byte ${this.#position - 1}`)
    return flag === 1
  }

  #unsigned64(): number {
    const start = this.#advance(8)
    return this.#view.getUint32(start, true) + this.#view.getUint32(start + 4, true) * 0x1_0000_0000
  }

  /** Moves on by `bytes` and returns where it stood. */
  #advance(bytes: number): number {
    const start = this.#position
    if (start + bytes > this.#buffer.length) {
      throw new RowFormatError(`the batch ends inside a row: byte ${start + bytes} of ${this.#buffer.length}`)
    }
    this.#position = start + bytes
    return start
  }
}

/** Decodes a whole batch; throws RowFormatError when it is cut or not one. */
export const readCalls = (batch: Uint8Array): CallRecord[] => {
  const reader = new RowReader(batch)
  const records: CallRecord[] = []
  while (!reader.done) records.push(reader.read())
  return records
}

/** Walks over a whole batch without decoding it: how many rows, and the earliest and latest time among them. */
export const scanCalls = (batch: Uint8Array): { rows: number; first: number; last: number } => {
  const reader = new RowReader(batch)
  let rows = 0
  let first = Number.POSITIVE_INFINITY
  let last = Number.NEGATIVE_INFINITY
  while (!reader.done) {
    const time = reader.skip()
    rows++
    if (time < first) first = time
    if (time > last) last = time
  }
  return { rows, first, last }
}
