import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonMembers } from './json-members.ts'
import { addMember, cutMember, splice } from './splice-json.ts'

const cut = (text: string): string => {
  const bytes = Buffer.from(text)
  const member = jsonMembers(bytes, ['usage']).members.get('usage')
  assert.ok(member)
  return splice(bytes, [cutMember(bytes, member)]).toString()
}

const add = (text: string): string => {
  const bytes = Buffer.from(text)
  return splice(bytes, [addMember(jsonMembers(bytes, []), 'x', 'true')]).toString()
}

const cuts: [string, string][] = [
  ['{"usage":null}', '{}'],
  ['{"a":1,"usage":null}', '{"a":1}'],
  ['{"usage":null,"a":1}', '{"a":1}'],
  ['{"a":1,"usage":null,"b":2}', '{"a":1,"b":2}'],
  ['{ "a" : 1 , "usage" : null , "b" : 2 }', '{ "a" : 1 ,  "b" : 2 }'],
  ['{ "a": 1 , "usage": null }', '{ "a": 1  }'],
  ['{ "usage": null }', '{  }'],
]
for (const [text, left] of cuts)
  test(`cutting a member out of ${text}`, () => {
    assert.equal(cut(text), left)
    assert.doesNotThrow(() => JSON.parse(left))
  })

const additions: [string, string][] = [
  ['{}', '{"x":true}'],
  ['{ }', '{ "x":true}'],
  ['{"a":1}', '{"a":1,"x":true}'],
  ['{"a":{}\n}\n', '{"a":{}\n,"x":true}\n'],
]
for (const [text, longer] of additions)
  test(`adding a member to ${JSON.stringify(text)}`, () => assert.equal(add(text), longer))

test('bytes around an edit stay as they are, valid UTF-8 or not', () => {
  const bytes = Buffer.concat([Buffer.from('{"model":"a","x":"'), Buffer.from([0xff, 0xc3]), Buffer.from('"}')])
  const member = jsonMembers(bytes, ['model']).members.get('model')
  assert.ok(member)
  const spliced = splice(bytes, [{ start: member.start, end: member.end, text: '"ü"' }])
  assert.deepEqual(
    spliced,
    Buffer.concat([Buffer.from('{"model":"ü","x":"'), Buffer.from([0xff, 0xc3]), Buffer.from('"}')]),
  )
})
