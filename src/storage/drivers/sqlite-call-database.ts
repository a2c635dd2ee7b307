import { chmodSync, closeSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { callsVersion } from '../call-columns.ts'
import type { CallStoreStats } from '../calls.ts'

const schema = `
  CREATE TABLE block (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never reused, so that cursors stay true
    first_at INTEGER NOT NULL,            -- earliest and latest startedAt of the rows
    last_at INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    data BLOB NOT NULL                    -- RowBinary, see call-columns.ts
  ) STRICT;
  CREATE INDEX block_span ON block (last_at, first_at, rows, bytes);
`

type Span = { id: number; first_at: number; last_at: number }
export type BlockHead = Span & { rows: number; bytes: number }

/** SQLite's result codes for a damaged file, and for one that never was a database. */
const corruptCodes = new Set([11, 26])

const isCorrupt = (error: unknown): boolean => {
  const code = (error as { errcode?: unknown } | null)?.errcode
  return typeof code === 'number' && corruptCodes.has(code & 0xff)
}

/** The SQL of the call log, and nothing else. All methods throw what SQLite says. */
export class CallDatabase {
  readonly #database: DatabaseSync
  readonly #folder: string
  readonly #log: (message: string) => void
  readonly #statements = new Map<string, StatementSync>()

  constructor(database: DatabaseSync, folder: string, log: (message: string) => void) {
    this.#database = database
    this.#folder = folder
    this.#log = log
  }

  transaction(work: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      work()
      this.#database.exec('COMMIT')
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  newestBlock(): BlockHead | undefined {
    const sql = 'SELECT id, first_at, last_at, rows, bytes FROM block ORDER BY id DESC LIMIT 1'
    return this.#prepare(sql).get() as BlockHead | undefined
  }

  /** Heads of the blocks that may hold rows of from ≤ time < to, those that reach furthest first. */
  spans(from: number, to: number): Span[] {
    const sql = `SELECT id, first_at, last_at FROM block WHERE last_at >= ? AND first_at < ?
                 ORDER BY last_at DESC, id DESC`
    return this.#prepare(sql).all(from, to) as Span[]
  }

  data(id: number): Uint8Array | undefined {
    return this.#prepare('SELECT data FROM block WHERE id = ?').get(id)?.['data'] as Uint8Array | undefined
  }

  append(first: number, last: number, rows: number, data: Uint8Array): void {
    const sql = 'INSERT INTO block (first_at, last_at, rows, bytes, data) VALUES (?, ?, ?, ?, ?)'
    this.#prepare(sql).run(first, last, rows, data.byteLength, data)
  }

  rewrite(id: number, first: number, last: number, moreRows: number, data: Uint8Array): void {
    const sql = 'UPDATE block SET first_at = ?, last_at = ?, rows = rows + ?, bytes = ?, data = ? WHERE id = ?'
    this.#prepare(sql).run(first, last, moreRows, data.byteLength, data, id)
  }

  /** Drops the oldest blocks as long as at least `keep` rows stay. */
  dropOldest(keep: number): void {
    let { rows } = this.stats()
    while (rows > keep) {
      const oldest = this.#prepare('SELECT id, rows FROM block ORDER BY id LIMIT 1').get() as BlockHead
      if (rows - oldest.rows < keep) return
      this.#prepare('DELETE FROM block WHERE id = ?').run(oldest.id)
      rows -= oldest.rows
    }
  }

  /** Gives space of dropped blocks back to the disk; only worth it after much was dropped at once. */
  shrink(): void {
    this.#database.exec('PRAGMA incremental_vacuum')
  }

  stats(): CallStoreStats {
    const sql = `SELECT coalesce(sum(rows), 0) AS rows, coalesce(sum(bytes), 0) AS bytes, min(first_at) AS oldest,
                 max(last_at) AS newest FROM block`
    return { ...(this.#prepare(sql).get() as CallStoreStats) }
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close()
  }

  /** A fresh database in place of this one when `error` says that it is damaged, else null. */
  replaceIfCorrupt(error: unknown): CallDatabase | null {
    if (!isCorrupt(error)) return null
    this.close()
    moveAside(this.#folder, 'corrupt', this.#log)
    return openCallDatabase(this.#folder, this.#log)
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (!statement) this.#statements.set(sql, (statement = this.#database.prepare(sql)))
    return statement
  }
}

/** Opens `folder`/calls.sqlite, made when missing; a file that is damaged or of another version is moved aside. */
export const openCallDatabase = (folder: string, log: (message: string) => void): CallDatabase => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, 'calls.sqlite')
  try {
    const database = openFile(file)
    const version = database.prepare('PRAGMA user_version').get()?.['user_version']
    if (version === callsVersion) return new CallDatabase(database, folder, log)
    database.close()
    moveAside(folder, `version-${version}`, log)
  } catch (error) {
    if (!isCorrupt(error)) throw error
    moveAside(folder, 'corrupt', log)
  }
  return new CallDatabase(openFile(file), folder, log)
}

const openFile = (file: string): DatabaseSync => {
  // SQLite gives its side files the mode of the main file, so that one has to be right first.
  closeSync(openSync(file, 'a', 0o600))
  chmodSync(file, 0o600)
  const database = new DatabaseSync(file, { timeout: 5000 })
  try {
    database.exec('PRAGMA auto_vacuum = INCREMENTAL')
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 16777216')
    database.exec('BEGIN IMMEDIATE')
    if (!database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get()) {
      database.exec(`${schema} PRAGMA user_version = ${callsVersion}`)
    }
    database.exec('COMMIT')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Keeps one such file: what was moved aside before is replaced. */
const moveAside = (folder: string, reason: string, log: (message: string) => void): void => {
  const file = join(folder, 'calls.sqlite')
  renameSync(file, `${file}.${reason}`)
  for (const side of ['-wal', '-shm']) rmSync(file + side, { force: true })
  log(`call log: ${file} was moved to ${file}.${reason}; a new one begins`)
}
