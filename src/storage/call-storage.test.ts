import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, describe, it } from 'node:test'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import type { CallAcknowledgement, CallDestination } from './call-messages.ts'
import { type CallStorage, type CallStorageOptions, startCallStorage } from './call-storage.ts'
import { openCallWriter } from './call-writer.ts'
import { callStoreContract, sampleCall } from './calls-contract.ts'

callStoreContract('node:sqlite behind the storage thread', (folder, keep) => startCallStorage({ folder, keep }).store)

const folders: string[] = []
const freshFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-call-storage-'))
  folders.push(folder)
  return folder
}
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** Storages that a test started; closed after it also when it failed, or their threads would keep the run alive. */
const started: CallStorage[] = []
const startStorage = (options: CallStorageOptions): CallStorage => {
  const storage = startCallStorage(options)
  started.push(storage)
  return storage
}
afterEach(async () => {
  await Promise.all(started.splice(0).map(storage => storage.close()))
})

const silent = (): void => {}

/** Waits for a state that another thread brings about. */
const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  const end = performance.now() + 10_000
  while (!(await condition())) {
    assert.ok(performance.now() < end, 'it did not happen within 10 s')
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

const running = (storage: CallStorage): Promise<void> => until(() => storage.stats().running)

/** Ends the storage thread by a batch that is none, as a bug would. */
const killThread = async (storage: CallStorage): Promise<void> => {
  const port = storage.connect()
  const [{ port: destination }] = (await once(port, 'message')) as [{ port: MessagePort }]
  const { restarts } = storage.stats()
  destination.postMessage(null)
  await until(() => storage.stats().restarts > restarts)
}

/** A gateway worker that records `calls` calls, flushes, and tells its counters. */
const recorder = `
import { parentPort, workerData } from 'node:worker_threads'
const { openCallWriter } = await import(workerData.writer)
const writer = openCallWriter(workerData.port)
const record = workerData.sample
for (let i = 0; i < workerData.calls; i++) {
  record.requestId = workerData.name + '-' + i
  record.startedAt = 1000 + i
  writer.record(record)
  if (i % 500 === 499) await writer.flush()
}
await writer.flush()
parentPort.postMessage({ written: writer.written, dropped: writer.dropped })
`

describe('call storage', () => {
  it('stores what gateway workers in other threads record', async () => {
    const storage = startStorage({ folder: freshFolder(), keep: 100_000 })
    const workers = ['a', 'b'].map(name => {
      const port = storage.connect()
      return new Worker(new URL(`data:text/javascript,${encodeURIComponent(recorder)}`), {
        workerData: {
          port,
          name,
          calls: 3000,
          sample: sampleCall(),
          writer: new URL('./call-writer.ts', import.meta.url).href,
        },
        transferList: [port],
      })
    })
    const results = await Promise.all(workers.map(worker => once(worker, 'message')))
    assert.deepEqual(results, [[{ written: 3000, dropped: 0 }], [{ written: 3000, dropped: 0 }]])
    assert.equal((await storage.store.stats()).rows, 6000)
    assert.equal((await storage.store.get('b-2999'))?.startedAt, 3999)
    await storage.close()
  })

  it('shows a call soon after it was recorded, without a flush', async () => {
    const storage = startStorage({ folder: freshFolder(), keep: 100 })
    const writer = openCallWriter(storage.connect())
    writer.record(sampleCall({ requestId: 'seen' }))
    await until(async () => (await storage.store.get('seen')) !== null)
    await storage.close()
  })

  it('drops and counts calls when more than 32 batches wait, and loses none of the others', async () => {
    const storage = startStorage({ folder: freshFolder(), keep: 1_000_000 })
    const writer = openCallWriter(storage.connect())
    // All in one turn of this thread: no acknowledgement can come in between.
    const calls = 60_000
    const record = sampleCall()
    for (let i = 0; i < calls; i++) writer.record(record)
    await writer.flush(20_000)
    assert.ok(writer.dropped > 0)
    assert.equal(writer.dropped + writer.written, calls)
    assert.equal((await storage.store.stats()).rows, writer.written)
    await storage.close()
  })

  it('restarts a storage thread that dies, and its writers go on with the new one', async () => {
    const folder = freshFolder()
    const storage = startStorage({ folder, keep: 1000, log: silent })
    const writer = openCallWriter(storage.connect())
    writer.record(sampleCall({ requestId: 'before' }))
    await writer.flush()
    await killThread(storage)
    await running(storage)
    assert.equal(storage.stats().restarts, 1)
    writer.record(sampleCall({ requestId: 'after' }))
    await writer.flush()
    assert.deepEqual([writer.written, writer.dropped], [2, 0])
    assert.ok(await storage.store.get('before'))
    assert.ok(await storage.store.get('after'))
    await storage.close()
  })

  it('counts as dropped what a storage thread that died had not acknowledged, or could not store', async () => {
    const control = new MessageChannel()
    const writer = openCallWriter(control.port2)
    const attach = (): MessagePort => {
      const { port1, port2 } = new MessageChannel()
      control.port1.postMessage({ port: port2 } satisfies CallDestination, [port2])
      return port1
    }
    const record = async (storageEnd: MessagePort): Promise<void> => {
      writer.record(sampleCall())
      const arrived = once(storageEnd, 'message')
      void writer.flush()
      await arrived
    }
    const dying = attach()
    await record(dying)
    dying.close()
    await until(() => writer.dropped === 1)
    const working = attach()
    await record(working)
    working.postMessage({ stored: true, memory: new ArrayBuffer(0) } satisfies CallAcknowledgement)
    await until(() => writer.written === 1)
    await record(working)
    working.postMessage({ stored: false, memory: new ArrayBuffer(0) } satisfies CallAcknowledgement)
    await until(() => writer.dropped === 2)
    await writer.flush()
    working.close()
    control.port1.close()
  })

  it('keeps trying when the store cannot be opened, says so once, and stores what waited', async () => {
    const folder = freshFolder()
    const blocker = join(folder, 'data')
    writeFileSync(blocker, 'a file where the folder should be')
    const lines: string[] = []
    const storage = startStorage({ folder: blocker, keep: 1000, log: line => lines.push(line) })
    const writer = openCallWriter(storage.connect())
    writer.record(sampleCall({ requestId: 'early' }))
    await until(() => storage.stats().restarts >= 2)
    assert.equal(storage.stats().running, false)
    await assert.rejects(storage.store.stats(), /not available/)
    assert.equal(lines.length, 1, lines.join('\n'))
    rmSync(blocker)
    await running(storage)
    await writer.flush()
    assert.ok(await storage.store.get('early'))
    assert.deepEqual([writer.written, writer.dropped], [1, 0])
    await storage.close()
  })

  it('closes while the thread is down, and twice', async () => {
    const folder = freshFolder()
    const blocker = join(folder, 'data')
    writeFileSync(blocker, '')
    const storage = startStorage({ folder: blocker, keep: 1000, log: silent })
    await until(() => storage.stats().restarts >= 1)
    await storage.close()
    await storage.close()
    assert.ok(existsSync(blocker))
    await assert.rejects(storage.store.stats(), /closed/)
  })

  it('does not keep a flush waiting for ever when nobody stores', async () => {
    const { port1, port2 } = new MessageChannel()
    const writer = openCallWriter(port1)
    writer.record(sampleCall())
    await writer.flush(20)
    assert.deepEqual([writer.written, writer.dropped], [0, 0])
    port2.close()
  })
})
