import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { z } from 'zod'
import { duration, parseDuration, parseSize, size } from './schema.ts'

const decode = (schema: z.ZodType, text: unknown): unknown => {
  const result = schema.safeParse(text)
  return result.success ? result.data : result.error.issues.map(issue => issue.message).join('; ')
}

test('a duration is read as milliseconds', () => {
  for (const [text, milliseconds] of [
    ['0ms', 0],
    ['250ms', 250],
    ['1.5s', 1500],
    ['5s', 5000],
    ['1m', 60_000],
    ['24h', 86_400_000],
    ['30d', 2_592_000_000],
  ] as const)
    assert.equal(parseDuration(text), milliseconds, text)
})

test('what is not a number with a unit of time is no duration', () => {
  for (const text of [
    '',
    '5',
    's',
    '-5s',
    '+5s',
    '5 s',
    '5S',
    '5sec',
    '1h30m',
    '.5s',
    '5.s',
    '1e3ms',
    '5s\n',
    ' 5s',
    '٥s',
  ])
    assert.equal(parseDuration(text), undefined, JSON.stringify(text))
})

test('a size is read as bytes, in powers of 1024, in either case of letters', () => {
  for (const [text, bytes] of [
    ['0b', 0],
    ['512b', 512],
    ['64kb', 65_536],
    ['64KB', 65_536],
    ['10mb', 10_485_760],
    ['10Mb', 10_485_760],
    ['1gb', 1_073_741_824],
    ['1.5kb', 1536],
    ['0.3b', 0],
  ] as const)
    assert.equal(parseSize(text), bytes, text)
})

test('what is not a number with a unit of size is no size', () => {
  for (const text of ['', '5', 'mb', '-5mb', '5 mb', '5m', '5mib', '5tb', '.5mb', '5.mb', '1e3b', '5mb\n'])
    assert.equal(parseSize(text), undefined, JSON.stringify(text))
})

test('the schema of a duration decodes to milliseconds and keeps to its range', () => {
  const schema = duration({ min: '100ms', max: '1m' })
  assert.equal(decode(schema, '100ms'), 100)
  assert.equal(decode(schema, '1m'), 60_000)
  assert.match(String(decode(schema, '99ms')), /out of range: at least 100ms, at most 1m/)
  assert.match(String(decode(schema, '61s')), /out of range/)
  assert.match(String(decode(duration({ min: '1s' }), '0ms')), /out of range: at least 1s$/)
})

test('a wrong duration is answered with how to write one', () => {
  assert.match(String(decode(duration(), 'soon')), /250ms, 5s, 1m, 24h or 30d/)
  assert.equal(duration().safeParse(5000).success, false)
})

test('the schema of a size decodes to bytes and keeps to its range', () => {
  const schema = size({ min: '1kb', max: '1mb' })
  assert.equal(decode(schema, '1kb'), 1024)
  assert.equal(decode(schema, '1MB'), 1_048_576)
  assert.match(String(decode(schema, '1023b')), /out of range: at least 1kb, at most 1mb/)
  assert.match(String(decode(schema, '2mb')), /out of range/)
  assert.match(String(decode(schema, '10 megabytes')), /512b, 64kb, 10mb or 1gb/)
})

test('the patterns shown to editors take the same texts as the decoders', () => {
  const patternOf = (schema: z.ZodPipe): RegExp => new RegExp((schema.in as z.ZodType).meta()?.['pattern'] as string)
  const texts = [
    '5s',
    '250ms',
    '1.5h',
    '5',
    '5 s',
    '5S',
    '64kb',
    '64KB',
    '64kB',
    '1b',
    '1B',
    '1m',
    '1mB',
    '5mib',
    '-1s',
  ]
  const durations = patternOf(duration())
  const sizes = patternOf(size())
  for (const text of texts) {
    assert.equal(durations.test(text), parseDuration(text) !== undefined, `duration ${text}`)
    assert.equal(sizes.test(text), parseSize(text) !== undefined, `size ${text}`)
  }
})
