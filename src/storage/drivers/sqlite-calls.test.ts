import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, it } from 'node:test'
import { batchOf, callStoreContract, sampleCall } from '../calls-contract.ts'
import { openSqliteCalls } from './sqlite-calls.ts'

callStoreContract('node:sqlite', (folder, keep) => openSqliteCalls({ folder, keep }))

const folders: string[] = []
const freshFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-sqlite-calls-'))
  folders.push(folder)
  return folder
}
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

const blocks = (folder: string): number => {
  const database = new DatabaseSync(join(folder, 'calls.sqlite'))
  const { count } = database.prepare('SELECT count(*) AS count FROM block').get() as { count: number }
  database.close()
  return count
}

describe('sqlite call store', () => {
  it('makes a folder and files that only their owner can read', async () => {
    const folder = join(freshFolder(), 'deep', 'data')
    const store = openSqliteCalls({ folder, keep: 10 })
    await store.insert(batchOf([sampleCall()]), 1)
    assert.equal(statSync(folder).mode & 0o777, 0o700)
    const files = readdirSync(folder)
    assert.ok(files.includes('calls.sqlite-wal'))
    for (const file of files) assert.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file)
    await store.close()
  })

  it('collects small batches in one block', async () => {
    const folder = freshFolder()
    const store = openSqliteCalls({ folder, keep: 1000 })
    for (let i = 0; i < 100; i++) await store.insert(batchOf([sampleCall({ startedAt: i })]), 1)
    assert.equal((await store.stats()).rows, 100)
    await store.close()
    assert.equal(blocks(folder), 1)
  })

  for (const [what, content] of [
    ['text', 'this is no database, '.repeat(1000)],
    ['a cut database', null],
  ] as const) {
    it(`moves ${what} aside and begins a new file`, async () => {
      const folder = freshFolder()
      const file = join(folder, 'calls.sqlite')
      if (content === null) {
        const store = openSqliteCalls({ folder, keep: 100_000 })
        await store.insert(batchOf(Array.from({ length: 2000 }, () => sampleCall())), 2000)
        await store.close()
        const bytes = Buffer.alloc(statSync(file).size)
        bytes.write('SQLite format 3\0')
        writeFileSync(file, bytes)
      } else writeFileSync(file, content)
      const lines: string[] = []
      const store = openSqliteCalls({ folder, keep: 10, log: line => lines.push(line) })
      await store.insert(batchOf([sampleCall()]), 1)
      assert.equal((await store.stats()).rows, 1)
      assert.equal(lines.length, 1)
      assert.match(lines[0] as string, /calls\.sqlite was moved to .*\.corrupt/)
      assert.ok(existsSync(`${file}.corrupt`))
      await store.close()
    })
  }

  it('goes on with a fresh file when damage shows up later', async () => {
    const folder = freshFolder()
    const file = join(folder, 'calls.sqlite')
    const first = openSqliteCalls({ folder, keep: 100_000 })
    for (let i = 0; i < 20; i++) {
      await first.insert(batchOf(Array.from({ length: 400 }, () => sampleCall({ startedAt: i }))), 400)
    }
    await first.close()
    // The first page stays whole, so that it opens; all the others are garbage.
    const database = new DatabaseSync(file)
    database.exec('PRAGMA journal_mode = DELETE')
    database.close()
    const size = statSync(file).size
    const { openSync, writeSync, closeSync } = await import('node:fs')
    const descriptor = openSync(file, 'r+')
    writeSync(descriptor, Buffer.alloc(size - 4096, 0xa5), 0, size - 4096, 4096)
    closeSync(descriptor)
    const lines: string[] = []
    const store = openSqliteCalls({ folder, keep: 100_000, log: line => lines.push(line) })
    await store.insert(batchOf([sampleCall({ requestId: 'after' })]), 1)
    assert.deepEqual(
      (await store.query({}, { limit: 5 })).items.map(item => item.requestId),
      ['after'],
    )
    assert.equal(lines.length, 1)
    await store.close()
  })

  it('leaves a damaged block out and says so once', async () => {
    const folder = freshFolder()
    const lines: string[] = []
    const store = openSqliteCalls({ folder, keep: 100_000, log: line => lines.push(line) })
    for (let i = 0; i < 3; i++) {
      await store.insert(batchOf(Array.from({ length: 400 }, () => sampleCall({ startedAt: i }))), 400)
    }
    const database = new DatabaseSync(join(folder, 'calls.sqlite'))
    database.exec("UPDATE block SET data = x'ffffffff' WHERE id = 2")
    database.close()
    for (let i = 0; i < 2; i++) {
      const { items } = await store.query({}, { limit: 1000 })
      assert.deepEqual([...new Set(items.map(item => item.startedAt))], [2, 0])
    }
    assert.equal(lines.length, 1)
    await store.close()
  })

  it('puts a file of another version aside instead of misreading it', async () => {
    const folder = freshFolder()
    const database = new DatabaseSync(join(folder, 'calls.sqlite'))
    database.exec('CREATE TABLE block (x); PRAGMA user_version = 99')
    database.close()
    const lines: string[] = []
    const store = openSqliteCalls({ folder, keep: 10, log: line => lines.push(line) })
    await store.insert(batchOf([sampleCall()]), 1)
    assert.ok(existsSync(join(folder, 'calls.sqlite.version-99')))
    assert.equal(lines.length, 1)
    await store.close()
  })

  it('keeps fewer rows, and gives the space back, when told to at the next start', async () => {
    const folder = freshFolder()
    const first = openSqliteCalls({ folder, keep: 100_000 })
    for (let i = 0; i < 20; i++) {
      await first.insert(batchOf(Array.from({ length: 400 }, () => sampleCall({ startedAt: i }))), 400)
    }
    await first.close()
    const before = statSync(join(folder, 'calls.sqlite')).size
    const second = openSqliteCalls({ folder, keep: 500 })
    assert.ok((await second.stats()).rows <= 900)
    await second.close()
    assert.ok(statSync(join(folder, 'calls.sqlite')).size < before / 4)
  })

  it('says that it is closed instead of answering', async () => {
    const store = openSqliteCalls({ folder: freshFolder(), keep: 10 })
    await store.close()
    await store.close()
    await assert.rejects(store.stats(), /closed/)
    await assert.rejects(store.insert(batchOf([sampleCall()]), 1), /closed/)
  })
})
