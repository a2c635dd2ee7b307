import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fieldKinds, internFieldName } from './field-names.ts'

const kindOf = (name: string): number => internFieldName(name).kind

test('the engine knows its own fields in any case of letters', () => {
  for (const [name, kind] of [
    ['host', fieldKinds.host],
    ['Host', fieldKinds.host],
    ['HOST', fieldKinds.host],
    ['Content-Length', fieldKinds.contentLength],
    ['content-LENGTH', fieldKinds.contentLength],
    ['Transfer-Encoding', fieldKinds.transferEncoding],
    ['Connection', fieldKinds.connection],
    ['Upgrade', fieldKinds.upgrade],
    ['Expect', fieldKinds.expect],
    ['Keep-Alive', fieldKinds.keepAlive],
    ['TE', fieldKinds.hop],
    ['Proxy-Connection', fieldKinds.hop],
  ] as const)
    assert.equal(kindOf(name), kind, name)
})

test('names that look like something else are plain', () => {
  for (const name of [
    'content_length',
    'Hosts',
    'x-host',
    'constructor',
    '__proto__',
    'toString',
    'hasOwnProperty',
    'Trailer',
  ])
    assert.deepEqual({ ...internFieldName(name) }, { lower: name.toLowerCase(), kind: fieldKinds.plain }, name)
})

test('a name comes back in lower case, and all its spellings are one entry', () => {
  assert.equal(internFieldName('X-Trace-Me').lower, 'x-trace-me')
  assert.equal(internFieldName('X-TRACE-ME'), internFieldName('x-trace-me'))
  assert.equal(internFieldName('X-Trace-Me'), internFieldName('X-Trace-Me'))
})

test('very long names are read but not learned', () => {
  const name = `X-${'a'.repeat(63)}`
  assert.equal(internFieldName(name).lower, name.toLowerCase())
  assert.notEqual(internFieldName(name), internFieldName(name))
})

test('a flood of invented names ends the learning, and nothing else', () => {
  const host = internFieldName('Host')
  for (let i = 0; i < 10_000; i++) assert.equal(internFieldName(`X-Flood-${i}`).lower, `x-flood-${i}`)
  assert.notEqual(internFieldName('X-Too-Late'), internFieldName('X-Too-Late'), 'names are still being learned')
  assert.equal(internFieldName('X-Too-Late').lower, 'x-too-late')
  assert.equal(internFieldName('Host'), host)
  for (const name of ['content-length', 'Content-Length', 'CONTENT-LENGTH'])
    assert.equal(kindOf(name), fieldKinds.contentLength, name)
  assert.equal(kindOf('tRANSFER-eNCODING'), fieldKinds.transferEncoding)
})
