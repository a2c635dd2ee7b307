import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { formatConfigError, parseDocument } from '#config/load'
import { configCatalogue } from './catalogue.ts'

const page = readFileSync(new URL('../../docs/upstreams.md', import.meta.url), 'utf8')

test('the examples of the page on upstreams are right', () => {
  const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = '']) => text)
  assert.equal(examples.length, 2)
  for (const text of examples) {
    const read = parseDocument(text, {
      file: 'portico.yaml',
      catalogue: configCatalogue,
      readFile: () => assert.fail('names no file'),
    })
    assert.deepEqual(read.ok ? [] : read.errors.map(formatConfigError), [])
  }
})
