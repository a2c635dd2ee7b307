import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { formatConfigError, parseDocument } from './load.ts'
import { testCatalogue } from './test-catalogue.ts'

/**
 * One case after another: a title after `===`, a config file, and after a line `---` every error it has. Set
 * PORTICO_GOLDEN=write to write the errors anew; read the difference before it is committed.
 */
const golden = new URL('golden/wrong-configs.txt', import.meta.url)

const files: Record<string, string> = {
  'swagger.yaml': 'swagger: "2.0"\npaths: {}',
  'broken.yaml': 'openapi: [',
  'empty.yaml': 'openapi: 3.1.0\npaths: {}',
  'list.yaml': '- a',
  'version.yaml': 'openapi: 4.0.0',
}

const readFile = (path: string): string => {
  const text = files[path.slice(path.lastIndexOf('/') + 1)]
  if (text === undefined) throw Object.assign(new Error('not found'), { code: 'ENOENT' })
  return text
}

const env = { PASSWORD: 'hunter2hunter2', NUMBER: '12', LOG: 'off' }

const errorsOf = (text: string): string => {
  const result = parseDocument(text, { file: 'portico.yaml', catalogue: testCatalogue, env, readFile })
  return result.ok ? '' : result.errors.map(error => `${formatConfigError(error)}\n`).join('')
}

const cases = readFileSync(golden, 'utf8')
  .split(/^=== /m)
  .slice(1)
  .map(text => {
    const title = text.slice(0, text.indexOf('\n'))
    const divider = text.lastIndexOf('\n---\n')
    return { title, config: text.slice(title.length + 1, divider + 1), expected: text.slice(divider + 5) }
  })

if (process.env['PORTICO_GOLDEN'] === 'write') {
  const text = cases.map(({ title, config }) => `=== ${title}\n${config}---\n${errorsOf(config)}`).join('')
  writeFileSync(golden, text)
}

for (const { title, config, expected } of cases) {
  test(`a wrong config is refused: ${title}`, () => {
    const errors = errorsOf(config)
    assert.notEqual(errors, '', 'the config must be refused')
    assert.equal(errors, expected)
    for (const secret of ['hunter2', 'topsecret', 'k2short', '12345678']) {
      assert.ok(!errors.includes(secret), `an error repeats the secret ${secret}`)
    }
  })
}
