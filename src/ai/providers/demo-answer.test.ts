import assert from 'node:assert/strict'
import { test } from 'node:test'
import { demoAnswer, embed, words } from './demo-answer.ts'

test('words put together are the text again', () => {
  for (const text of ['', ' ', 'one', ' two  words\n', 'ü 模 🙂 \t x']) assert.equal(words(text).join(''), text)
  assert.equal(words('three small words').length, 3)
})

test('an answer says what it is and repeats a short part of the question', () => {
  assert.match(demoAnswer('Hello\n  there'), /demonstration model: no real inference.*“Hello there”/)
  assert.ok(demoAnswer('🙂'.repeat(5000)).length < 600)
  assert.doesNotThrow(() => encodeURIComponent(demoAnswer('🙂'.repeat(5000))), 'no character is cut in half')
})

const likeness = (a: string, b: string): number => {
  const [left, right] = [embed(a, 256), embed(b, 256)]
  return left.reduce((sum, value, index) => sum + value * (right[index] as number), 0)
}

test('texts that share letters are nearer to each other than others', () => {
  assert.ok(likeness('the weather in Berlin', 'the weather in Berlin today') > 0.8)
  assert.ok(likeness('the weather in Berlin', 'quarterly budget numbers') < 0.3)
})

test('every text has a vector of length one in as many dimensions as asked', () => {
  for (const text of ['', ' ', 'a', '🙂', 'some words'])
    for (const dimensions of [1, 2, 256, 4096]) {
      const vector = embed(text, dimensions)
      assert.equal(vector.length, dimensions)
      assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5, `${JSON.stringify(text)} in ${dimensions}`)
    }
})
