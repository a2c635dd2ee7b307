import { setImmediate } from 'node:timers/promises'
import { uuidTime } from '#base/ids'
import { compileFilter } from '../call-filter.ts'
import type { CallFilter, CallPage, CallRecord, CallSpan, CallStore, CallStoreStats } from '../calls.ts'
import { RowFormatError, RowReader, scanCalls } from '../row-reader.ts'
import { comparePositions, type Position, readCursor, writeCursor } from './block-cursor.ts'
import { type CallDatabase, openCallDatabase } from './sqlite-call-database.ts'

/** A block is open for more rows until it has this many bytes: small enough to be written again for each batch. */
const openBlockBytes = 64 * 1024
const maxBatchBytes = 64 * 1024 * 1024
/** Other work gets a turn after this many bytes of a long search. */
const turnBytes = 512 * 1024
/** A request id may be this much older or younger than its call: clocks differ, and calls wait in queues. */
const idSlackMs = 3_600_000

export type SqliteCallsOptions = {
  /** Folder of the database file; made with mode 0700 when missing. */
  folder: string
  /** Rows to keep; up to one block more stay. */
  keep: number
  log?: (message: string) => void
}

type Span = { id: number; first_at: number; last_at: number }
type Found = { position: Position; record: CallRecord }

/** The call log in one SQLite file: whole batches in blocks, so that a row costs neither an insert nor an index. */
export const openSqliteCalls = (options: SqliteCallsOptions): CallStore => new SqliteCalls(options)

class SqliteCalls implements CallStore {
  #database: CallDatabase | null
  readonly #options: Required<SqliteCallsOptions>
  readonly #reported = new Set<number>()

  constructor(options: SqliteCallsOptions) {
    this.#options = { log: message => console.error(message), ...options }
    this.#database = openCallDatabase(this.#options.folder, this.#options.log)
    this.#run(database => {
      database.dropOldest(this.#options.keep)
      database.shrink()
    })
  }

  async insert(batch: Uint8Array, rows: number, span?: CallSpan): Promise<void> {
    if (batch.byteLength > maxBatchBytes) throw new RowFormatError(`a batch has at most ${maxBatchBytes} bytes`)
    const scan = span ?? scanWhole(batch, rows)
    if (rows === 0) return
    this.#run(database =>
      database.transaction(() => {
        const open = database.newestBlock()
        if (open && open.bytes < openBlockBytes) {
          const data = Buffer.concat([database.data(open.id) as Uint8Array, batch])
          database.rewrite(open.id, Math.min(open.first_at, scan.first), Math.max(open.last_at, scan.last), rows, data)
        } else database.append(scan.first, scan.last, rows, batch)
        database.dropOldest(this.#options.keep)
      }),
    )
  }

  async query(filter: CallFilter, page: { limit: number; cursor?: string }): Promise<CallPage> {
    const after = page.cursor === undefined ? null : readCursor(page.cursor)
    const from = filter.from ?? 0
    const to = Math.min(filter.to ?? Number.MAX_SAFE_INTEGER, after ? after.time + 1 : Number.MAX_SAFE_INTEGER)
    const matches = compileFilter(filter)
    const wanted = page.limit + 1
    let found: Found[] = []
    let bytes = 0
    for (const block of this.#run(database => database.spans(from, to))) {
      // The list is complete when no block that is left reaches up to its last row.
      const last = found.length === wanted ? (found[wanted - 1] as Found).position : null
      if (last && last.time > block.last_at) break
      const data = this.#run(database => database.data(block.id))
      if (!data) continue
      const rows = this.#readBlock(block.id, data, reader => {
        const more: Found[] = []
        for (let row = 0; !reader.done; row++) {
          const position = { time: reader.time(), block: block.id, row }
          const candidate =
            position.time >= from &&
            position.time < to &&
            (after === null || comparePositions(after, position) < 0) &&
            (last === null || comparePositions(position, last) < 0)
          if (!candidate) {
            reader.skip()
            continue
          }
          const record = reader.read()
          if (matches(record)) more.push({ position, record })
        }
        return more
      })
      if (rows && rows.length > 0) {
        found = [...found, ...rows].sort((a, b) => comparePositions(a.position, b.position)).slice(0, wanted)
      }
      bytes += data.byteLength
      if (bytes > turnBytes) {
        bytes = 0
        await setImmediate()
      }
    }
    const items = found.slice(0, page.limit).map(entry => entry.record)
    const lastItem = found.length > page.limit ? found[page.limit - 1] : undefined
    return { items, nextCursor: lastItem ? writeCursor(lastItem.position) : null }
  }

  async get(requestId: string): Promise<CallRecord | null> {
    const id = Buffer.from(requestId)
    const time = uuidTime(requestId)
    const spans = this.#run(database => database.spans(0, Number.MAX_SAFE_INTEGER))
    const likely = (span: Span): boolean =>
      time !== null && span.first_at <= time + idSlackMs && span.last_at >= time - idSlackMs
    const ordered = [...spans.filter(likely), ...spans.filter(span => !likely(span))]
    let bytes = 0
    for (const span of ordered) {
      const data = this.#run(database => database.data(span.id))
      if (!data) continue
      const record = this.#readBlock(span.id, data, reader => newestWithId(reader, id))
      if (record) return record
      bytes += data.byteLength
      if (bytes > turnBytes) {
        bytes = 0
        await setImmediate()
      }
    }
    return null
  }

  async stats(): Promise<CallStoreStats> {
    return this.#run(database => database.stats())
  }

  async close(): Promise<void> {
    this.#database?.close()
    this.#database = null
  }

  /** A block that cannot be decoded hides its own rows, not those of the others. */
  #readBlock<Result>(id: number, data: Uint8Array, read: (reader: RowReader) => Result): Result | null {
    try {
      return read(new RowReader(data))
    } catch (error) {
      if (!(error instanceof RowFormatError)) throw error
      if (!this.#reported.has(id)) this.#options.log(`call log: block ${id} is damaged and left out: ${error.message}`)
      this.#reported.add(id)
      return null
    }
  }

  /** Does `work` on the database; when that turns out to be corrupt, begins a fresh one and does it there. */
  #run<Result>(work: (database: CallDatabase) => Result): Result {
    if (!this.#database) throw new Error('the call log is closed')
    try {
      return work(this.#database)
    } catch (error) {
      const fresh = this.#database.replaceIfCorrupt(error)
      if (!fresh) throw error
      this.#database = fresh
      return work(fresh)
    }
  }
}

const scanWhole = (batch: Uint8Array, rows: number): CallSpan => {
  const scan = scanCalls(batch)
  if (scan.rows !== rows) throw new RowFormatError(`the batch holds ${scan.rows} rows, not ${rows}`)
  return scan
}

const newestWithId = (reader: RowReader, id: Buffer): CallRecord | null => {
  let newest: CallRecord | null = null
  while (!reader.done) {
    if (!reader.hasId(id)) {
      reader.skip()
      continue
    }
    const record = reader.read()
    if (newest === null || record.startedAt >= newest.startedAt) newest = record
  }
  return newest
}
