import { maxRowBytes } from './call-columns.ts'
import type { CallRecord } from './calls.ts'

/** Strings up to this length (below every cap) are copied by a loop; above it the call into native code pays. */
const loopLimit = 48

/**
 * Collects calls as RowBinary (columns: call-columns.ts) in one buffer of a fixed size that is used again and again.
 * What is not a number that its column can hold becomes 0; strings are cut at their cap, between characters.
 */
export class RowWriter {
  rows = 0
  bytes = 0
  readonly #buffer: Buffer
  readonly #view: DataView

  /** `capacity` in bytes, at least room for one row of the largest kind. */
  constructor(capacity: number) {
    if (capacity < maxRowBytes) throw new RangeError(`a row may need ${maxRowBytes} bytes, capacity is ${capacity}`)
    this.#buffer = Buffer.allocUnsafeSlow(capacity)
    this.#view = new DataView(this.#buffer.buffer)
  }

  /** Appends one row; false, with nothing written, when the buffer may be too full for it. */
  writeCall(record: CallRecord): boolean {
    if (this.bytes + maxRowBytes > this.#buffer.length) return false
    this.#string(record.requestId, 256)
    this.#unsigned64(record.startedAt)
    this.#string(record.traceId, 256)
    this.#string(record.service, 256)
    this.#string(record.route, 256)
    this.#string(record.consumer, 256)
    this.#string(record.method, 256)
    this.#string(record.path, 2048)
    this.#unsigned16(record.status)
    this.#float(record.durationMs)
    this.#float(record.upstreamMs)
    this.#float(record.gatewayMs)
    this.#unsigned64(record.bytesIn)
    this.#unsigned64(record.bytesOut)
    this.#string(record.clientAddress, 256)
    this.#string(record.target, 256)
    this.#string(record.errorCode, 256)
    this.#string(record.errorSource, 256)
    this.#buffer[this.bytes++] = Math.min(record.retries, 255)
    this.#string(record.model, 256)
    this.#string(record.provider, 256)
    this.#nullable(record.tokensIn)
    this.#nullable(record.tokensOut)
    this.#nullable(record.tokensCached)
    this.#nullable(record.costNanoUsd)
    if (this.#present(record.firstTokenMs)) this.#float(record.firstTokenMs as number)
    this.#nullable(record.grpcStatus)
    this.rows++
    return true
  }

  /** A copy of the rows so far, alone in its ArrayBuffer so that it can be transferred; the writer begins anew. */
  take(): Uint8Array<ArrayBuffer> {
    const batch = new Uint8Array(this.bytes)
    batch.set(this.#buffer.subarray(0, this.bytes))
    this.rows = 0
    this.bytes = 0
    return batch
  }

  #string(text: string, cap: number): void {
    const length = text.length
    if (length > loopLimit) {
      this.#longString(text, cap)
      return
    }
    const buffer = this.#buffer
    const start = this.bytes + 1
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i)
      if (unit > 0x7f) {
        this.#longString(text, cap)
        return
      }
      buffer[start + i] = unit
    }
    buffer[start - 1] = length
    this.bytes = start + length
  }

  /** Length as LEB128: one byte below 128, else two; caps are below 2^14. */
  #longString(text: string, cap: number): void {
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

  #unsigned16(value: number): void {
    this.#view.setUint16(this.bytes, value >= 0 && value <= 0xffff ? value : 0, true)
    this.bytes += 2
  }

  #unsigned64(value: number): void {
    const whole = value >= 0 && value <= Number.MAX_SAFE_INTEGER ? value : 0
    this.#view.setUint32(this.bytes, whole, true)
    this.#view.setUint32(this.bytes + 4, whole / 0x1_0000_0000, true)
    this.bytes += 8
  }

  #float(value: number): void {
    this.#view.setFloat64(this.bytes, value >= 0 && value < Number.POSITIVE_INFINITY ? value : 0, true)
    this.bytes += 8
  }

  #present(value: number | null): boolean {
    const present = value !== null && value >= 0
    this.#buffer[this.bytes++] = present ? 0 : 1
    return present
  }

  #nullable(value: number | null): void {
    if (this.#present(value)) this.#unsigned64(value as number)
  }
}
