import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { usageOf } from './cpu.ts'

const skip = process.platform === 'linux' ? false : 'platform: only Linux has /proc'

test('CPU time and memory of a process count those of its children', { skip }, async () => {
  // A parent that only waits, and a child that works for a while, holds memory, and stays.
  const child = 'const held = Buffer.alloc(6e7, 1); const end = process.cpuUsage().user + 2e5;'.concat(
    'while (process.cpuUsage().user < end); console.log(held.length); setInterval(() => {}, 1e6)',
  )
  const parent = `const child = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(child)}],
    { stdio: ['ignore', 'inherit', 'inherit'] });
    process.stdin.on('end', () => child.kill()).resume()`
  const tree = spawn(process.execPath, ['-e', parent], { stdio: ['pipe', 'pipe', 'inherit'] })
  try {
    await once(tree.stdout!, 'data')
    const { cpuSeconds, residentBytes } = usageOf(tree.pid as number)
    assert.ok(cpuSeconds >= 0.2, `${cpuSeconds} s`)
    assert.ok(residentBytes > 1.2e8, `${residentBytes} bytes`)
  } finally {
    tree.stdin!.end()
    await once(tree, 'exit')
  }
})

test('a process that is gone used nothing', { skip }, () => {
  assert.deepEqual(usageOf(2 ** 30), { cpuSeconds: 0, residentBytes: 0 })
})
