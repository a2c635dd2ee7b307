import assert from 'node:assert/strict'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { Server, ServerCredentials, type sendUnaryData } from '@grpc/grpc-js'
import { get } from '../conformance/case-table.ts'
import { eventually, oneService, type Portico, rawCall, startPortico } from '../harness.ts'

let portico: Portico

before(async () => {
  portico = await startPortico({ config: oneService('http://127.0.0.1:1'), workers: 2 })
})
after(() => portico?.stop())

const healthOf = async (): Promise<string[]> => {
  const page = (await portico.console('/api/upstreams?name=main')).body as {
    items: { targets: { health: string; checks: number }[] }[]
  }
  return page.items.flatMap(({ targets }) => targets.map(({ health, checks }) => (checks < 4 ? 'unknown' : health)))
}

const becomes = (...wanted: string[]): Promise<boolean> =>
  eventually(async () => (JSON.stringify(await healthOf()) === JSON.stringify(wanted) ? true : null), wanted.join())

const active = { interval: '20ms', timeout: '5s', unhealthyAfter: 2 }

test('a gRPC server is asked by the health-checking protocol, as a whole or for one service', async t => {
  const asked = new Set<string>()
  // 1 is SERVING, 2 is NOT_SERVING (grpc/health/v1/health.proto).
  const statuses = new Map([
    ['', 1],
    ['shop.Orders', 1],
  ])
  const server = new Server()
  server.addService(
    {
      Check: {
        path: '/grpc.health.v1.Health/Check',
        requestStream: false,
        responseStream: false,
        requestDeserialize: (bytes: Buffer) => ({ service: bytes.subarray(2).toString() }),
        requestSerialize: ({ service }: { service: string }) => Buffer.from(service),
        responseSerialize: (status: number) => Buffer.from([0x08, status]),
        responseDeserialize: (bytes: Buffer) => bytes[1] ?? 0,
      },
    },
    {
      Check: ({ request: { service } }: { request: { service: string } }, reply: sendUnaryData<number>) => {
        asked.add(service)
        reply(null, statuses.get(service) ?? 3)
      },
    },
  )
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, taken) =>
      error ? reject(error) : resolve(taken),
    ),
  )
  t.after(() => server.forceShutdown())
  const serve = (more: object) =>
    portico.reload(
      oneService(
        `http://127.0.0.1:${port}`,
        {},
        { protocol: 'h2', health: { active: { ...active, type: 'grpc', ...more } } },
      ),
    )
  await serve({})
  await becomes('healthy')
  statuses.set('', 2)
  await becomes('unhealthy')
  assert.match(portico.output(), /"problem":"NOT_SERVING"/)
  await serve({ service: 'shop.Orders' })
  await becomes('healthy')
  assert.deepEqual([...asked], ['', 'shop.Orders'])
  await serve({ service: 'shop.Nothing' })
  await becomes('unhealthy')
})

test('a server without the health service is not healthy; a check by HTTP speaks HTTP/2 where the upstream does', async t => {
  const versions = new Set<string>()
  const server = createServer((request, response) => {
    versions.add(`${request.httpVersion} ${request.url}`)
    if (request.url === '/healthz') response.end('fine')
    else response.writeHead(404).end()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.after(() => server.close())
  await portico.reload(oneService(url, {}, { protocol: 'h2', health: { active: { ...active, type: 'grpc' } } }))
  await becomes('unhealthy')
  await portico.reload(oneService(url, {}, { protocol: 'h2', health: { active: { ...active, path: '/healthz' } } }))
  await becomes('healthy')
  assert.deepEqual([...versions].sort(), ['2.0 /grpc.health.v1.Health/Check', '2.0 /healthz'])
  assert.equal((await rawCall(portico.gatewayPort, get('/'))).status, 404)
})
