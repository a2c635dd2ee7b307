import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { noProc } from './process-figures.ts'

test('six seconds of the soak: no call fails, a killed worker comes back, nothing is left', {
  skip: noProc,
}, async () => {
  const { code, output } = await new Promise<{ code: unknown; output: string }>(resolve =>
    execFile(
      process.execPath,
      [join(import.meta.dirname, 'long.ts'), '--minutes', '0.1'],
      { timeout: 60_000 },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : error.code, output: stdout + stderr }),
    ),
  )
  assert.equal(code, 0, output)
  assert.match(output, /1 workers killed; afterwards nothing is left/)
  // Every kind of traffic had its turns, and none of them has a failure behind it.
  for (const name of ['keep-alive', 'upstream timeout', 'WebSocket', 'HTTP/2'])
    assert.match(output, new RegExp(`^${name} +[1-9]\\d* +-$`, 'm'), output)
})
