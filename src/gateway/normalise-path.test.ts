import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatewayError } from '#base/errors'
import { normalisePath } from './normalise-path.ts'

const normal = (path: string): string => normalisePath(path, path.length).path

const forms: [sent: string, matched: string][] = [
  ['/', '/'],
  ['/a/b', '/a/b'],
  ['/a/b/', '/a/b/'],
  ['//a///b', '/a/b'],
  ['/a/./b', '/a/b'],
  ['/a/../b', '/b'],
  ['/a/b/..', '/a/'],
  ['/a/b/.', '/a/b/'],
  ['/a/%2e%2e/b', '/b'],
  ['/a/%2E/b', '/a/b'],
  ['/%61%62c', '/abc'],
  ['/a%20b', '/a%20b'],
  ['/a%c3%a9', '/a%C3%A9'],
  ['/a%252e', '/a%252e'],
  ['/.well-known/x', '/.well-known/x'],
  ['/...', '/...'],
  ['/a;v=1/b', '/a;v=1/b'],
]

for (const [sent, matched] of forms)
  test(`${sent} is matched and forwarded as ${matched}`, () => {
    assert.equal(normal(sent), matched)
    assert.equal(normal(matched), matched, 'a second time changes nothing')
  })

const refused = [
  ...['/..', '/../a', '/a/../../b', '/%2e%2e/a', '/a\\b', '/a/..;/b', '/a/.;x/b', '/a/..%3b/b'],
  ...['/a%00', '/a%0d%0ab', '/a%7f', '/a%', '/a%2', '/a%zz', '/%c0%ae%c0%ae/b', '/%ff', '/%ed%a0%80'],
]

for (const path of refused)
  test(`${path} is refused`, () => {
    assert.throws(
      () => normal(path),
      (error: unknown) => error instanceof GatewayError && error.code === 'bad-request',
    )
  })

test('encoded separators stay data, and are reported', () => {
  assert.deepEqual(normalisePath('/a%2fb', 6), { path: '/a%2Fb', encodedSeparator: true })
  assert.deepEqual(normalisePath('/a%5cb', 6), { path: '/a%5Cb', encodedSeparator: true })
  assert.deepEqual(normalisePath('/a/b', 4), { path: '/a/b', encodedSeparator: false })
})

test('only what stands before the query is looked at', () => {
  assert.equal(normalisePath('/a/../b?x=/../..', 7).path, '/b')
})

test('whatever is sent, nothing is left that two readers could resolve differently', () => {
  const pieces = ['/', '.', '..', 'a', '%2e', '%2E', ';', '%3b', '//', 'b', '%61', '%25', '%2f', 'é'.slice(0, 0), '...']
  let seed = 7
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return (seed >>> 8) % below
  }
  for (let round = 0; round < 20_000; round++) {
    let path = '/'
    for (let i = random(12); i >= 0; i--) path += pieces[random(pieces.length)]
    let result: string
    try {
      result = normal(path)
    } catch (error) {
      assert.ok(error instanceof GatewayError, String(error))
      continue
    }
    assert.ok(result.startsWith('/'))
    assert.ok(!result.includes('//'), `${path} became ${result}`)
    for (const segment of result.split('/'))
      assert.ok(!/^(\.|%2e){1,2}(;|%3b|$)/i.test(segment), `${path} became ${result}`)
    assert.equal(normal(result), result)
  }
})
