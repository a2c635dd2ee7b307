// Loaded before the program when bin/portico.js started it: ends this process like SIGTERM does once the launcher is
// gone, however it died. Worker threads load it too and have nothing to watch.
import { Socket } from 'node:net'
import { isMainThread } from 'node:worker_threads'

const descriptor = Number(process.env['PORTICO_PARENT_FD'])

if (isMainThread && descriptor > 2) {
  // Children of this process must not think that the number means something to them.
  delete process.env['PORTICO_PARENT_FD']
  const parent = new Socket({ fd: descriptor, readable: true, writable: false })
  parent.on('error', () => {})
  parent.on('close', () => process.kill(process.pid, 'SIGTERM'))
  parent.resume()
  parent.unref()
}
