import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compilePattern, patternProblem } from './pattern.ts'

const same = (pattern: string, text: string): void => {
  const expected = new RegExp(pattern).exec(text)
  const found = compilePattern(pattern).exec(text)
  assert.deepEqual(found, expected === null ? null : [...expected], `/${pattern}/ on ${JSON.stringify(text)}`)
}

test('finds what RegExp finds', () => {
  const cases: [string, string[]][] = [
    ['^/a/([^/]+)/(.*)$', ['/a/b/c/d', '/a//c', '/a/b/', '/b/a/b/c', '']],
    ['a|ab|abc', ['abc', 'xabc', 'b']],
    ['(a+?)(a*)', ['aaa', 'b', 'baa']],
    ['(?:(a)|(b))*c', ['abc', 'bac', 'c', 'aab']],
    ['^(?:v(\\d{1,3})|latest)(?:/|$)', ['v1/x', 'v1234/', 'latest', 'v12', 'lates']],
    ['\\bfoo\\b', ['a foo b', 'foobar', 'foo', 'afoo']],
    ['[^\\w\\s-]+[a-f0-9]{2,4}', ['!!ab12f', '-ab', '..0', '\u00e9ff']],
    ['a{0,2}b{2}c{1,}', ['bbc', 'aabbcc', 'aaabbc', 'abc']],
    ['', ['', 'a']],
    ['a||b', ['b', 'a']],
    ['[]', ['a', '']],
    ['[^]', ['\n', '']],
    ['[a\\-z][\\]\\\\]', ['-]', 'a\\', 'b]']],
    ['\\x41\\u00e9\\/\\.', ['A\u00e9/.', 'A']],
    ['.', ['\n', '\u2028', 'a']],
    ['$', ['a', '']],
    ['x*', ['aaa', 'xx']],
    ['(x)?(y)?z', ['z', 'xz', 'xyz']],
  ]
  for (const [pattern, texts] of cases) for (const text of texts) same(pattern, text)
})

const seeded = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

test('random patterns on random texts find what RegExp finds', () => {
  let compared = 0
  for (let seed = 1; seed <= 6000; seed++) {
    const int = seeded(seed)
    const pick = <T>(list: readonly T[]): T => list[int(list.length)] as T
    const atom = (depth: number): string => {
      const kind = int(depth > 3 ? 4 : 8)
      if (kind < 3) return pick(['a', 'b', 'c', '.', '\\w', '\\d', '[ab]', '[^a]', '[a-c]', '\\b'])
      if (kind === 3) return pick(['^', '$', 'a', 'b'])
      return `${pick(['(', '(?:'])}${choice(depth + 1)})`
    }
    const piece = (depth: number): string =>
      atom(depth) + pick(['', '', '', '*', '+', '?', '*?', '+?', '??', '{2}', '{1,3}', '{0,2}?'])
    const sequence = (depth: number): string => Array.from({ length: int(4) }, () => piece(depth)).join('')
    const choice = (depth: number): string => Array.from({ length: 1 + int(2) }, () => sequence(depth)).join('|')
    const pattern = choice(0)
    if (patternProblem(pattern) !== null) continue
    for (let i = 0; i < 8; i++) {
      same(pattern, Array.from({ length: int(9) }, () => pick(['a', 'b', 'c', '1', ' '])).join(''))
      compared++
    }
  }
  assert.ok(compared > 10_000, `only ${compared} were compared`)
})

test('inputs that make a backtracking search explode take steps in proportion to their length', () => {
  for (const pattern of ['^(a|aa)+$', '^(a+)+$', '^(?:a|a)*b$', '(x+x+)+y', '^(.*?,){11}P', '^(\\w+\\s?)+$']) {
    const compiled = compilePattern(pattern)
    assert.equal(compiled.test(`${'a'.repeat(20_000)}!`), false)
    assert.equal(compiled.test(`${'x'.repeat(20_000)}!`), false)
    assert.equal(compiled.test(`${'1,2,'.repeat(5_000)}!`), false)
  }
})

test('what cannot be searched in linear time, or is wrong, is refused with the reason', () => {
  const wrong: [string, RegExp][] = [
    ['(a)\\1', /refers back/],
    ['(?=a)', /no looking ahead/],
    ['(?<n>a)', /only \(\?:/],
    ['(a*)*', /may be empty/],
    ['(?:a|)+', /may be empty/],
    ['(', /without its "\)"/],
    [')', /without its "\("/],
    ['[a', /without its "\]"/],
    ['[b-a]', /not one/],
    ['*a', /nothing before it/],
    ['a**', /repeats a repetition/],
    ['a{2,1}', /wrong way round/],
    ['a{1001}', /more than 1000/],
    ['a{', /must be written/],
    ['a}', /must be written/],
    ['\\', /ends with/],
    ['\\q', /unknown escape/],
    ['\\x4', /hexadecimal/],
    ['^*', /repeats "\^"/],
    ['(?:[a-z]{100}){100}', /too large/],
    ['a'.repeat(1001), /longer than/],
    ['('.repeat(60) + ')'.repeat(60), /nested deeper/],
  ]
  for (const [pattern, message] of wrong) assert.match(patternProblem(pattern) ?? 'nothing', message, pattern)
})
