import type { MessagePort } from 'node:worker_threads'
import { type CallSpan, InvalidCursorError } from './calls.ts'
import { RowFormatError } from './row-reader.ts'

/** What the storage thread is started with. */
export type CallThreadData = { folder: string; keep: number }

/** From the main thread to the storage thread. */
export type ToCallThread =
  | { kind: 'connect'; port: MessagePort }
  | { kind: 'ask'; id: number; method: 'insert' | 'query' | 'get' | 'stats'; input: unknown[] }
  | { kind: 'close' }

/** From the storage thread to the main thread. */
export type FromCallThread =
  | { kind: 'ready' }
  | { kind: 'answer'; id: number; result: unknown }
  | { kind: 'failure'; id: number; name: string; message: string }
  | { kind: 'log'; message: string }

/** From a gateway worker to the storage thread; each batch is acknowledged, in order. */
export type CallBatch = { data: Uint8Array<ArrayBuffer>; rows: number; span: CallSpan }
/** `memory` goes back to whoever sent it, to be filled again. */
export type CallAcknowledgement = { stored: boolean; memory: ArrayBuffer }

/** From the main thread to a gateway worker: where batches go from now on. */
export type CallDestination = { port: MessagePort }

/** Errors lose their class between threads; those that callers tell apart get it back. */
export const reviveError = (name: string, message: string): Error => {
  if (name === 'InvalidCursorError') return new InvalidCursorError()
  return name === 'RowFormatError' ? new RowFormatError(message) : new Error(message)
}
