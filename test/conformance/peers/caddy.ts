import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { end, findProgram, freePort, start, temporaryFolder, waitForPort } from '../../../bench/programs.ts'
import type { Peer } from './peer.ts'

const configuration = (port: number, originPort: number, grpcPort: number): string => `{
  admin off
  auto_https off
  servers {
    protocols h1 h2c
  }
}
http://:${port} {
  bind 127.0.0.1
  reverse_proxy /pkg.Echo* h2c://127.0.0.1:${grpcPort}
  reverse_proxy 127.0.0.1:${originPort} {
    transport http {
      response_header_timeout 1s
    }
  }
}
`

export const caddy: Peer = {
  name: 'caddy',
  version: () => execFileSync(findProgram('caddy'), ['version'], { encoding: 'utf8' }).trim().split(' ')[0] ?? '?',
  start: async (originPort, grpcPort) => {
    const folder = temporaryFolder()
    const port = await freePort()
    const file = join(folder, 'Caddyfile')
    writeFileSync(file, configuration(port, originPort, grpcPort))
    const command = [findProgram('caddy'), 'run', '--config', file, '--adapter', 'caddyfile']
    const child = start(command, { environment: { HOME: folder } })
    await waitForPort(port, child)
    return { port, h2Port: port, stop: () => end(child) }
  },
}
