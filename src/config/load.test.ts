// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how a config file writes its variables
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Document } from './document.ts'
import { type ConfigError, loadDocument, parseDocument } from './load.ts'
import { retryDefaults } from './resilience-schema.ts'
import { testCatalogue as catalogue } from './test-catalogue.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

type Surroundings = { env?: Record<string, string>; files?: Record<string, string> }

const parse = (text: string, { env = {}, files = {} }: Surroundings = {}) =>
  parseDocument(text, {
    file: '/etc/portico/portico.yaml',
    catalogue,
    env,
    readFile: path => {
      const content = files[path]
      if (content === undefined) throw Object.assign(new Error('not found'), { code: 'ENOENT' })
      return content
    },
  })

const valid = (text: string, surroundings?: Surroundings): Document => {
  const result = parse(text, surroundings)
  assert.ok(result.ok, JSON.stringify(result))
  return result.document
}

const errors = (text: string, surroundings?: Surroundings): readonly ConfigError[] => {
  const result = parse(text, surroundings)
  assert.ok(!result.ok, 'the file should be refused')
  return result.errors
}

const service = (rest: string) => `version: 1
services:
  - name: orders
    upstream: { targets: [{ url: "http://a" }] }
${rest}`

const example = `version: 1
settings:
  trustedProxies: ["10.0.0.0/8"]
  timeouts: { requestHead: 10s, idle: 60s, drain: 30s }
services:
  - name: orders
    upstream:
      targets: [{ url: "http://127.0.0.1:9000", weight: 1 }]
      balance: round-robin          # least-requests | random-two | peak-ewma | consistent-hash
      timeouts: { connect: 2s, response: 30s, total: 60s }
      retry: { attempts: 2 }
      health: { active: { path: /healthz, interval: 5s }, passive: { failures: 5, ejectFor: 10s } }
    contract: ./orders.openapi.yaml
    routes:
      - { path: /orders, methods: [GET, POST], hosts: [API.example.com] }
      - { path: "/orders/{id}/items", stripPrefix: /orders }
    policies:
      key-auth: { header: x-api-key }
      rate-limit: { limit: 100, window: 1m, by: consumer, algorithm: gcra }
consumers:
  - { name: alice, groups: [gold], keys: [{ secret: "k1" }] }
ai:
  path: /ai
  providers:
    - { name: openai, type: openai, apiKey: "\${OPENAI_API_KEY}" }
  policies: { key-auth: {} }
`
const exampleSurroundings = {
  env: { OPENAI_API_KEY: 'sk-0123456789' },
  files: { '/etc/portico/orders.openapi.yaml': 'openapi: 3.1.0\npaths: {}' },
}

test('a whole file decodes to what the gateway compiles', () => {
  const keyAuth = { header: 'x-api-key', optional: false }
  const rateLimit = { limit: 100, window: 60_000, by: 'consumer', algorithm: 'gcra' }
  const route = { hosts: [], headers: {}, query: {}, stripPrefix: null, encodedSlashes: 'reject' }
  const orders = [
    { name: 'key-auth', scope: 'orders', config: keyAuth },
    { name: 'rate-limit', scope: 'orders', config: rateLimit },
  ]
  const ai = [{ name: 'key-auth', scope: 'ai', config: keyAuth }]
  const document = valid(example, exampleSurroundings)
  assert.deepEqual(document, {
    version: 1,
    settings: {
      trustedProxies: ['10.0.0.0/8'],
      timeouts: { requestHead: 10_000, idle: 60_000, drain: 30_000, drainDelay: 0, stall: 30_000 },
      limits: { head: 65_536, headers: 128, target: 16_384, connections: 20_000 },
      dns: { servers: [], minTtl: 1000, maxTtl: 300_000 },
      minimumRate: { request: 0, response: 0, grace: 10_000 },
      tls: null,
      accessLog: 'off',
      calls: { keep: 200_000 },
    },
    services: [
      {
        name: 'orders',
        upstream: {
          targets: [{ url: 'http://127.0.0.1:9000', weight: 1 }],
          balance: 'round-robin',
          hash: { by: { from: 'ip' }, loadFactor: 1.25 },
          sticky: null,
          slowStart: 0,
          panicThreshold: 50,
          health: {
            active: {
              type: 'http',
              path: '/healthz',
              method: 'GET',
              headers: [],
              expect: [[200, 399]],
              service: '',
              port: null,
              interval: 5000,
              timeout: 2000,
              healthyAfter: 2,
              unhealthyAfter: 3,
              initial: 'healthy',
            },
            passive: {
              failures: 5,
              failureRate: null,
              statuses: [502, 503, 504],
              ejectFor: 10_000,
              maxEjectFor: 300_000,
              maxEjectedPercent: 50,
            },
          },
          timeouts: { connect: 2000, response: 30_000, total: 60_000 },
          retry: retryDefaults,
          protocol: 'auto',
          preserveHost: false,
          headers: [],
        },
        handler: null,
        contract: './orders.openapi.yaml',
        routes: [
          {
            ...route,
            id: 'orders/orders',
            path: '/orders',
            methods: ['GET', 'POST'],
            hosts: ['api.example.com'],
            policies: orders,
          },
          {
            ...route,
            id: 'orders/orders/{id}/items',
            path: '/orders/{id}/items',
            methods: [],
            stripPrefix: '/orders',
            encodedSlashes: 'reject',
            policies: orders,
          },
        ],
      },
      {
        name: 'ai',
        upstream: null,
        handler: {
          type: 'ai',
          config: { path: '/ai', providers: [{ name: 'openai', type: 'openai', apiKey: 'sk-0123456789' }] },
        },
        contract: null,
        routes: [
          {
            ...route,
            id: 'ai/ai/v1/chat/completions',
            path: '/ai/v1/chat/completions',
            methods: ['POST'],
            policies: ai,
          },
          { ...route, id: 'ai/ai/v1/models', path: '/ai/v1/models', methods: ['GET'], policies: ai },
        ],
      },
    ],
    consumers: [{ name: 'alice', groups: ['gold'], keyHashes: [sha256('k1')] }],
  })
})

test('the smallest file is the version alone, and has every default', () => {
  const { settings, services, consumers } = valid('version: 1\n')
  assert.equal(settings.limits.connections, 20_000)
  assert.deepEqual([services, consumers], [[], []])
})

test('a document cannot be changed anywhere', () => {
  const unfrozen: string[] = []
  const walk = (value: unknown, path: string) => {
    if (typeof value !== 'object' || value === null) return
    if (!Object.isFrozen(value)) unfrozen.push(path)
    for (const [key, part] of Object.entries(value)) walk(part, `${path}.${key}`)
  }
  walk(valid(example, exampleSurroundings), 'document')
  assert.deepEqual(unfrozen, [])
})

test('a byte order mark and Windows line ends change nothing, not even the places of errors', () => {
  assert.deepEqual(
    valid(`\uFEFF${example.replaceAll('\n', '\r\n')}`, exampleSurroundings),
    valid(example, exampleSurroundings),
  )
  const [error] = errors('\uFEFFversion: 1\r\nsettings:\r\n  accesLog: off\r\n')
  assert.deepEqual([error?.line, error?.column, error?.suggestion], [3, 3, 'accessLog'])
})

test('JSON is YAML', () => {
  assert.equal(valid('{\n\t"version": 1,\n\t"settings": { "accessLog": "stdout" }\n}').settings.accessLog, 'stdout')
})

test('the plain text of a key is nowhere in the document', () => {
  const text = `version: 1\nconsumers: [{ name: a, keys: [{ secret: "\${KEY}" }, { sha256: "AB${'0'.repeat(62)}" }] }]`
  const document = valid(text, { env: { KEY: 'very-secret' } })
  assert.deepEqual(document.consumers[0]?.keyHashes, [sha256('very-secret'), `ab${'0'.repeat(62)}`])
  assert.ok(!JSON.stringify(document).includes('very-secret'))
})

test('variables fill in parts, whole values and what is escaped stays', () => {
  const log = (written: string, env: Record<string, string> = {}) =>
    valid(`version: 1\nsettings:\n  accessLog: ${written}`, { env }).settings.accessLog
  assert.equal(log('"./${A}/${B}.log"', { A: 'x', B: 'y' }), './x/y.log')
  assert.equal(log('"./$${A}"'), './${A}')
  assert.equal(log('./$${A}'), './${A}')
  assert.equal(log('"./$A"'), './$A')
  assert.equal(log('"./${A}"', { A: '${B}', B: 'no' }), './${B}')
  assert.equal(log('"./a${A}"', { A: '' }), './a')
})

test('only an unquoted variable alone becomes a number or a truth value', () => {
  const keep = (written: string) =>
    parse(`version: 1\nsettings:\n  calls:\n    keep: ${written}`, { env: { N: '12', HEX: '0x10', F: 'true' } })
  const result = keep('${N}')
  assert.equal(result.ok && result.document.settings.calls.keep, 12)
  const hexadecimal = keep('${HEX}')
  assert.equal(hexadecimal.ok && hexadecimal.document.settings.calls.keep, 16)
  for (const written of ['"${N}"', "'${N}'", '${N}0', '${F}']) assert.equal(keep(written).ok, false, written)
})

test('names of variables that objects have by birth are not set', () => {
  assert.match(errors('version: 1\nsettings: { accessLog: "${toString}" }')[0]!.message, /toString is not set/)
})

test('files fill in values, without their last line end', () => {
  const text =
    'version: 1\nconsumers:\n  - name: a\n    keys: [{ secret: "${file:keys/a.txt}" }, { secret: "${file:/run/b}" }]\n'
  const files = { '/etc/portico/keys/a.txt': 'k1\r\n', '/run/b': 'k2\n\n' }
  assert.deepEqual(valid(text, { files }).consumers[0]?.keyHashes, [sha256('k1'), sha256('k2')])
})

test('anchors and aliases may be used', () => {
  const text = service(`    routes: [{ path: /a, hosts: &hosts [a.example] }, { path: /b, hosts: *hosts }]`)
  assert.deepEqual(
    valid(text).services[0]?.routes.map(route => route.hosts),
    [['a.example'], ['a.example']],
  )
})

test('targets are written in normal form', () => {
  const urls = (written: string) =>
    valid(`version: 1
services: [{ name: a, upstream: { targets: [{ url: "${written}" }] }, routes: [{ path: / }] }]`).services[0]?.upstream
      ?.targets[0]?.url
  assert.equal(urls('http://A.example:80/'), 'http://a.example')
  assert.equal(urls('https://a.example:8443/base/'), 'https://a.example:8443/base')
  assert.equal(urls('http://[::1]:9000'), 'http://[::1]:9000')
})

test('headers of an upstream become a flat list with lower-case names', () => {
  const text = `version: 1
services:
  - name: a
    upstream: { targets: [{ url: "http://a" }], headers: { Authorization: Bearer x, X-A: "1" } }
    routes: [{ path: /, headers: { X-Version: "2" }, query: { Debug: "*" } }]`
  const [decoded] = valid(text).services
  assert.deepEqual(decoded?.upstream?.headers, ['authorization', 'Bearer x', 'x-a', '1'])
  assert.deepEqual(decoded?.routes[0]?.headers, { 'x-version': '2' })
  assert.deepEqual(decoded?.routes[0]?.query, { Debug: '*' })
})

test('a method that hardly exists is a warning with what was probably meant', () => {
  const result = parse(service('    routes: [{ path: /, methods: [get, GTE] }]'))
  assert.ok(result.ok)
  assert.deepEqual(result.document.services[0]?.routes[0]?.methods, ['GET', 'GTE'])
  assert.deepEqual(
    result.warnings.map(({ path, line, column, suggestion }) => [path, line, column, suggestion]),
    [['services[0].routes[0].methods', 5, 34, 'GET']],
  )
})

test('routes that differ in host, method or a condition may share a path', () => {
  const text = service(`    routes:
      - { path: /a, methods: [GET] }
      - { path: /a, methods: [POST] }
      - { path: /a }
      - { path: /a, hosts: [a.example] }
      - { path: /a, hosts: ["*.example"] }
      - { path: /a, headers: { x-version: "2" } }
      - { path: /a, query: { version: "2" } }`)
  assert.equal(valid(text).services[0]?.routes.length, 7)
})

const contractText = (files: Record<string, string>) => ({
  files: { '/etc/portico/api.yaml': files['yaml'] ?? '', '/etc/portico/api.json': files['json'] ?? '' },
})

test('a service without routes takes them from its contract', () => {
  const yaml = `openapi: 3.1.0
servers: [{ url: "https://api.example.com/v1/" }]
paths:
  /pets: { get: {}, post: {} }
  "/pets/{pet id}": { parameters: [], delete: {} }
  "/pets/{petId}/photos/": { get: {} }
`
  const routes = valid(service('    contract: ./api.yaml'), contractText({ yaml })).services[0]?.routes
  assert.deepEqual(
    routes?.map(({ id, path, methods }) => [id, path, methods]),
    [
      ['orders/v1/pets', '/v1/pets', ['GET', 'POST']],
      ['orders/v1/pets/{pet_id}', '/v1/pets/{pet_id}', ['DELETE']],
      ['orders/v1/pets/{petId}/photos', '/v1/pets/{petId}/photos', ['GET']],
    ],
  )
})

test('a template within a segment of a contract is widened to the segment, with a warning', () => {
  const json = JSON.stringify({ openapi: '3.0.3', paths: { '/report.{format}': { get: {} } } })
  const result = parse(service('    contract: api.json'), contractText({ json }))
  assert.ok(result.ok)
  assert.equal(result.document.services[0]?.routes[0]?.path, '/{format}')
  assert.deepEqual([result.warnings[0]?.path, result.warnings[0]?.line], ['services[0].contract', 5])
})

test('routes of two contracts that nothing tells apart are an error at the second', () => {
  const yaml = 'openapi: 3.1.0\npaths: { /a: { get: {} } }'
  const text = `version: 1
services:
  - { name: a, upstream: { targets: [{ url: "http://a" }] }, contract: api.yaml }
  - { name: b, upstream: { targets: [{ url: "http://a" }] }, contract: api.yaml }`
  const [error] = errors(text, contractText({ yaml }))
  assert.deepEqual([error?.path, error?.line], ['services[1].contract', 4])
  assert.match(error!.message, /services\[0\]\.contract \(line 3\)/)
})

test('errors come in the order of the file, each once, however many services they concern', () => {
  const services = Array.from(
    { length: 50 },
    (_, index) => `  - name: s${index}
    upstream: { targets: [{ url: "http://a" }] }
    routes: [{ path: /s${index}, pth: 1 }]
    policies: { rate-limit: { by: ip } }
`,
  )
  const found = errors(`version: 1
settings: { policies: { rate-limit: { limit: 0, window: 1m } } }
services:
${services.join('')}`)
  assert.equal(found.filter(({ path }) => path === 'settings.policies.rate-limit.limit').length, 1)
  assert.equal(found.length, 51)
  assert.deepEqual(
    found.map(({ line }) => line),
    found.map(({ line }) => line).sort((a, b) => a - b),
  )
})

test('a flood of errors is cut off, and says so', () => {
  const found = errors(`version: 1\nconsumers:\n${'  - {}\n'.repeat(5000)}`)
  assert.equal(found.length, 1001)
  assert.match(found.at(-1)!.message, /more errors/)
})

const folder = mkdtempSync(join(tmpdir(), 'portico-config-'))
after(() => rmSync(folder, { recursive: true }))

test('a file on disk is read together with the files it names', () => {
  const file = join(folder, 'portico.yaml')
  writeFileSync(join(folder, 'key.txt'), 'k1\n')
  writeFileSync(file, 'version: 1\nconsumers: [{ name: "${NAME}", keys: [{ secret: "${file:key.txt}" }] }]\n')
  const result = loadDocument(file, catalogue, { NAME: 'alice' })
  assert.deepEqual(result.ok && result.document.consumers, [{ name: 'alice', groups: [], keyHashes: [sha256('k1')] }])
})

test('a file that cannot be read is an error like any other', () => {
  mkdirSync(join(folder, 'sub'))
  writeFileSync(join(folder, 'latin1.yaml'), Buffer.from([0x61, 0xe9, 0x62]))
  writeFileSync(join(folder, 'huge.yaml'), Buffer.alloc(16 * 1024 * 1024 + 1, '#'))
  const messages = ['missing.yaml', 'sub', 'latin1.yaml', 'huge.yaml', 'key.txt/portico.yaml'].map(name => {
    const result = loadDocument(join(folder, name), catalogue, {})
    assert.ok(!result.ok)
    const [error] = result.errors
    assert.deepEqual([error?.file, error?.line, error?.column], [join(folder, name), 1, 1])
    return error!.message
  })
  assert.deepEqual(messages, [
    'cannot be read: there is no such file',
    'cannot be read: it is a folder',
    'cannot be read: it is not UTF-8 text',
    'cannot be read: it is larger than 16 MB',
    'cannot be read: there is no such file',
  ])
})

test('an endless device is not read to its end', {
  skip: process.platform === 'win32' && 'there is no /dev/zero',
}, () => {
  const result = loadDocument('/dev/zero', catalogue, {})
  assert.match(result.ok ? '' : result.errors[0]!.message, /larger than 16 MB/)
})
