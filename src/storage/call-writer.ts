import type { MessagePort } from 'node:worker_threads'
import type { CallAcknowledgement, CallBatch, CallDestination } from './call-messages.ts'
import type { CallRecord } from './calls.ts'
import { RowWriter } from './row-binary.ts'

const batchBytes = 256 * 1024
const batchMs = 200
/** Batches that wait for the storage thread, sent or not; what comes on top is dropped. 32 × 256 kB = 8 MB. */
const maxBatches = 32

/** The writing end of the call log in a gateway worker: never waits, never throws, drops and counts when it must. */
export interface CallWriter {
  /** Rows that were given up since the start. */
  readonly dropped: number
  /** Rows that the storage thread said it has stored. */
  readonly written: number
  /** Takes what it needs from `record` at once; the object may be used again. */
  record(record: CallRecord): void
  /** Resolves when all rows are stored or dropped, at the latest after `timeoutMs` (default 5 s). */
  flush(timeoutMs?: number): Promise<void>
}

/** Opens the port that `CallStorage.connect` made for this worker. */
export const openCallWriter = (port: MessagePort): CallWriter => new PortCallWriter(port)

class PortCallWriter implements CallWriter {
  dropped = 0
  written = 0
  readonly #rows = new RowWriter(batchBytes)
  readonly #waiting: CallBatch[] = []
  /** Rows of each batch that was sent and not yet acknowledged, oldest first. */
  readonly #sent: number[] = []
  #destination: MessagePort | null = null
  #timer: NodeJS.Timeout | null = null
  #flushed: (() => void)[] = []

  constructor(port: MessagePort) {
    port.on('message', ({ port: destination }: CallDestination) => this.#attach(destination))
    port.unref()
  }

  record(record: CallRecord): void {
    if (!this.#rows.writeCall(record)) {
      this.#cut()
      this.#rows.writeCall(record)
    }
    if (this.#timer !== null) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#cut()
    }, batchMs)
    this.#timer.unref()
  }

  flush(timeoutMs = 5000): Promise<void> {
    this.#cut()
    return new Promise(resolve => {
      const timer = setTimeout(resolve, timeoutMs)
      this.#flushed.push(() => {
        clearTimeout(timer)
        resolve()
      })
      this.#settle()
    })
  }

  /** Ends the batch and sends it on its way. */
  #cut(): void {
    const rows = this.#rows.rows
    if (rows === 0) return
    const span = { first: this.#rows.first, last: this.#rows.last }
    const data = this.#rows.take()
    if (this.#waiting.length + this.#sent.length >= maxBatches) this.dropped += rows
    else this.#waiting.push({ data, rows, span })
    this.#send()
  }

  #send(): void {
    if (!this.#destination) return
    for (const batch of this.#waiting) {
      this.#sent.push(batch.rows)
      this.#destination.postMessage(batch, [batch.data.buffer])
    }
    this.#waiting.length = 0
  }

  #attach(destination: MessagePort): void {
    this.#detach()
    this.#destination = destination
    destination.on('message', ({ stored, memory }: CallAcknowledgement) => {
      this.#rows.recycle(memory)
      const rows = this.#sent.shift() ?? 0
      if (stored) this.written += rows
      else this.dropped += rows
      this.#settle()
    })
    destination.on('close', () => {
      if (this.#destination === destination) this.#detach()
    })
    destination.unref()
    this.#send()
  }

  /** The storage thread is gone: what it had not acknowledged is lost, what waits will go to the next one. */
  #detach(): void {
    this.#destination?.removeAllListeners()
    this.#destination = null
    for (const rows of this.#sent) this.dropped += rows
    this.#sent.length = 0
    this.#settle()
  }

  #settle(): void {
    if (this.#waiting.length > 0 || this.#sent.length > 0) return
    for (const done of this.#flushed) done()
    this.#flushed = []
  }
}
