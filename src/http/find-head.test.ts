import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkIncompleteHead, findHead } from './find-head.ts'
import { parseRequestHead } from './parse-head.ts'

test('a head is found when its empty line has come, and not before', () => {
  const first = 'GET /first HTTP/1.1\r\nHost: a\r\n\r\n'
  const bytes = Buffer.from(`${first}GET /second HTTP/1.1\r\nHost: b\r\n\r\n`)
  for (let length = 0; length < first.length; length++)
    assert.equal(findHead(bytes, 0, length), null, `${length} bytes`)
  for (const length of [first.length, first.length + 1, bytes.length]) {
    const found = findHead(bytes, 0, length)
    assert.ok(found)
    assert.equal(found.size, first.length)
    const head = parseRequestHead(found.text, 10, found.end)
    assert.deepEqual([head.target, head.host], ['/first', 'a'])
  }
  const second = findHead(bytes, first.length, bytes.length)
  assert.ok(second)
  assert.equal(second.size, bytes.length - first.length)
  assert.equal(parseRequestHead(second.text, 10, second.end).target, '/second')
})

test('a head of any length is found whole', () => {
  for (const padding of [1, 3000, 4040, 4050, 4060, 4070, 4080, 4090, 4096, 4100, 9000, 60_000]) {
    const value = 'v'.repeat(padding)
    const text = `GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${value}\r\n\r\n`
    const found = findHead(Buffer.from(`skip${text}body\r\n\r\n`), 4, text.length + 12)
    assert.ok(found, `${padding} bytes`)
    assert.equal(found.size, text.length)
    assert.deepEqual(parseRequestHead(found.text, 10, found.end).headers, ['x-long', value])
  }
})

test('nobody waits for the rest of a head that is too large or can no longer be valid', () => {
  const limits = { head: 200, target: 100 }
  const verdict = (text: string, length = text.length): string => {
    try {
      checkIncompleteHead(Buffer.from(text), 0, length, limits)
      return 'wait'
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  assert.equal(verdict('GET / HT'), 'wait')
  assert.equal(verdict('GET / HTTP/1.1\r\nHost: a\r'), 'wait')
  assert.equal(verdict('GET / HTTP/1.1\nHost: a\n'), 'bad-request')
  assert.equal(verdict('\n'), 'bad-request')
  assert.equal(verdict('GET / HTTP/1.1\r\nHost: a\n', 24), 'bad-request')
  assert.equal(verdict('GET / HTTP/1.1\r\nHost: a\n', 23), 'wait')
  assert.equal(verdict(`GET /${'a'.repeat(300)}`), 'target-too-long')
  assert.equal(verdict(`GET /${'a'.repeat(300)} HTTP/1.1\r\nHost: a\r\n`), 'target-too-long')
  assert.equal(verdict(`GET / HTTP/1.1\r\nX-A: ${'a'.repeat(300)}`), 'head-too-large')
})
