import type { CallRecord } from './calls.ts'

/** ClickHouse types that call columns use; RowBinary writes each as ClickHouse's documentation of the format says. */
export type ColumnType =
  | 'String'
  | 'DateTime64(3)'
  | 'UInt8'
  | 'UInt16'
  | 'UInt64'
  | 'Float64'
  | 'Nullable(UInt64)'
  | 'Nullable(Float64)'

export type CallColumn = {
  readonly name: keyof CallRecord
  readonly type: ColumnType
  /** Strings only: the most bytes of UTF-8 that are kept. */
  readonly cap: number
}

const pathCap = 2048
const textCap = 256

const text = (name: keyof CallRecord, cap = textCap): CallColumn => ({ name, type: 'String', cap })
const number = (name: keyof CallRecord, type: ColumnType): CallColumn => ({ name, type, cap: 0 })

/**
 * The columns of a call in the order of the bytes: the one place that says so. What has a fixed width stands at the
 * front, `startedAt` first, so that scans step over it at once; `requestId` follows, for look-ups. The strings stand
 * side by side, so that a row's are written in one go. A change needs a new `callsVersion`.
 */
export const callColumns: readonly CallColumn[] = [
  number('startedAt', 'DateTime64(3)'),
  number('status', 'UInt16'),
  number('durationMs', 'Float64'),
  number('upstreamMs', 'Float64'),
  number('gatewayMs', 'Float64'),
  number('bytesIn', 'UInt64'),
  number('bytesOut', 'UInt64'),
  number('retries', 'UInt8'),
  text('requestId'),
  text('traceId'),
  text('path', pathCap),
  text('clientAddress'),
  text('service'),
  text('route'),
  text('consumer'),
  text('method'),
  text('target'),
  text('errorCode'),
  text('errorSource'),
  text('model'),
  text('provider'),
  number('tokensIn', 'Nullable(UInt64)'),
  number('tokensOut', 'Nullable(UInt64)'),
  number('tokensCached', 'Nullable(UInt64)'),
  number('costNanoUsd', 'Nullable(UInt64)'),
  number('firstTokenMs', 'Nullable(Float64)'),
  number('grpcStatus', 'Nullable(UInt64)'),
]

/** Version of the bytes; stores that keep bytes of another version put them aside. */
export const callsVersion = 2

/** Bytes of the largest row: every string at its cap behind a two-byte length, every nullable present. */
export const maxRowBytes = callColumns.reduce((sum, column) => sum + (column.cap === 0 ? 9 : column.cap + 2), 0)
