import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { maxRowBytes } from './call-columns.ts'
import { type CallFilter, type CallRecord, type CallStore, InvalidCursorError } from './calls.ts'
import { RowWriter } from './row-binary.ts'

/** A complete record for tests, with what the test cares about put over it. */
export const sampleCall = (changes: Partial<CallRecord> = {}): CallRecord => ({
  requestId: '018f3c1e-0000-7000-8000-000000000001',
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  startedAt: 1_700_000_000_000,
  service: 'orders',
  route: '/orders/{id}',
  consumer: 'alice',
  method: 'GET',
  path: '/orders/7',
  status: 200,
  durationMs: 12.5,
  upstreamMs: 11.25,
  gatewayMs: 1.25,
  bytesIn: 321,
  bytesOut: 4567,
  clientAddress: '203.0.113.9',
  target: 'http://127.0.0.1:9000',
  errorCode: '',
  errorSource: '',
  retries: 0,
  model: '',
  provider: '',
  tokensIn: null,
  tokensOut: null,
  tokensCached: null,
  costNanoUsd: null,
  firstTokenMs: null,
  grpcStatus: null,
  ...changes,
})

/** Encodes records as one batch. */
export const batchOf = (records: readonly CallRecord[]): Uint8Array<ArrayBuffer> => {
  const writer = new RowWriter(maxRowBytes * 2 + records.length * 700)
  for (const record of records) assert.ok(writer.writeCall(record))
  return writer.take()
}

/** A version 7 UUID born at `time`. */
export const idAt = (time: number, number = 0): string => {
  const hex = time.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${number.toString(16).padStart(12, '0')}`
}

type Open = (place: string, keep: number) => CallStore | Promise<CallStore>
type Use = (store: CallStore, reopen: () => Promise<CallStore>) => Promise<void>

const ids = (items: readonly CallRecord[]): string[] => items.map(item => item.requestId)

const add = (store: CallStore, records: readonly CallRecord[]): Promise<void> =>
  store.insert(batchOf(records), records.length)

/** Reads a list page by page to its end. */
const readAll = async (store: CallStore, filter: CallFilter, limit: number): Promise<CallRecord[]> => {
  const items: CallRecord[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await store.query(filter, { limit, ...(cursor !== undefined && { cursor }) })
    assert.ok(page.items.length <= limit)
    items.push(...page.items)
    if (page.nextCursor === null) return items
    assert.equal(page.items.length, limit, 'only the last page may be short')
    cursor = page.nextCursor
  }
}

/** What each implementation of CallStore must do. `open` opens the store at `place` (a folder), made when missing. */
export const callStoreContract = (name: string, open: Open): void => {
  const withStore = async (keep: number, use: Use): Promise<void> => {
    const place = mkdtempSync(join(tmpdir(), 'portico-calls-'))
    let store = await open(place, keep)
    try {
      await use(store, async () => {
        await store.close()
        store = await open(place, keep)
        return store
      })
    } finally {
      await store.close()
      rmSync(place, { recursive: true, force: true })
    }
  }

  describe(`call store: ${name}`, () => {
    it('is empty at first', () =>
      withStore(100, async store => {
        assert.deepEqual(await store.query({}, { limit: 10 }), { items: [], nextCursor: null })
        assert.equal(await store.get(idAt(1000)), null)
        assert.deepEqual(await store.stats(), { rows: 0, bytes: 0, oldest: null, newest: null })
      }))

    it('gives back calls as they were, newest first', () =>
      withStore(100, async store => {
        const first = sampleCall({ requestId: 'a', startedAt: 1000, tokensIn: 5, path: '/ü?' })
        const second = sampleCall({ requestId: 'b', startedAt: 2000, costNanoUsd: 12, firstTokenMs: 3.5 })
        await add(store, [first, second])
        const page = await store.query({}, { limit: 10 })
        assert.deepEqual(page, { items: [second, first], nextCursor: null })
        const { rows, oldest, newest } = await store.stats()
        assert.deepEqual({ rows, oldest, newest }, { rows: 2, oldest: 1000, newest: 2000 })
      }))

    it('orders by time whatever the order of arrival, and equal times by arrival', () =>
      withStore(10_000, async store => {
        // Batches of three workers that lag behind each other, with a long call in the middle of one.
        const records: CallRecord[] = []
        for (let batch = 0; batch < 30; batch++) {
          const start = 100_000 + Math.floor(batch / 3) * 1000 - (batch % 3) * 350
          const rows = Array.from({ length: 40 }, (_, i) =>
            sampleCall({ requestId: `${batch}.${i}`, startedAt: i === 20 ? 50_000 + batch : start + ((i * 37) % 800) }),
          )
          records.push(...rows)
          await add(store, rows)
        }
        const expected = records
          .map((record, position) => ({ record, position }))
          .sort((a, b) => b.record.startedAt - a.record.startedAt || b.position - a.position)
          .map(({ record }) => record.requestId)
        assert.deepEqual(ids(await readAll(store, {}, 1000)), expected)
        assert.deepEqual(ids(await readAll(store, {}, 7)), expected)
        assert.deepEqual(ids((await store.query({}, { limit: 1 })).items), expected.slice(0, 1))
      }))

    it('filters by each field, and by all of them together', () =>
      withStore(1000, async store => {
        const variants: Partial<CallRecord>[] = [
          { requestId: 'plain' },
          { requestId: 'users', service: 'users', route: '/users' },
          { requestId: 'bob', consumer: 'bob' },
          { requestId: 'post', method: 'POST', status: 201 },
          { requestId: 'missing', status: 404, errorCode: 'no-route' },
          { requestId: 'broken', status: 502, errorCode: 'upstream-closed', service: 'users', consumer: 'bob' },
          { requestId: 'chat', model: 'Smart-Model', path: '/ai/v1/chat/completions' },
        ]
        await add(
          store,
          variants.map((variant, i) => sampleCall({ startedAt: 1000 + i, ...variant })),
        )
        const expect = async (filter: CallFilter, ...expected: string[]): Promise<void> => {
          const { items } = await store.query(filter, { limit: 100 })
          assert.deepEqual(ids(items).sort(), expected.sort(), JSON.stringify(filter))
        }
        await expect({ service: 'users' }, 'users', 'broken')
        await expect({ route: '/users' }, 'users')
        await expect({ consumer: 'bob' }, 'bob', 'broken')
        await expect({ method: 'POST' }, 'post')
        await expect({ status: '404' }, 'missing')
        await expect({ status: '5xx' }, 'broken')
        await expect({ status: 'error' }, 'missing', 'broken')
        await expect({ status: 'nonsense' })
        await expect({ from: 1005 }, 'broken', 'chat')
        await expect({ to: 1001 }, 'plain')
        await expect({ from: 1001, to: 1003 }, 'users', 'bob')
        await expect({ q: 'smart' }, 'chat')
        await expect({ q: 'CHAT/comp' }, 'chat')
        await expect({ q: 'no-route' }, 'missing')
        await expect({ q: 'bob' }, 'bob', 'broken')
        await expect({ q: 'plain' }, 'plain')
        await expect({ q: "' OR 1=1 --" })
        await expect({ service: 'users', consumer: 'bob', status: '5xx', q: 'upstream' }, 'broken')
        await expect({ service: 'users', consumer: 'alice', status: '5xx' })
      }))

    it('pages without a gap or a repetition while new calls arrive', () =>
      withStore(100_000, async store => {
        await add(
          store,
          Array.from({ length: 300 }, (_, i) => sampleCall({ requestId: `old ${i}`, startedAt: 1000 + (i >> 2) })),
        )
        const seen: string[] = []
        let cursor: string | undefined
        for (let page = 0; ; page++) {
          const result = await store.query({}, { limit: 25, ...(cursor !== undefined && { cursor }) })
          seen.push(...ids(result.items))
          if (result.nextCursor === null) break
          cursor = result.nextCursor
          await add(
            store,
            Array.from({ length: 60 }, (_, i) => sampleCall({ requestId: `new ${page}.${i}`, startedAt: 5000 + page })),
          )
        }
        assert.deepEqual(
          seen,
          Array.from({ length: 300 }, (_, i) => `old ${299 - i}`),
        )
      }))

    it('keeps a cursor valid when the row it marks was dropped', () =>
      withStore(50, async store => {
        const rows = (from: number, count: number): CallRecord[] =>
          Array.from({ length: count }, (_, i) => sampleCall({ requestId: `${from + i}`, startedAt: from + i }))
        await add(store, rows(1000, 50))
        const { nextCursor } = await store.query({}, { limit: 10 })
        for (let i = 0; i < 40; i++) await add(store, rows(2000 + i * 500, 500))
        const { items } = await store.query({}, { limit: 10, cursor: nextCursor as string })
        assert.deepEqual(items, [])
        assert.equal((await store.query({}, { limit: 10 })).items.length, 10)
      }))

    it('refuses a cursor that is none', () =>
      withStore(100, async store => {
        await add(store, [sampleCall()])
        for (const cursor of ['x', '', '1.2', '-1.2.3', '1.2.3.4', 'x'.repeat(10_000), "'; DROP TABLE block"]) {
          await assert.rejects(store.query({}, { limit: 10, cursor }), InvalidCursorError)
        }
      }))

    it('finds a call by its id, whether or not the id tells its time', () =>
      withStore(10_000, async store => {
        const time = 1_700_000_000_000
        for (let block = 0; block < 20; block++) {
          await add(
            store,
            Array.from({ length: 100 }, (_, i) =>
              sampleCall({
                requestId: i % 2 === 0 ? idAt(time + block * 1000 + i, i) : `from-a-proxy-${block}-${i}`,
                startedAt: time + block * 1000 + i,
                bytesIn: block * 100 + i,
              }),
            ),
          )
        }
        // An id that a proxy made long before the call reached us.
        await add(store, [sampleCall({ requestId: idAt(time - 86_400_000, 7), startedAt: time + 50_000, bytesIn: 9 })])
        assert.equal((await store.get(idAt(time + 7 * 1000 + 42, 42)))?.bytesIn, 742)
        assert.equal((await store.get('from-a-proxy-13-99'))?.bytesIn, 1399)
        assert.equal((await store.get(idAt(time - 86_400_000, 7)))?.bytesIn, 9)
        for (const id of [idAt(time + 5, 999), 'from-a-proxy-13', '', 'x'.repeat(100_000)]) {
          assert.equal(await store.get(id), null)
        }
      }))

    it('finds the newest of several calls with one id', () =>
      withStore(100, async store => {
        await add(store, [sampleCall({ startedAt: 1000, bytesIn: 1 }), sampleCall({ startedAt: 2000, bytesIn: 2 })])
        assert.equal((await store.get(sampleCall().requestId))?.bytesIn, 2)
      }))

    it('keeps the newest rows and drops old ones', () =>
      withStore(1000, async store => {
        for (let i = 0; i < 60; i++) {
          await add(
            store,
            Array.from({ length: 500 }, (_, row) =>
              sampleCall({ requestId: `${i * 500 + row}`, startedAt: 1000 + i * 500 + row }),
            ),
          )
        }
        const { rows, newest } = await store.stats()
        assert.ok(rows >= 1000 && rows <= 2500, `${rows} rows kept`)
        assert.equal(newest, 1000 + 29_999)
        const { items } = await store.query({}, { limit: 1000 })
        assert.deepEqual(
          ids(items),
          Array.from({ length: 1000 }, (_, i) => `${29_999 - i}`),
        )
        assert.equal(await store.get('0'), null)
      }))

    it('still has everything after it was closed and opened again', () =>
      withStore(10_000, async (store, reopen) => {
        await add(
          store,
          Array.from({ length: 700 }, (_, i) => sampleCall({ requestId: `${i}`, startedAt: i })),
        )
        const { nextCursor } = await store.query({}, { limit: 100 })
        const again = await reopen()
        assert.equal((await again.stats()).rows, 700)
        await add(again, [sampleCall({ requestId: 'next', startedAt: 9000 })])
        assert.deepEqual(ids((await again.query({}, { limit: 2 })).items), ['next', '699'])
        const page = await again.query({}, { limit: 1, cursor: nextCursor as string })
        assert.deepEqual(ids(page.items), ['599'], 'a cursor outlives the process')
      }))

    it('takes a large batch', () =>
      withStore(100_000, async store => {
        const records = Array.from({ length: 8000 }, (_, i) => sampleCall({ requestId: `${i}`, startedAt: i }))
        await add(store, records)
        assert.equal((await store.stats()).rows, 8000)
        assert.deepEqual(ids((await store.query({ to: 4000 }, { limit: 2 })).items), ['3999', '3998'])
      }))

    it('refuses a batch that is cut, or whose rows are not as many as said, and keeps nothing of it', () =>
      withStore(1000, async store => {
        await add(store, [sampleCall({ requestId: 'before' })])
        const batch = batchOf([sampleCall(), sampleCall()])
        await assert.rejects(store.insert(batch.subarray(0, batch.length - 1), 2))
        await assert.rejects(store.insert(batch, 3))
        await assert.rejects(store.insert(batch, 1))
        await assert.rejects(store.insert(new Uint8Array(100).fill(0xff), 1))
        await assert.rejects(store.insert(new Uint8Array(0), 1))
        assert.deepEqual(ids((await store.query({}, { limit: 10 })).items), ['before'])
      }))

    it('takes batches and answers queries at the same time', () =>
      withStore(100_000, async store => {
        const work: Promise<unknown>[] = []
        for (let i = 0; i < 40; i++) {
          work.push(
            add(
              store,
              Array.from({ length: 50 }, (_, row) => sampleCall({ startedAt: i * 50 + row })),
            ),
          )
          work.push(
            store.query({}, { limit: 20 }).then(({ items }) => {
              const times = items.map(item => item.startedAt)
              assert.deepEqual(
                times,
                times.toSorted((a, b) => b - a),
              )
            }),
          )
        }
        await Promise.all(work)
        assert.equal((await store.stats()).rows, 2000)
      }))
  })
}
