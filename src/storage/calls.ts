/** One logged call: what `GET /api/calls` shows. Times in milliseconds, sizes in bytes; null where not applicable. */
export type CallRecord = {
  requestId: string
  traceId: string
  /** Milliseconds since the epoch. */
  startedAt: number
  service: string
  /** The route's template, never the raw path; empty when no route matched. */
  route: string
  consumer: string
  method: string
  path: string
  status: number
  durationMs: number
  upstreamMs: number
  gatewayMs: number
  bytesIn: number
  bytesOut: number
  clientAddress: string
  target: string
  errorCode: string
  errorSource: string
  retries: number
  model: string
  provider: string
  tokensIn: number | null
  tokensOut: number | null
  tokensCached: number | null
  costNanoUsd: number | null
  firstTokenMs: number | null
  /** Status code of a gRPC call; null for all others, and where none came. */
  grpcStatus: number | null
}

export type CallFilter = {
  service?: string
  route?: string
  consumer?: string
  /** `404`, `5xx`, `error` (≥ 400). */
  status?: string
  method?: string
  /** Milliseconds since the epoch, inclusive. */
  from?: number
  /** Milliseconds since the epoch, exclusive. */
  to?: number
  /** Substring of path, request id, consumer, error code or model, whatever the case of its letters. */
  q?: string
}

export type CallPage = { items: CallRecord[]; nextCursor: string | null }

/** The earliest and the latest `startedAt` of a batch. */
export type CallSpan = { first: number; last: number }

export type CallStoreStats = { rows: number; bytes: number; oldest: number | null; newest: number | null }

/** The cursor of a query was not made by this store. */
export class InvalidCursorError extends Error {
  constructor() {
    super('the cursor is not one of this list')
    this.name = 'InvalidCursorError'
  }
}

/** Where call records are kept. Implementations pass `callStoreContract` (src/storage/calls-contract.ts). */
export interface CallStore {
  /**
   * Adds one batch of RowBinary rows (src/storage/row-binary.ts), `rows` many, all or nothing. Rejects when the batch
   * does not hold exactly that many whole rows. With `span`, which only this program's own writers give, all of that is
   * taken on trust and the rows are not walked over.
   */
  insert(batch: Uint8Array, rows: number, span?: CallSpan): Promise<void>
  /**
   * Newest first: by `startedAt`, and among equal times what arrived later first. `cursor` is opaque and marks a row in
   * that order: it stays valid while new rows arrive and old ones are dropped. Rejects with InvalidCursorError for a
   * cursor that is none.
   */
  query(filter: CallFilter, page: { limit: number; cursor?: string }): Promise<CallPage>
  /** The call with this id; the newest when several have it. */
  get(requestId: string): Promise<CallRecord | null>
  stats(): Promise<CallStoreStats>
  close(): Promise<void>
}
