import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { JsonError, jsonMembers } from './json-members.ts'
import { seededRandom } from './seeded-random.ts'

const textOf = (text: string, name: string): string | undefined => {
  const bytes = Buffer.from(text)
  const member = jsonMembers(bytes, [name]).members.get(name)
  return member && bytes.toString('utf8', member.start, member.end)
}

describe('values of top-level members', () => {
  const cases: [text: string, value: string | undefined][] = [
    ['{"model":"gpt"}', '"gpt"'],
    [' \t\r\n{ "a" : 1 , "model" :\n"gpt" } \n', '"gpt"'],
    ['{"a":{"model":"inner"},"model":"outer"}', '"outer"'],
    ['{"a":[{"model":"inner"}]}', undefined],
    ['{"a":"\\"model\\":\\"no\\"","model":"yes"}', '"yes"'],
    ['{"\\u006dodel":"escaped name"}', '"escaped name"'],
    ['{"model":"quote \\" brace } end"}', '"quote \\" brace } end"'],
    ['{"model":"größe 模型 🙂"}', '"größe 模型 🙂"'],
    ['{"model":[1,[2,{"x":[]}],{}]}', '[1,[2,{"x":[]}],{}]'],
    ['{"model":-1.5e+10}', '-1.5e+10'],
    ['{"model":null}', 'null'],
    ['{"Model":1,"model ":2}', undefined],
    ['{"constructor":1,"__proto__":2}', undefined],
    ['{}', undefined],
  ]
  for (const [text, value] of cases) test(text, () => assert.equal(textOf(text, 'model'), value))
})

describe('what is refused', () => {
  const texts = [
    ...['', ' ', 'null', '[]', '"x"', '1', '{', '}', '{"a"}', '{"a":}', '{"a":1,}', '{,}', '{"a":1 "b":2}', '{a:1}'],
    ...['{"a":1}x', '{"a":1}{}', "{'a':1}", '{"a":01}', '{"a":1.}', '{"a":.5}', '{"a":+1}', '{"a":1e}', '{"a":-}'],
    ...['{"a":tru}', '{"a":nulll}', '{"a":NaN}', '{"a":[1,]}', '{"a":[1 2]}', '{"a":[1}', '{"a":{"b":1]}', '{"a":"'],
    ...['{"a":"\\x"}', '{"a":"\\u12g4"}', '{"a":"\\u12"}', '{"a":"\n"}', '{"a":"\u0000"}', '{"a":"\\', '\ufeff{"a":1}'],
    ...['{"a":1}\u0000', '// x\n{}', '{"a":/* x */1}', '{"a":[}', '{"a":{,}}', '{"a":{"b"}}'],
    ...['{"model":1,"model":1}', '{"model":1,"\\u006dodel":2}'],
  ]
  for (const text of texts)
    test(JSON.stringify(text), () => assert.throws(() => jsonMembers(Buffer.from(text), ['model']), JsonError))

  test('more than 512 levels, without using the stack', () => {
    const nested = (levels: number) => Buffer.from(`{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`)
    assert.doesNotThrow(() => jsonMembers(nested(511), ['a']))
    assert.throws(() => jsonMembers(nested(512), ['a']), /deeper than 512/)
    assert.throws(() => jsonMembers(Buffer.from(`{"a":${'{"b":'.repeat(1_000_000)}`), ['a']), /deeper than 512/)
  })
})

test('members that nobody asked for may stand twice', () => {
  assert.equal(textOf('{"a":1,"a":2,"model":3}', 'model'), '3')
})

/** A text like those people send, or a damaged one. */
const randomText = (random: () => number): string => {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T
  const space = () => pick(['', '', ' ', '\n\t'])
  const value = (depth: number): string => {
    const kind = random()
    if (depth > 3 || kind < 0.5)
      return pick(['1', '-0.5e3', 'true', 'null', '""', '"a\\n\\u00e9"', '"é🙂"', '"}"', '"\\\\"', '[]', '{}'])
    const items = Array.from({ length: Math.floor(random() * 3) }, () => space() + value(depth + 1) + space())
    if (kind < 0.75) return `[${items.join(',')}]`
    return `{${items.map((item, index) => `${space()}"${pick(['model', 'x'])}${index}"${space()}:${item}`).join(',')}}`
  }
  const names = ['a', 'model', 'stream', 'b\\n', 'é'].filter(() => random() < 0.6)
  let text = `${space()}{${names.map(name => `${space()}"${name}"${space()}:${value(0)}`).join(',')}}${space()}`
  if (random() < 0.5) {
    const letters = [...text]
    letters[Math.floor(random() * letters.length)] = pick(['', '"', '{', ']', ',', '\\', '\u0001', '0', ' '])
    text = letters.join('')
  }
  return text
}

test('agrees with JSON.parse about what is valid and what the values are, for 20,000 random texts', () => {
  const random = seededRandom(1)
  let valid = 0
  for (let round = 0; round < 20_000; round++) {
    const text = randomText(random)
    let parsed: Record<string, unknown> | null = null
    try {
      parsed = JSON.parse(text)
    } catch {}
    const bytes = Buffer.from(text)
    try {
      const { members } = jsonMembers(bytes, ['model', 'stream'])
      assert.ok(parsed !== null && typeof parsed === 'object' && !Array.isArray(parsed), `accepted ${text}`)
      for (const name of ['model', 'stream']) {
        const member = members.get(name)
        const found = member && JSON.parse(bytes.toString('utf8', member.start, member.end))
        assert.deepEqual(found, Object.hasOwn(parsed, name) ? parsed[name] : undefined, text)
      }
      valid++
    } catch (error) {
      if (!(error instanceof JsonError)) throw error
      const twice = /stands twice/.test(error.message)
      assert.ok(parsed === null || typeof parsed !== 'object' || Array.isArray(parsed) || twice, `refused ${text}`)
    }
  }
  assert.ok(valid > 5000, `only ${valid} valid texts`)
})
