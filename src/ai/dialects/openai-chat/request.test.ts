import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GatewayError } from '#base/errors'
import { prepareRequest, readRequest } from './request.ts'

const prepared = (text: string, model = 'm', wantsUsage = true): { text: string; hideUsage: boolean } => {
  const { body, hideUsage } = prepareRequest(readRequest(Buffer.from(text)), model, wantsUsage)
  return { text: body.toString(), hideUsage }
}

describe('the body for the provider', () => {
  const cases: [title: string, text: string, sent: string, hideUsage: boolean][] = [
    ['is untouched when the model keeps its name', '{ "model":"m", "x":1e2 }', '{ "model":"m", "x":1e2 }', false],
    ['gets the model of the provider', '{"x":1,"model" : "smart" }', '{"x":1,"model" : "m" }', false],
    [
      'asks for usage in a stream',
      '{"model":"m","stream":true}',
      '{"model":"m","stream":true,"stream_options":{"include_usage":true}}',
      true,
    ],
    [
      'keeps white space and the order of members',
      '{\n  "stream": true,\n  "model": "smart"\n}\n',
      '{\n  "stream": true,\n  "model": "m"\n,"stream_options":{"include_usage":true}}\n',
      true,
    ],
    [
      'asks for usage beside other stream options',
      '{"stream_options":{"include_obfuscation":false},"stream":true,"model":"a"}',
      '{"stream_options":{"include_obfuscation":false,"include_usage":true},"stream":true,"model":"m"}',
      true,
    ],
    [
      'replaces null options',
      '{"model":"m","stream":true,"stream_options":null}',
      '{"model":"m","stream":true,"stream_options":{"include_usage":true}}',
      true,
    ],
    [
      'replaces a refusal of usage',
      '{"model":"m","stream":true,"stream_options":{"include_usage":false}}',
      '{"model":"m","stream":true,"stream_options":{"include_usage":true}}',
      true,
    ],
    [
      'is untouched when the caller asked for usage',
      '{"model":"m","stream":true,"stream_options":{"include_usage":true}}',
      '{"model":"m","stream":true,"stream_options":{"include_usage":true}}',
      false,
    ],
    [
      'leaves wrong options to the provider',
      '{"model":"m","stream":true,"stream_options":"yes"}',
      '{"model":"m","stream":true,"stream_options":"yes"}',
      false,
    ],
    ['has no stream options without a stream', '{"model":"m","stream":false}', '{"model":"m","stream":false}', false],
    [
      'leaves a stream that is no boolean to the provider',
      '{"model":"m","stream":1}',
      '{"model":"m","stream":1}',
      false,
    ],
  ]
  for (const [title, text, sent, hideUsage] of cases)
    test(title, () => assert.deepEqual(prepared(text), { text: sent, hideUsage }))

  test('is untouched in a stream when the provider must not be asked for usage', () => {
    const text = '{"model":"m","stream":true}'
    assert.deepEqual(prepared(text, 'm', false), { text, hideUsage: false })
  })

  test('spells the model so that it stays one string', () => {
    assert.equal(
      prepared('{"model":"a"}', 'x","stream":true,"y":"').text,
      '{"model":"x\\",\\"stream\\":true,\\"y\\":\\""}',
    )
  })
})

describe('a request is refused', () => {
  const cases: [text: string, detail: RegExp][] = [
    ['', /not a valid JSON object/],
    ['[]', /an object is expected \(byte 0\)/],
    ['{"model":"a"', /byte 12/],
    ['{}', /names no model/],
    ['{"model":null}', /must be a string/],
    ['{"model":{"model":"a"}}', /must be a string/],
    ['{"model":"a","model":"b"}', /"model" stands twice/],
    ['{"model":"a","stream":true,"stream":false}', /"stream" stands twice/],
    ['{"model":"a","stream_options":{},"stream_options":{}}', /"stream_options" stands twice/],
  ]
  for (const [text, detail] of cases)
    test(text || 'an empty body', () =>
      assert.throws(
        () => readRequest(Buffer.from(text)),
        (error: unknown) => error instanceof GatewayError && error.code === 'invalid-body' && detail.test(error.detail),
      ),
    )

  test('when include_usage stands twice', () => {
    const request = readRequest(
      Buffer.from('{"model":"a","stream":true,"stream_options":{"include_usage":true,"include_usage":false}}'),
    )
    assert.throws(
      () => prepareRequest(request, 'a', true),
      (error: unknown) => error instanceof GatewayError && error.code === 'invalid-body',
    )
  })
})
