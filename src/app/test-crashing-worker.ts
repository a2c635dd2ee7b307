import { rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { workerData } from 'node:worker_threads'
import './worker.ts'
import type { WorkerStart } from './worker-messages.ts'

/**
 * For tests: a gateway worker that can be brought to grief. Each listens on the path in `PORTICO_TEST_CRASH_PATH`, with
 * a dot and its number behind it, and does what the first bytes of a connection say: `throw`, `exit` or `loop`.
 */
const path = `${process.env['PORTICO_TEST_CRASH_PATH']}.${(workerData as WorkerStart).index}`

const fates: Record<string, () => void> = {
  throw: () => {
    throw new Error('This worker was told to die')
  },
  exit: () => process.exit(1),
  loop: () => {
    for (;;);
  },
}

// What a predecessor left behind.
rmSync(path, { force: true })
createServer(socket => socket.on('error', () => {}).on('data', word => fates[String(word)]?.()))
  .listen(path)
  .unref()
