import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { after, before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { z } from 'zod'

type Media = { schema: object; example: unknown }
type Response = { $ref?: string; content: Record<string, Media>; headers?: Record<string, unknown> }
type Operation = {
  operationId: string
  requestBody?: { content: Record<string, Media> }
  responses: Record<string, Response>
}
type Contract = {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object>; responses: Record<string, Response> }
}

type Visit = { method: string; path: string; operation: string; status: number; body?: string; type?: string }

const item = { sku: 'TEA', title: 'Tea', quantity: 1, unitPrice: 100 }
const order = (change: object): string => JSON.stringify({ customerId: 'u-1', items: [item], ...change })
const post = (status: number, body: string, type = 'application/json'): Visit => ({
  ...{ method: 'POST', path: '/orders', operation: 'createOrder', status, body, type },
})
const get = (operation: string, path: string, status: number): Visit => ({ method: 'GET', path, operation, status })

const services: Record<string, Visit[]> = {
  orders: [
    get('checkHealth', '/healthz', 200),
    get('listOrders', '/orders', 200),
    get('listOrders', '/orders?status=paid&limit=1', 200),
    get('listOrders', '/orders?status=lost', 400),
    get('listOrders', '/orders?limit=0', 400),
    get('listOrders', '/orders?limit=101', 400),
    get('getOrder', '/orders/o-1001', 200),
    get('getOrder', '/orders/o-1', 404),
    get('getOrder', '/orders/%ff', 400),
    get('listOrderItems', '/orders/o-1001/items', 200),
    get('listOrderItems', '/orders/o-1/items', 404),
    get('listOrderItems', '/orders/%ff/items', 400),
    post(201, order({})),
    post(400, '{"customerId":'),
    post(400, '[]'),
    post(400, order({ items: [] })),
    post(400, order({ items: [{ ...item, quantity: 0 }, null, 'text'] })),
    post(400, order({ items: Array(101).fill(item) })),
    post(400, order({ customerId: 7, colour: 'red' })),
    post(413, order({ customerId: 'x'.repeat(70_000) })),
    post(415, order({}), 'text/plain'),
  ],
  users: [
    get('checkHealth', '/healthz', 200),
    get('listUsers', '/users', 200),
    get('listUsers', '/users?city=LYON&limit=1', 200),
    get('listUsers', '/users?limit=x', 400),
    get('getUser', '/users/u-1', 200),
    get('getUser', '/users/u-9', 404),
    get('getUser', '/users/%ff', 400),
  ],
}

const example = (path: string): string => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url))

const startService = async (name: string) => {
  const child = spawn(process.execPath, [example(`${name}/server.ts`), '--port', '0'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, SERVICE_PARENT: '1' },
  })
  const [line] = await once(child.stdout, 'data')
  const url = `http://127.0.0.1:${JSON.parse(String(line)).listening}`
  const stop = async (): Promise<void> => {
    child.stdin.end()
    if (child.exitCode === null) await once(child, 'exit')
  }
  return { url, stop }
}

for (const [name, visits] of Object.entries(services))
  suite(`the ${name} service keeps its contract`, () => {
    const contract = parse(readFileSync(example(`${name}/openapi.yaml`), 'utf8')) as Contract
    const operations = Object.values(contract.paths).flatMap(path =>
      Object.values(path).filter(each => each.operationId),
    )
    const defs = JSON.parse(JSON.stringify(contract.components.schemas).replaceAll('#/components/schemas/', '#/$defs/'))
    const check = (schema: object, value: unknown): void => {
      const local = JSON.parse(JSON.stringify(schema).replaceAll('#/components/schemas/', '#/$defs/'))
      const result = z.fromJSONSchema({ ...local, $defs: defs }).safeParse(value)
      assert.ok(result.success, `${JSON.stringify(value)}\n${result.error && z.prettifyError(result.error)}`)
    }
    const responseOf = (operation: Operation, status: string): Response => {
      const response = operation.responses[status] as Response
      const reference = response?.$ref?.split('/').at(-1)
      return reference === undefined ? response : (contract.components.responses[reference] as Response)
    }

    let service: Awaited<ReturnType<typeof startService>>
    before(async () => {
      service = await startService(name)
    })
    after(() => service.stop())

    for (const { method, path, operation: id, status, body, type } of visits)
      test(`${method} ${path} ${body?.slice(0, 60) ?? ''} is answered with ${status} as declared`, async () => {
        const response = await fetch(service.url + path, {
          method,
          body,
          headers: type ? { 'content-type': type } : {},
        })
        assert.equal(response.status, status)
        const declared = responseOf(operations.find(each => each.operationId === id) as Operation, String(status))
        assert.ok(declared, `${id} does not declare ${status}`)
        const media = declared.content[response.headers.get('content-type') ?? '']
        assert.ok(media, `${id} does not declare ${response.headers.get('content-type')}`)
        check(media.schema, await response.json())
        for (const header of Object.keys(declared.headers ?? {})) assert.ok(response.headers.has(header), header)
      })

    test('every declared answer is asked for above', () => {
      const declared = operations.flatMap(each =>
        Object.keys(each.responses).map(status => `${each.operationId} ${status}`),
      )
      const asked = new Set(visits.map(visit => `${visit.operation} ${visit.status}`))
      assert.deepEqual(
        declared.filter(answer => !asked.has(answer)),
        [],
      )
    })

    test('every example fits its schema', () => {
      for (const operation of operations) {
        const responses = Object.keys(operation.responses).map(status => responseOf(operation, status))
        for (const { content } of [...responses, ...(operation.requestBody ? [operation.requestBody] : [])])
          for (const media of Object.values(content)) check(media.schema, media.example)
      }
    })

    test('another method is refused with those that are allowed', async () => {
      const response = await fetch(`${service.url}/${name}`, { method: 'DELETE' })
      assert.equal(response.status, 405)
      assert.match(response.headers.get('allow') ?? '', /^GET/)
    })
  })
