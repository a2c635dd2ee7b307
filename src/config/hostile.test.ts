// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how a config file writes its variables
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatConfigError, parseDocument } from './load.ts'
import { testCatalogue as catalogue } from './test-catalogue.ts'

const readFile = (path: string): string => {
  throw new Error(`no ${path}`)
}

const parse = (text: string) => parseDocument(text, { file: 'portico.yaml', catalogue, readFile })

const firstError = (text: string): string => {
  const result = parse(text)
  assert.ok(!result.ok, 'the file should be refused')
  return formatConfigError(result.errors[0]!)
}

test('an empty file says what it needs', () => {
  for (const text of ['', '\n\n', '# nothing\n', '---\n', '~', '\uFEFF']) {
    assert.match(firstError(text), /^portico\.yaml:1:1 {2}the file is empty/, JSON.stringify(text))
  }
})

test('deep nesting is refused where it becomes too deep', () => {
  const flow = `version: 1\nservices: ${'['.repeat(100_000)}`
  const block = Array.from({ length: 200 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join('')
  assert.match(firstError(flow), /^portico\.yaml:2:\d+ {2}nested deeper than 100 levels$/)
  assert.match(firstError(block), /nested deeper than 100 levels$/)
  assert.match(firstError('- '.repeat(100_000)), /nested deeper than 100 levels$/)
})

test('aliases that multiply are refused', () => {
  const lines = ['version: 1', 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
  for (let i = 1; i < 12; i++)
    lines.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    )
  assert.match(firstError(lines.join('\n')), /aliases repeat more than 100000 values$/)
})

test('many aliases of one large anchor cost no more than their copies', () => {
  const hosts = Array.from({ length: 100 }, (_, index) => `h${index}.example`).join(', ')
  const routes = Array.from({ length: 500 }, (_, index) => `      - { path: /r${index}, hosts: *hosts }\n`).join('')
  const text = `version: 1
services:
  - name: a
    upstream: { targets: [{ url: "http://a" }] }
    routes:
      - { path: /first, hosts: &hosts [${hosts}] }
${routes}`
  const result = parse(text)
  assert.equal(result.ok && result.document.services[0]?.routes.length, 501)
})

test('control characters are refused where they stand', () => {
  assert.match(firstError('version: 1\nsettings:\0 {}\n'), /^portico\.yaml:2:10 {2}a control character/)
  assert.match(firstError('\x7fELF\x02\x01\x01\0\0'), /^portico\.yaml:1:1 {2}a control character/)
})

test('half of a surrogate pair and odd line ends do no harm', () => {
  for (const text of ['version: 1\nx: \ud800', 'version: 1\rsettings: {}', 'version: 1\u2028', '\ud800']) parse(text)
})

test('a map with very many unknown keys is refused in reasonable time', () => {
  const keys = Array.from({ length: 20_000 }, (_, index) => `key${index}: 1\n`).join('')
  assert.match(firstError(`version: 1\n${keys}`), /unknown key "key0"/)
})

test('very long names are shortened in messages', () => {
  const error = firstError(`version: 1\nsettings: { policies: { ${'x'.repeat(1000)}: {} } }`)
  assert.ok(error.includes(`unknown policy "${'x'.repeat(57)}..."`))
})

test('a message is one line, whatever a key holds', () => {
  const error = firstError('version: 1\n"a\\nb\\e[31m": 1\n')
  assert.ok(!/[\n\x1b]/.test(error), error)
})

/** xorshift32: the same mutations in every run. */
const random = (seed: number) => () => {
  seed ^= seed << 13
  seed ^= seed >>> 17
  seed ^= seed << 5
  return (seed >>> 0) / 2 ** 32
}

const seedFile = `version: 1
settings:
  trustedProxies: ["10.0.0.0/8", ::1]
  timeouts: { requestHead: 10s, idle: 60s }
  policies: &policies
    key-auth: {}
services:
  - name: orders
    upstream:
      targets: [{ url: "http://127.0.0.1:9000", weight: 1 }]
      headers: { x-a: "\${A}" }
    routes:
      - { path: /orders, methods: [GET, POST], hosts: [api.example.com] }
      - path: "/orders/{id}"
        stripPrefix: /orders
        policies: *policies
    policies:
      rate-limit: { limit: 100, window: 1m, by: header:x }
consumers:
  - { name: alice, groups: [gold], keys: [{ secret: 'k1' }] }
ai: { path: /ai, providers: [{ name: a, type: demo }], policies: { rate-limit: false } }
`

const pieces = [
  '\n', ' ', '  ', '\t', ':', ': ', '- ', '[', ']', '{', '}', ',', '"', "'", '#', '&a ', '*a', '*policies', '!!str ', '!x ', '|', '>',
  '%', '---\n', '...', '?', '~', 'null', 'true', '0', '-1', '1e999', '.nan', '${', '${A}', '${file:x}', '$${', '<<: ', '\r', '\0', '\uFEFF',
  'é', '\\', '@', '`', '/', '__proto__: ', 'constructor: ', 'version: 1\n',
] // biome-ignore format: a list of pieces

test('whatever is changed in a valid file, there is always a result, and its errors are inside of the file', () => {
  const next = random(0x9e3779b9)
  const pick = (count: number) => Math.floor(next() * count)
  const valid = parseDocument(seedFile, { file: 'f', catalogue, env: { A: '1' }, readFile })
  assert.ok(valid.ok, JSON.stringify(valid))
  let accepted = 0
  for (let round = 0; round < 1500; round++) {
    let text = seedFile
    for (let edits = 1 + (pick(2) && pick(4)); edits > 0; edits--) {
      const at = pick(text.length)
      const kind = pick(4)
      if (kind === 0) text = text.slice(0, at) + text.slice(at + 1 + (pick(2) && pick(20)))
      else if (kind === 1) text = text.slice(0, at) + pieces[pick(pieces.length)] + text.slice(at)
      else if (kind === 2) text = text.slice(0, at) + text.slice(at, at + 40) + text.slice(at)
      else text = text.slice(0, at) + pieces[pick(pieces.length)] + text.slice(at + 1)
    }
    const result = parseDocument(text, { file: 'f', catalogue, env: { A: '1' }, readFile })
    if (result.ok) {
      accepted++
      continue
    }
    assert.ok(result.errors.length > 0, text)
    const lines = text.split('\n').length
    for (const error of result.errors) {
      assert.ok(error.line >= 1 && error.line <= lines && error.column >= 1, `${formatConfigError(error)}\n${text}`)
      assert.ok(!formatConfigError(error).includes('undefined'), formatConfigError(error))
    }
  }
  assert.ok(accepted > 20, `only ${accepted} mutations were still valid: the edits are too coarse to test anything`)
})
