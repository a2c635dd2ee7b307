import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { end, findProgram, freePort, startOn, temporaryFolder, waitForPort } from '../programs.ts'
import { type Features, keyHeader, type Subject } from './subject.ts'

const configuration = (features: Features, port: number, originPort: number): string => `{
  admin off
  auto_https off
}
http://127.0.0.1:${port} {
  ${features.key ? `@unknown not header ${keyHeader.name} ${keyHeader.value}\n  respond @unknown 401` : ''}
  reverse_proxy 127.0.0.1:${originPort}
}
`

export const caddy: Subject = {
  name: 'caddy',
  lacks: ({ routes, limitAndLog, http2, tls }) =>
    routes > 1 || http2 === true || tls === true
      ? 'no table of routes, no HTTP/2 and no TLS is written for it here'
      : limitAndLog
        ? 'it has no rate limit of its own'
        : null,
  start: async (features, originPort, core) => {
    const folder = temporaryFolder()
    const port = await freePort()
    const file = join(folder, 'Caddyfile')
    writeFileSync(file, configuration(features, port, originPort))
    const command = [findProgram('caddy'), 'run', '--config', file, '--adapter', 'caddyfile']
    const child = startOn(core, command, { environment: { HOME: folder, GOMAXPROCS: '1' } })
    await waitForPort(port, child)
    return { port, pid: child.pid as number, stop: () => end(child) }
  },
}
