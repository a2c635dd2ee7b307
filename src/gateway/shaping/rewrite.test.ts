import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatewayError } from '#base/errors'
import { normalisePath } from '../normalise-path.ts'
import { compilePlace } from './redirect.ts'
import { compileRewrite } from './rewrite.ts'

const input = (path: string, params: Record<string, string> = {}, query = '') => ({
  path,
  params,
  query,
  host: 'api.example.com',
})

const templated = (path: string, route: string) =>
  compileRewrite({ path, regex: null, to: null, host: null }, route, false)
const matched = (regex: string, to: string) => compileRewrite({ path: null, regex, to, host: null }, '/', false)

test('what is below the route is its rest', () => {
  const at = (path: string, route: string) => templated('/x{rest}', route)?.(input(path)).path
  assert.equal(at('/a/b/c', '/a'), '/x/b/c')
  assert.equal(at('/a', '/a'), '/x')
  assert.equal(at('/a/', '/a'), '/x/')
  assert.equal(at('/a/b/c', '/{x}/b'), '/x/c')
  assert.equal(at('/', '/'), '/x')
  assert.equal(at('/a/b', '/'), '/x/a/b')
})

test('groups that took no part are empty, and a dollar can be written', () => {
  assert.deepEqual(matched('^/(a)|(b)$', '/$1-$2-$$1')?.(input('/a')), { path: '/a--$1', query: '' })
  assert.deepEqual(matched('^/(.*)$', '$0/$1')?.(input('/a', {}, 'q')), { path: '/a/a', query: 'q' })
})

/** A small seeded generator (mulberry32). */
const seeded = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

test('whatever the pieces of a path are, what comes out is in normal form or refused', () => {
  const pieces = [
    '.',
    '..',
    '%2e',
    '%2F',
    '%5c',
    '%25',
    '%',
    '2',
    'f',
    '2f',
    '/',
    '//',
    'a',
    ';x',
    '\\',
    '%00',
    '&',
    '=',
    '?',
  ]
  const rewrites = [
    matched('^/(.?)(.?)(.*)$', '/safe/$2$1/$3?v=$1'),
    matched('^/([^/]*)/?(.*)$', '/safe/$2$1?v=$2'),
    matched('^(.*)/(.*)$', '$2$1'),
  ]
  const places = [
    compilePlace('/{rest}', true, '/'),
    compilePlace('{rest}', true, '/'),
    compilePlace('/x{path}', true, '/'),
  ]
  let passed = 0
  for (let seed = 1; seed <= 5000; seed++) {
    const int = seeded(seed)
    const written = `/${Array.from({ length: int(7) }, () => pieces[int(pieces.length)]).join('')}`
    let path: string
    try {
      path = normalisePath(written, written.length).path
    } catch {
      continue
    }
    for (const rewrite of rewrites) {
      try {
        const result = rewrite?.(input(path)) as { path: string; query: string }
        assert.deepEqual(normalisePath(result.path, result.path.length), { path: result.path, encodedSeparator: false })
        assert.match(result.query, /^(v=[^&=#?;+]*)?$/)
        passed++
      } catch (error) {
        assert.ok(error instanceof GatewayError && error.code === 'bad-request', String(error))
      }
    }
    for (const place of places) {
      const location = place(input(path))
      assert.match(location, /^\/(?![/\\])[\x21-\x7e]*$/)
      assert.equal(new URL(location, 'https://own.example').host, 'own.example')
    }
  }
  assert.ok(passed > 3000, `only ${passed} passed`)
})
