import { maxRowBytes } from './call-columns.ts'
import type { CallRecord } from './calls.ts'
import { lengthPrefix, RowNames } from './row-names.ts'

/** A batch smaller than this part of the buffer is copied; above it the buffer itself goes, and another takes its place. */
const copiedPart = 4

/**
 * Collects calls as RowBinary (columns: call-columns.ts) in one buffer of a fixed size that is used again and again.
 * What is not a number that its column can hold becomes 0; strings are cut at their cap, between characters.
 */
export class RowWriter {
  rows = 0
  bytes = 0
  /** The earliest and the latest `startedAt` of the rows so far. */
  first = Number.POSITIVE_INFINITY
  last = Number.NEGATIVE_INFINITY
  readonly #capacity: number
  #buffer: Buffer<ArrayBuffer>
  #view: DataView
  #spares: ArrayBuffer[] = []
  readonly #names = new RowNames()

  /** `capacity` in bytes, at least room for one row of the largest kind. */
  constructor(capacity: number) {
    if (capacity < maxRowBytes) throw new RangeError(`a row may need ${maxRowBytes} bytes, capacity is ${capacity}`)
    this.#capacity = capacity
    this.#buffer = Buffer.allocUnsafeSlow(capacity)
    this.#view = new DataView(this.#buffer.buffer)
  }

  /** Appends one row; false, with nothing written, when the buffer may be too full for it. */
  writeCall(record: CallRecord): boolean {
    if (this.bytes + maxRowBytes > this.#capacity) return false
    this.#numbers(record)
    this.#texts(record)
    this.#usage(record)
    this.rows++
    const { startedAt } = record
    if (startedAt < this.first) this.first = startedAt
    if (startedAt > this.last) this.last = startedAt
    return true
  }

  /** The rows so far, alone in their ArrayBuffer so that it can be transferred; the writer begins anew. */
  take(): Uint8Array<ArrayBuffer> {
    const batch = this.#buffer.subarray(0, this.bytes)
    this.rows = 0
    this.bytes = 0
    this.first = Number.POSITIVE_INFINITY
    this.last = Number.NEGATIVE_INFINITY
    if (batch.length * copiedPart < this.#capacity) return new Uint8Array(batch)
    const next = this.#spares.pop()
    this.#buffer = next === undefined ? Buffer.allocUnsafeSlow(this.#capacity) : Buffer.from(next)
    this.#view = new DataView(this.#buffer.buffer)
    return batch
  }

  /** Gives the memory of a batch back that `take` made and that nobody needs any more. */
  recycle(memory: ArrayBuffer): void {
    if (memory.byteLength === this.#capacity && this.#spares.length < 4) this.#spares.push(memory)
  }

  /** The columns of fixed width: 51 bytes. */
  #numbers(record: CallRecord): void {
    const view = this.#view
    const at = this.bytes
    this.#unsigned64(at, record.startedAt)
    view.setUint16(at + 8, record.status >= 0 && record.status <= 0xffff ? record.status : 0, true)
    view.setFloat64(at + 10, finite(record.durationMs), true)
    view.setFloat64(at + 18, finite(record.upstreamMs), true)
    view.setFloat64(at + 26, finite(record.gatewayMs), true)
    this.#unsigned64(at + 34, record.bytesIn)
    this.#unsigned64(at + 42, record.bytesOut)
    view.setUint8(at + 50, Math.min(record.retries, 255))
    this.bytes = at + 51
  }

  /**
   * All strings as one text where each is short ASCII, which nearly all are: one call into native code instead of a
   * loop over more than a hundred characters.
   */
  #texts(record: CallRecord): void {
    const { requestId, traceId, path, clientAddress } = record
    const names = this.#names.of(record)
    if (names === null || isLong(requestId) || isLong(traceId) || isLong(path) || isLong(clientAddress)) {
      this.#longTexts(record)
      return
    }
    const text =
      (lengthPrefix[requestId.length] as string) +
      requestId +
      (lengthPrefix[traceId.length] as string) +
      traceId +
      (lengthPrefix[path.length] as string) +
      path +
      (lengthPrefix[clientAddress.length] as string) +
      clientAddress +
      names
    // More bytes than characters: something is not ASCII, so the lengths are wrong.
    if (this.#buffer.write(text, this.bytes) === text.length) this.bytes += text.length
    else this.#longTexts(record)
  }

  #longTexts(record: CallRecord): void {
    this.#string(record.requestId, 256)
    this.#string(record.traceId, 256)
    this.#string(record.path, 2048)
    this.#string(record.clientAddress, 256)
    this.#string(record.service, 256)
    this.#string(record.route, 256)
    this.#string(record.consumer, 256)
    this.#string(record.method, 256)
    this.#string(record.target, 256)
    this.#string(record.errorCode, 256)
    this.#string(record.errorSource, 256)
    this.#string(record.model, 256)
    this.#string(record.provider, 256)
  }

  /** Length as LEB128: one byte below 128, else two; caps are below 2^14. */
  #string(text: string, cap: number): void {
    const start = this.bytes
    // Writes whole characters only, so the cut never falls inside one.
    const length = this.#buffer.write(text, start + 2, cap, 'utf8')
    if (length < 0x80) {
      this.#buffer[start] = length
      this.#buffer.copyWithin(start + 1, start + 2, start + 2 + length)
      this.bytes = start + 1 + length
      return
    }
    this.#buffer[start] = 0x80 | (length & 0x7f)
    this.#buffer[start + 1] = length >>> 7
    this.bytes = start + 2 + length
  }

  /** What only calls of AI and of gRPC have. */
  #usage(record: CallRecord): void {
    this.#nullable(record.tokensIn)
    this.#nullable(record.tokensOut)
    this.#nullable(record.tokensCached)
    this.#nullable(record.costNanoUsd)
    if (this.#present(record.firstTokenMs)) {
      this.#view.setFloat64(this.bytes, finite(record.firstTokenMs as number), true)
      this.bytes += 8
    }
    this.#nullable(record.grpcStatus)
  }

  #unsigned64(at: number, value: number): void {
    const whole = value >= 0 && value <= Number.MAX_SAFE_INTEGER ? value : 0
    this.#view.setUint32(at, whole, true)
    this.#view.setUint32(at + 4, whole / 0x1_0000_0000, true)
  }

  #present(value: number | null): boolean {
    const present = value !== null && value >= 0
    this.#buffer[this.bytes++] = present ? 0 : 1
    return present
  }

  #nullable(value: number | null): void {
    if (!this.#present(value)) return
    this.#unsigned64(this.bytes, value as number)
    this.bytes += 8
  }
}

const isLong = (text: string): boolean => text.length > 127

const finite = (value: number): number => (value >= 0 && value < Number.POSITIVE_INFINITY ? value : 0)
