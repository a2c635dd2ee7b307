import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { configCatalogue } from '#app/catalogue'
import { parseDocument } from '#config/load'

const page = fileURLToPath(new URL('../../docs/routes.md', import.meta.url))
const examples = [...readFileSync(page, 'utf8').matchAll(/^## (.+)\n```yaml\n([\s\S]*?)^```$/gm)]

test('docs/routes.md has an example of everything', () => {
  assert.equal(examples.length, 6)
})

for (const [, title, text] of examples)
  test(`the example of "${title}" in docs/routes.md is a valid configuration`, () => {
    const result = parseDocument(`version: 1\n${text}`, {
      file: 'portico.yaml',
      catalogue: configCatalogue,
      readFile: () => assert.fail('nothing is read'),
    })
    assert.ok(result.ok, JSON.stringify(result))
  })
