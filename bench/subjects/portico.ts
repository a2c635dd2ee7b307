import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeCertificate } from '../certificate.ts'
import { end, startOn, temporaryFolder, waitFor } from '../programs.ts'
import { type Features, keyHeader, routePath, type Subject } from './subject.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

const configuration = (features: Features, folder: string, originPort: number) => {
  const paths = features.routes === 1 ? ['/'] : Array.from({ length: features.routes }, (_, index) => routePath(index))
  return {
    version: 1,
    // Equal features: where nginx writes no log, the call log is off too.
    settings: {
      calls: { keep: features.limitAndLog ? 200_000 : 0 },
      ...(features.tls && { tls: { certificates: [writeCertificate(folder)] } }),
    },
    services: [
      {
        name: 'origin',
        upstream: { targets: [{ url: `http://127.0.0.1:${originPort}` }], ...(features.grpc && { protocol: 'h2' }) },
        routes: paths.map(path => ({ path })),
        policies: {
          ...(features.key && { 'key-auth': { header: keyHeader.name } }),
          ...(features.limitAndLog && { 'rate-limit': { limit: 100_000_000, window: '1s' } }),
        },
      },
    ],
    consumers: features.key ? [{ name: 'bench', keys: [{ secret: keyHeader.value }] }] : [],
  }
}

export const portico: Subject = {
  name: 'portico',
  lacks: () => null,
  start: async (features, originPort, core) => {
    const folder = temporaryFolder()
    const file = join(folder, 'portico.yaml')
    writeFileSync(file, JSON.stringify(configuration(features, folder, originPort)))
    const command = [
      ...[process.execPath, main, 'start', '--config', file, '--gateway', '127.0.0.1:0'],
      ...['--no-console', '--workers', String(features.workers ?? 1), '--data', join(folder, 'data')],
      ...(features.tls ? ['--gateway-tls', '127.0.0.1:0'] : []),
    ]
    const child = startOn(core, command, { environment: { PORTICO_READY_JSON: '1' } })
    const address = features.tls ? /"gatewayTls":"[^"]*:(\d+)"/ : /"gateway":"[^"]*:(\d+)"/
    const listening = (): string | undefined => address.exec(child.said())?.[1]
    await waitFor(child, () => listening() !== undefined)
    const port = Number(listening())
    return { port, pid: child.pid as number, stop: () => end(child) }
  },
}
