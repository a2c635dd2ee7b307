import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { end, findProgram, freePort, start, temporaryFolder, waitForPort } from '../../../bench/programs.ts'
import type { Peer } from './peer.ts'

const configuration = (port: number, h2Port: number, originPort: number, grpcPort: number): string => `global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 1s
  timeout tunnel 60s
  option forwardfor
frontend front
  bind 127.0.0.1:${port}
  bind 127.0.0.1:${h2Port} proto h2
  use_backend grpc if { path_beg /pkg.Echo }
  default_backend back
backend back
  server origin 127.0.0.1:${originPort}
backend grpc
  server origin 127.0.0.1:${grpcPort} proto h2
`

export const haproxy: Peer = {
  name: 'haproxy',
  version: () => /version (\S+)/.exec(execFileSync(findProgram('haproxy'), ['-v'], { encoding: 'utf8' }))?.[1] ?? '?',
  start: async (originPort, grpcPort) => {
    const port = await freePort()
    const h2Port = await freePort()
    const file = join(temporaryFolder(), 'haproxy.cfg')
    writeFileSync(file, configuration(port, h2Port, originPort, grpcPort))
    const child = start([findProgram('haproxy'), '-db', '-f', file])
    await waitForPort(port, child)
    return { port, h2Port, stop: () => end(child) }
  },
}
