import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, startPortico } from '../../harness.ts'
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
  start: async (originPort, grpcPort) => {
    const timeouts = { response: '1s', total: '2s' }
    const service = (name: string, port: number, path: string, protocol: 'h1' | 'h2') => ({
      name,
      upstream: { protocol, targets: [{ url: `http://127.0.0.1:${port}` }], retry: { attempts: 0 }, timeouts },
      routes: [{ path }],
    })
    const config = {
      version: 1,
      settings: { timeouts: { drain: '2s' } },
      services: [service('main', originPort, '/', 'h1'), service('grpc', grpcPort, '/pkg.Echo', 'h2')],
    }
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
