import { createServer } from 'node:net'
import './worker.ts'

/** For tests: a gateway worker that dies of an uncaught error when somebody connects to the path it was given. */
const path = process.env['PORTICO_TEST_CRASH_PATH']
const server = createServer(() => {
  throw new Error('This worker was told to die')
})
// Only the first worker gets the path; the others live on.
server.on('error', () => {})
server.listen(path)
server.unref()
