import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { end, findProgram, freePort, startOn, temporaryFolder, waitForPort } from '../programs.ts'
import { type Features, keyHeader, type Subject } from './subject.ts'

const configuration = (features: Features, port: number, originPort: number): string => `global
  nbthread 1
  maxconn 8192
  ${features.limitAndLog ? 'log stdout format raw local0' : ''}
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
  ${features.limitAndLog ? 'log global\n  option httplog' : ''}
frontend front
  bind 127.0.0.1:${port}
  unique-id-format %{+X}o%ci%cp%fi%fp%Ts%rt%pid
  unique-id-header X-Request-Id
  option forwardfor
  ${features.key ? `acl known req.hdr(${keyHeader.name}) -m str ${keyHeader.value}\n  http-request deny deny_status 401 unless known` : ''}
  ${
    features.limitAndLog
      ? `stick-table type string size 100k expire 10s store http_req_rate(1s)
  http-request track-sc0 req.hdr(${keyHeader.name})
  http-request deny deny_status 429 if { sc_http_req_rate(0) gt 10000000 }`
      : ''
  }
  default_backend back
backend back
  server origin 127.0.0.1:${originPort}
`

export const haproxy: Subject = {
  name: 'haproxy',
  lacks: ({ routes, http2, tls }) =>
    routes > 1 || http2 === true || tls === true
      ? 'no table of routes, no HTTP/2 and no TLS is written for it here'
      : null,
  start: async (features, originPort, core) => {
    const folder = temporaryFolder()
    const port = await freePort()
    const file = join(folder, 'haproxy.cfg')
    writeFileSync(file, configuration(features, port, originPort))
    // It can only log to a socket or to its output; a file costs it the least.
    const command = [findProgram('haproxy'), '-db', '-f', file]
    const child = startOn(core, command, { outputFile: join(folder, 'access.log') })
    await waitForPort(port, child)
    return { port, pid: child.pid as number, stop: () => end(child) }
  },
}
