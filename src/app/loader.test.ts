import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { runSteps } from '#base/steps'
import { unpackSteps } from '#config/packed-document'
import { createHealthMemory } from '#gateway/health/health-table'
import { createLoader } from './loader.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-test-'))
const file = join(folder, 'portico.yaml')
const loader = createLoader(createHealthMemory())
after(async () => {
  await loader.close()
  rmSync(folder, { recursive: true, force: true })
})

const write = (path: string): void =>
  writeFileSync(
    file,
    `version: 1\nservices:\n  - name: a\n    upstream: { targets: [{ url: "\${URL}" }] }\n    routes: [{ path: ${path} }]\n`,
  )

const load = async (revision: number, env: Record<string, string> = { URL: 'http://127.0.0.1:9' }) => {
  const loaded = await loader.load(file, env, revision)
  assert.ok(loaded.ok, JSON.stringify(loaded))
  return loaded.revision
}

test('reads a file in its thread and hands the document over', async () => {
  write('/a')
  const revision = await load(3)
  assert.deepEqual([revision.revision, revision.routes, revision.services], [3, 1, 1])
  const document = runSteps(unpackSteps(revision.document))
  assert.deepEqual(
    document.services.flatMap(({ routes }) => routes.map(({ path }) => path)),
    ['/a'],
  )
})

test('what is wrong with a file is an answer, with its place', async () => {
  write('/a/')
  const loaded = await loader.load(file, { URL: 'http://127.0.0.1:9' }, 4)
  assert.ok(!loaded.ok)
  assert.deepEqual(
    loaded.errors.map(({ path, line, suggestion }) => [path, line, suggestion]),
    [['services[0].routes[0].path', 5, '/a']],
  )
  write('/a')
  const unset = await loader.load(file, {}, 4)
  assert.match(unset.ok ? '' : (unset.errors[0]?.message ?? ''), /URL is not set/)
})

test('explains the revision it is asked about, also one that it did not read last or in this life', async () => {
  write('/old')
  const old = await load(5)
  write('/new')
  const current = await load(6)
  const route = async (of: typeof old, url: string) =>
    (await loader.explain(of, new Map(), { method: 'GET', url, headers: [] })).route?.path ?? null
  assert.equal(await route(current, '/new'), '/new')
  assert.equal(await route(old, '/old'), '/old')
  assert.equal(await route(old, '/new'), null)
  const closing = loader.close()
  assert.equal(await route(current, '/new'), '/new')
  await closing
})
