import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../main.ts', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'portico-validate-'))
after(() => rmSync(folder, { recursive: true }))

const portico = (args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    cwd: folder,
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

const service = (name: string) => `
  - name: ${name}
    upstream: { targets: [{ url: "http://127.0.0.1:9000" }] }
    routes: [{ path: /${name} }]`

test('a valid file is counted', () => {
  writeFileSync(
    join(folder, 'portico.yaml'),
    `version: 1\nservices:${service('a')}${service('b')}\nconsumers: [{ name: c }]\n`,
  )
  const stdout = 'portico.yaml is valid: 2 services, 2 routes, 1 consumer\n'
  assert.deepEqual(portico(['validate', 'portico.yaml']), { status: 0, stdout, stderr: '' })
})

test('every error of a wrong file goes to standard error', () => {
  writeFileSync(join(folder, 'wrong.yaml'), 'version: 2\nservice: []\n')
  const stderr = `wrong.yaml:1:10  version  must be 1
wrong.yaml:2:1  service  unknown key "service"; did you mean "services"?
`
  assert.deepEqual(portico(['validate', 'wrong.yaml']), { status: 1, stdout: '', stderr })
})

test('a missing file or argument is one clear line', () => {
  const missing = portico(['validate', 'missing.yaml'])
  assert.equal(missing.stderr, 'missing.yaml:1:1  cannot be read: there is no such file\n')
  assert.equal(missing.status, 1)
  for (const args of [[], ['a', 'b'], ['--strict']]) {
    const { status, stderr } = portico(['validate', ...args])
    assert.deepEqual([status, stderr.split('\n').length], [1, 2])
  }
})

test('the schema is printed as JSON', () => {
  const { status, stdout } = portico(['schema'])
  assert.equal(status, 0)
  assert.equal(JSON.parse(stdout).$schema, 'https://json-schema.org/draft/2020-12/schema')
  assert.equal(portico(['schema', 'x']).status, 1)
})
