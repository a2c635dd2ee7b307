import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { oneService, root, startPortico } from '../../harness.ts'
import type { Peer } from './peer.ts'

const commit = (): string => {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim()
  } catch {
    return 'no commit'
  }
}

export const portico: Peer = {
  name: 'portico',
  version: () => `${JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version} (${commit()})`,
  start: async originPort => {
    const config = oneService(`http://127.0.0.1:${originPort}`, {}, { timeouts: { response: '1s', total: '2s' } })
    const running = await startPortico({ config })
    return {
      port: running.gatewayPort,
      h2Port: running.gatewayPort,
      stop: async () => {
        await running.stop()
      },
    }
  },
}
