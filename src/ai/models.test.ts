import assert from 'node:assert/strict'
import { test } from 'node:test'
import { modelNames } from './models.ts'
import type { Provider } from './provider.ts'

const provider = (name: string, models: string[], any = true): Provider => ({
  name,
  models,
  has: model => (any ? model !== '' : models.includes(model)),
  answer: () => {},
})
const alias = (name: string, target: string, model: string) => ({
  name,
  targets: [{ provider: target, model, weight: 1 }],
})

const names = modelNames(
  [alias('smart', 'open', 'gpt-6'), alias('open/old', 'open', 'new'), alias('team/fast', 'demo', 'echo')],
  [provider('open', ['gpt-6', 'meta/llama']), provider('demo', ['echo'], false)],
)
const place = (name: string): string | null => {
  const target = names.resolve(name)
  return target && `${target.provider.name}: ${target.model}`
}

test('a model is called by its alias or by provider and name, which may hold slashes', () => {
  assert.equal(place('smart'), 'open: gpt-6')
  assert.equal(place('open/gpt-6'), 'open: gpt-6')
  assert.equal(place('open/meta/llama'), 'open: meta/llama')
  assert.equal(place('open/not-listed'), 'open: not-listed')
  assert.equal(place('demo/echo'), 'demo: echo')
  assert.equal(place('team/fast'), 'demo: echo')
})

test('an alias goes before a model of the same name', () => assert.equal(place('open/old'), 'open: new'))

test('other names mean nothing', () => {
  for (const name of [
    '',
    '/',
    'gpt-6',
    'open',
    'open/',
    '/gpt-6',
    'OPEN/gpt-6',
    'demo/other',
    '__proto__',
    'team/slow',
  ])
    assert.equal(place(name), null, name)
})

test('the list holds aliases and the models that providers name, each once', () => {
  assert.deepEqual(
    [...names.listed.keys()],
    ['smart', 'open/old', 'team/fast', 'open/gpt-6', 'open/meta/llama', 'demo/echo'],
  )
})
