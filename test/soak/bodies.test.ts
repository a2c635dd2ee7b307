import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type BulkOrigin, bulkCall, bulkHash, bulkOrigin } from '../e2e/bulk.ts'
import { oneService, type Portico, startPortico } from '../harness.ts'
import { inMegabytes, long, noProc, watchResident } from './process-figures.ts'

const mega = 1024 * 1024
const size = (long ? 1024 : 256) * mega
const allowed = 50 * mega

let portico: Portico
let origin: BulkOrigin
before(async () => {
  origin = await bulkOrigin()
  portico = await startPortico({ config: oneService(origin.url, {}, { timeouts: { response: '60s', total: '10m' } }) })
  // Buffers and compiled code have their final size after this.
  for (const upload of [0, 32 * mega])
    await bulkCall(portico.gatewayPort, upload ? '/up' : `/down/${32 * mega}`, {
      method: upload ? 'PUT' : 'GET',
      upload,
    })
})
after(async () => {
  await portico?.stop()
  await origin?.stop()
})

const flat = async (work: () => Promise<void>): Promise<void> => {
  const watch = watchResident(portico.pid)
  const before = watch.peak()
  try {
    await work()
  } finally {
    watch.stop()
  }
  const growth = watch.peak() - before
  assert.ok(growth < allowed, `resident memory grew by ${inMegabytes(growth)} from ${inMegabytes(before)}`)
}

test(`${inMegabytes(size)} down need no more memory than a small body`, { skip: noProc }, () =>
  flat(async () => {
    const answer = await bulkCall(portico.gatewayPort, `/down/${size}?chunked`)
    assert.equal(answer.count, size)
    assert.equal(answer.hash, bulkHash(size))
  }),
)

test(`${inMegabytes(size)} up need no more memory than a small body`, { skip: noProc }, () =>
  flat(async () => {
    const answer = await bulkCall(portico.gatewayPort, '/up', { method: 'PUT', upload: size, length: true })
    assert.deepEqual(JSON.parse(answer.text), { count: size, hash: bulkHash(size) })
  }),
)
