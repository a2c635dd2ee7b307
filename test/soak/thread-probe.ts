import { createServer } from 'node:net'
import { join } from 'node:path'
import { isMainThread, workerData } from 'node:worker_threads'

/**
 * Loaded into every thread of a gateway under test (`--import`, with `--expose-gc`): answers on a Unix socket in the folder
 * PORTICO_PROBES what the heap holds after a collection, or lets the thread die of an uncaught error.
 */
const folder = process.env['PORTICO_PROBES']
const index = (workerData as { index?: number } | null)?.index
const name = isMainThread ? 'main' : index === undefined ? null : `worker-${index}`

if (folder !== undefined && name !== null) {
  const collect = (globalThis as { gc?: () => void }).gc
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', order => {
      if (String(order) === 'die') throw new Error('This thread was told to die')
      collect?.()
      const { heapUsed, external, arrayBuffers } = process.memoryUsage()
      socket.end(JSON.stringify({ heapUsed, external, arrayBuffers }))
    })
  })
  server.on('error', () => {})
  // A name of its own for each thread that ever lived, so that a replacement never waits for the name of the dead.
  server.listen(join(folder, `${name}-${process.hrtime.bigint()}`))
  server.unref()
}
