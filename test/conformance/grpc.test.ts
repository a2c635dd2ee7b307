import assert from 'node:assert/strict'
import { constants } from 'node:http2'
import { after, before, beforeEach, describe, test } from 'node:test'
import { messageFrame } from '#http/grpc/frames'
import { readGrpcTimeout } from '#http/grpc/timeout'
import { type GrpcOrigin, startGrpcOrigin } from '../grpc/grpc-origin.ts'
import { type HttpAnswer, http1Call, http2Call, readWebBody, readWebText } from '../grpc/http-call.ts'
import { type ResettingOrigin, startResettingOrigin } from '../grpc/resetting-origin.ts'
import { eventually, type Portico, type ScriptedOrigin, scriptedOrigin, startPortico } from '../harness.ts'

let origin: GrpcOrigin
let resetting: ResettingOrigin
let mute: ScriptedOrigin
let portico: Portico

const key = 'grpc-key-0123456789'

before(async () => {
  origin = await startGrpcOrigin()
  resetting = await startResettingOrigin()
  mute = await scriptedOrigin(() => {})
  const upstream = { protocol: 'h2', targets: [{ url: origin.url }], retry: { attempts: 0 } }
  const service = (name: string, path: string, more: object = {}) => ({ name, upstream, routes: [{ path }], ...more })
  portico = await startPortico({
    config: {
      version: 1,
      services: [
        service('open', '/pkg.Open'),
        service('keyed', '/pkg.Keyed', { policies: { 'key-auth': {} } }),
        ...['1', '2'].map(number =>
          service(`limited-${number}`, `/pkg.Limited${number}`, {
            policies: { 'rate-limit': { limit: 1, window: '1h' } },
          }),
        ),
        service('small', '/pkg.Small', { policies: { 'body-limit': { max: '10b' } } }),
        service('web', '/pkg.Web', { policies: { cors: { origins: ['https://page.test'] } } }),
        service('one', '/pkg.One/Method', { routes: [{ path: '/pkg.One/Method', methods: ['POST'] }] }),
        { ...service('reset', '/pkg.Reset'), upstream: { ...upstream, targets: [{ url: resetting.url }] } },
        { ...service('down', '/pkg.Down'), upstream: { protocol: 'h2', targets: [{ url: 'http://127.0.0.1:1' }] } },
        {
          ...service('mute', '/pkg.Mute'),
          upstream: { ...upstream, targets: [{ url: mute.url }], timeouts: { connect: '200ms' } },
        },
        { ...service('brief', '/pkg.Brief'), upstream: { ...upstream, timeouts: { total: '200ms' } } },
      ],
      consumers: [{ name: 'alice', keys: [{ secret: key }] }],
    },
  })
})
after(async () => {
  await portico.stop()
  origin.stop()
  resetting.stop()
  await mute.stop()
})
beforeEach(() => {
  origin.calls.length = 0
  origin.answer = { body: [messageFrame(Buffer.from('pong'))], trailers: { 'grpc-status': '0' } }
})

const ping = messageFrame(Buffer.from('ping'))

type Fields = Record<string, string>

const suite = (call: typeof http1Call): void => {
  const native = (path: string, fields: Fields = {}, pieces: (Buffer | string)[] = [ping]): Promise<HttpAnswer> =>
    call(portico.gatewayPort, path, { 'content-type': 'application/grpc', te: 'trailers', ...fields }, pieces)

  const web = (path: string, fields: Fields = {}, pieces: (Buffer | string)[] = [ping]): Promise<HttpAnswer> =>
    http1Call(
      portico.gatewayPort,
      path,
      { 'content-type': 'application/grpc-web+proto', 'x-grpc-web': '1', ...fields },
      pieces,
    )

  const text = (path: string, fields: Fields = {}, pieces: string[] = [ping.toString('base64')]): Promise<HttpAnswer> =>
    web(path, { 'content-type': 'application/grpc-web-text', ...fields }, pieces)

  /** The status of a native call that the gateway or a Trailers-Only answer ended. */
  const trailersOnly = (answer: HttpAnswer): { code: number; message: string } => {
    assert.equal(answer.status, 200)
    assert.match(String(answer.headers['content-type']), /^application\/grpc/)
    assert.equal(answer.body.length, 0)
    assert.equal(answer.headOnly, true)
    return {
      code: Number(answer.headers['grpc-status']),
      message: decodeURIComponent(String(answer.headers['grpc-message'])),
    }
  }

  const webStatus = (answer: HttpAnswer): number => {
    assert.equal(answer.status, 200)
    assert.equal(answer.headers['content-type'], 'application/grpc-web+proto')
    const { messages, trailers } = readWebBody(answer.body)
    assert.equal(messages.length, 0)
    return Number(trailers?.['grpc-status'])
  }

  describe('gRPC passes (gRPC over HTTP2)', () => {
    test('messages, metadata and trailers are not touched (Responses)', async () => {
      origin.answer = {
        headers: { 'content-type': 'application/grpc+proto', 'x-initial': 'a', 'grpc-encoding': 'gzip' },
        body: [Buffer.from([1, 0, 0, 0, 2, 0xff]), Buffer.from([0xfe])],
        trailers: { 'grpc-status': '0', 'x-late-bin': 'q6ur' },
      }
      const answer = await native('/pkg.Open/Do', {
        'x-some-bin': 'AAEC',
        'grpc-encoding': 'gzip',
        'user-agent': 'grpc-x/1',
      })
      assert.equal(answer.headers['x-initial'], 'a')
      assert.equal(answer.headers['grpc-encoding'], 'gzip')
      assert.deepEqual(answer.body, Buffer.from([1, 0, 0, 0, 2, 0xff, 0xfe]))
      assert.equal(answer.trailers['grpc-status'], '0')
      assert.equal(answer.trailers['x-late-bin'], 'q6ur')
      const seen = origin.calls[0]
      assert.equal(seen?.path, '/pkg.Open/Do')
      assert.deepEqual(seen?.body, ping)
      assert.equal(seen?.headers['content-type'], 'application/grpc')
      assert.equal(seen?.headers['x-some-bin'], 'AAEC')
      assert.equal(seen?.headers['grpc-encoding'], 'gzip')
      assert.equal(seen?.headers['user-agent'], 'grpc-x/1')
      assert.equal(seen?.headers['grpc-timeout'], undefined)
    })

    test('te: trailers reaches the upstream (Requests: TE)', async () => {
      await native('/pkg.Open/Do')
      assert.equal(origin.calls[0]?.headers['te'], 'trailers')
    })

    test('an answer of trailers alone stays one (Responses: Trailers-Only)', async () => {
      origin.answer = {
        headers: {
          'content-type': 'application/grpc',
          'grpc-status': '5',
          'grpc-message': 'no such%20thing',
          'x-why': 'b',
        },
      }
      const answer = await native('/pkg.Open/Do')
      assert.deepEqual(trailersOnly(answer), { code: 5, message: 'no such thing' })
      assert.equal(answer.headers['x-why'], 'b')
    })

    for (const type of ['application/grpc+json', 'application/grpc; charset=utf-8', 'Application/gRPC'])
      test(`${type} is gRPC (Requests: Content-Type)`, async () => {
        await native('/pkg.Open/Do', { 'content-type': type })
        assert.match(String(origin.calls[0]?.headers['content-type']), /^application\/grpc/)
        assert.equal(origin.calls[0]?.headers['te'], 'trailers')
      })
  })

  describe('deadlines (gRPC over HTTP2, Requests: Timeout)', () => {
    const cases: [string, number][] = [
      ['1H', 3_600_000],
      ['2M', 120_000],
      ['30S', 30_000],
      ['20000m', 20_000],
      ['20000000u', 20_000],
    ]
    for (const [given, ms] of cases)
      test(`${given} goes on as what is left of it`, async () => {
        await native('/pkg.Open/Do', { 'grpc-timeout': given })
        const left = readGrpcTimeout(String(origin.calls[0]?.headers['grpc-timeout'])) ?? Number.NaN
        assert.ok(left <= ms && left > ms - 5000, `${left} of ${ms}`)
      })

    for (const given of ['1', '1s', '100000000m', '-1m', '1.5S', 'soon'])
      test(`${given} is refused`, async () => {
        const { code, message } = trailersOnly(await native('/pkg.Open/Do', { 'grpc-timeout': given }))
        assert.equal(code, 13)
        assert.match(message, /grpc-timeout/)
        assert.equal(origin.calls.length, 0)
      })

    test('a deadline that has passed already goes nowhere', async () => {
      assert.equal(trailersOnly(await native('/pkg.Open/Do', { 'grpc-timeout': '1n' })).code, 4)
      assert.equal(origin.calls.length, 0)
    })

    test('at the end of it the caller is told and the upstream is freed', async () => {
      origin.answer = { silent: true }
      const before = origin.abandoned.length
      assert.equal(trailersOnly(await native('/pkg.Open/Do', { 'grpc-timeout': '100m' })).code, 4)
      const code = await eventually(async () => origin.abandoned[before] ?? null, 'the upstream call to be given up')
      assert.equal(code, constants.NGHTTP2_CANCEL)
    })

    test('at the end of it a stream that has begun ends with the status', async () => {
      const one = messageFrame(Buffer.from('one'))
      origin.answer = { body: [one], trailers: {}, hangs: true }
      const answer = await native('/pkg.Open/Do', { 'grpc-timeout': '200m' })
      assert.equal(answer.trailers['grpc-status'], '4')
      assert.deepEqual(answer.body, one)
      const { messages, trailers } = readWebBody((await web('/pkg.Open/Do', { 'grpc-timeout': '200m' })).body)
      assert.deepEqual(messages.map(String), ['one'])
      assert.equal(trailers?.['grpc-status'], '4')
    })

    test('a connection that does not come about is no deadline: 14', async () => {
      assert.equal(trailersOnly(await native('/pkg.Mute/Do')).code, 14)
      assert.equal(trailersOnly(await native('/pkg.Mute/Do', { 'grpc-timeout': '50m' })).code, 4)
    })

    test('the total timeout of the upstream is one, and the upstream is told', async () => {
      origin.answer = { silent: true }
      assert.equal(trailersOnly(await native('/pkg.Brief/Do', { 'grpc-timeout': '1H' })).code, 4)
      const told = readGrpcTimeout(String(origin.calls[0]?.headers['grpc-timeout'])) ?? Number.NaN
      assert.ok(told <= 200, `${told}`)
    })
  })

  describe('errors are statuses (gRPC over HTTP2, Responses: Trailers-Only)', () => {
    type Case = [name: string, path: string, status: number, fields?: Fields]
    const cases: Case[] = [
      ['no route', '/pkg.Nothing/Do', 12],
      ['another method than the routed one', '/pkg.One/Other', 12],
      ['no key', '/pkg.Keyed/Do', 16],
      ['a wrong key', '/pkg.Keyed/Do', 16, { 'x-api-key': 'wrong-key-0123456789' }],
      ['a body above its limit', '/pkg.Small/Do', 8],
      ['an upstream that is not there', '/pkg.Down/Do', 14],
    ]
    const large = [messageFrame(Buffer.alloc(100))]
    for (const [name, path, code, fields = {}] of cases) {
      test(`${name}: ${code}`, async () => {
        const answer = await native(path, fields, large)
        assert.equal(trailersOnly(answer).code, code)
        assert.notEqual(trailersOnly(answer).message, '')
        assert.match(String(answer.headers['x-request-id']), /^[0-9a-f-]{36}$/)
      })
      test(`${name}: ${code} for gRPC-Web`, async () => {
        const answer = await web(path, { origin: 'https://page.test', ...fields }, large)
        assert.equal(webStatus(answer), code)
        assert.equal(readWebBody(answer.body).trailers?.['x-request-id'], answer.headers['x-request-id'])
      })
    }

    test('a limit that is used up: 8, with the time to wait', async () => {
      const path = `/pkg.Limited${call === http1Call ? 1 : 2}/Do`
      assert.equal((await native(path)).trailers['grpc-status'], '0')
      const refused = await native(path)
      assert.equal(trailersOnly(refused).code, 8)
      assert.match(String(refused.headers['retry-after']), /^\d+$/)
      const { trailers } = readWebBody((await web(path)).body)
      assert.equal(trailers?.['grpc-status'], '8')
      assert.match(String(trailers?.['retry-after']), /^\d+$/)
    })

    test('a key lets the call through', async () => {
      assert.equal((await native('/pkg.Keyed/Do', { 'x-api-key': key })).trailers['grpc-status'], '0')
      assert.equal((await native('/pkg.One/Method')).trailers['grpc-status'], '0')
    })

    test('other callers of the same routes get problem details', async () => {
      const answer = await call(portico.gatewayPort, '/pkg.Keyed/Do', { 'content-type': 'application/json' }, ['{}'])
      assert.equal(answer.status, 401)
      assert.equal(answer.headers['content-type'], 'application/problem+json')
    })
  })

  describe('answers that are not gRPC (http-grpc-status-mapping)', () => {
    const cases: [status: number, code: number][] = [
      [400, 13],
      [401, 16],
      [403, 7],
      [404, 12],
      [429, 14],
      [431, 13],
      [502, 14],
      [503, 14],
      [504, 14],
      [200, 2],
      [302, 2],
      [418, 2],
      [500, 2],
    ]
    for (const [status, code] of cases)
      test(`HTTP ${status} becomes ${code}`, async () => {
        origin.answer = { status, headers: { 'content-type': 'text/html' }, body: [Buffer.from('<h1>It works!</h1>')] }
        assert.equal(trailersOnly(await native('/pkg.Open/Do')).code, code)
        assert.equal(webStatus(await web('/pkg.Open/Do')), code)
      })

    test('where there is a grpc-status it counts', async () => {
      origin.answer = { status: 503, headers: { 'content-type': 'text/plain', 'grpc-status': '9' } }
      assert.equal((await native('/pkg.Open/Do')).headers['grpc-status'], '9')
    })
  })

  describe('streams that the upstream resets (gRPC over HTTP2, Errors)', () => {
    const codes: [name: string, code: number, status: number][] = [
      ['NO_ERROR', constants.NGHTTP2_NO_ERROR, 13],
      ['PROTOCOL_ERROR', constants.NGHTTP2_PROTOCOL_ERROR, 13],
      ['INTERNAL_ERROR', constants.NGHTTP2_INTERNAL_ERROR, 13],
      ['REFUSED_STREAM', constants.NGHTTP2_REFUSED_STREAM, 14],
      ['CANCEL', constants.NGHTTP2_CANCEL, 1],
      ['ENHANCE_YOUR_CALM', constants.NGHTTP2_ENHANCE_YOUR_CALM, 8],
      ['INADEQUATE_SECURITY', constants.NGHTTP2_INADEQUATE_SECURITY, 7],
    ]
    for (const [name, code, status] of codes) {
      test(`${name} before the head: ${status}`, async () => {
        resetting.plan = { code, body: null }
        assert.equal(trailersOnly(await native('/pkg.Reset/Do')).code, status)
        assert.equal(webStatus(await web('/pkg.Reset/Do')), status)
      })
      test(`${name} after a message: ${status}, and the message`, async () => {
        const body = messageFrame(Buffer.from('one'))
        resetting.plan = { code, body }
        const answer = await native('/pkg.Reset/Do')
        assert.equal(answer.trailers['grpc-status'], String(status))
        assert.deepEqual(answer.body, body)
        const { messages, trailers } = readWebBody((await web('/pkg.Reset/Do')).body)
        assert.deepEqual(messages.map(String), ['one'])
        assert.equal(trailers?.['grpc-status'], String(status))
      })
    }

    test('in the middle of a message gRPC-Web can only be cut', async () => {
      resetting.plan = { code: constants.NGHTTP2_INTERNAL_ERROR, body: Buffer.from([0, 0, 0, 0, 9, 1]) }
      assert.equal((await web('/pkg.Reset/Do')).complete, false)
    })
  })

  describe('gRPC-Web', () => {
    test('becomes gRPC for the upstream (Protocol differences)', async () => {
      await web('/pkg.Open/Do', { 'x-user-agent': 'grpc-web-javascript/0.1', 'x-custom': 'c' })
      const seen = origin.calls[0]
      assert.equal(seen?.headers['content-type'], 'application/grpc+proto')
      assert.equal(seen?.headers['te'], 'trailers')
      assert.equal(seen?.headers['x-grpc-web'], undefined)
      assert.equal(seen?.headers['x-user-agent'], 'grpc-web-javascript/0.1')
      assert.equal(seen?.headers['x-custom'], 'c')
      assert.deepEqual(seen?.body, ping)
    })

    test('the trailers are the last frame of the body (Message framing 1–3)', async () => {
      origin.answer = {
        headers: { 'content-type': 'application/grpc+proto', 'x-initial': 'a' },
        body: ['one', '', 'three'].map(part => messageFrame(Buffer.from(part))),
        trailers: { 'Grpc-Status': '0', 'X-Late': 'b' },
      }
      const answer = await web('/pkg.Open/Do')
      assert.equal(answer.headers['content-type'], 'application/grpc-web+proto')
      assert.equal(answer.headers['x-initial'], 'a')
      const { messages, trailers } = readWebBody(answer.body)
      assert.deepEqual(messages.map(String), ['one', '', 'three'])
      assert.deepEqual(trailers, { 'grpc-status': '0', 'x-late': 'b' })
      assert.deepEqual({ ...answer.trailers }, {})
    })

    test('trailers alone come as a frame, which pages can read without more of CORS (Message framing 4)', async () => {
      origin.answer = {
        headers: { 'content-type': 'application/grpc', 'grpc-status': '5', 'grpc-message': 'gone', 'x-why': 'b' },
      }
      const answer = await web('/pkg.Open/Do')
      assert.equal(webStatus(answer), 5)
      const { trailers } = readWebBody(answer.body)
      assert.equal(trailers?.['grpc-message'], 'gone')
      assert.equal(trailers?.['x-why'], 'b')
      assert.equal(answer.headers['x-why'], undefined)
    })

    test('an answer without a status gets one (Message framing 1)', async () => {
      origin.answer = { body: [messageFrame(Buffer.from('one'))], trailers: {} }
      assert.equal(readWebBody((await web('/pkg.Open/Do')).body).trailers?.['grpc-status'], '2')
      origin.answer = { body: [messageFrame(Buffer.from('one'))], trailers: { 'x-late': 'b' } }
      const { trailers } = readWebBody((await web('/pkg.Open/Do')).body)
      assert.equal(trailers?.['grpc-status'], '2')
      assert.equal(trailers?.['x-late'], 'b')
    })

    test('text both ways (Text-encoded streams)', async () => {
      const answer = await text('/pkg.Open/Do')
      assert.equal(answer.headers['content-type'], 'application/grpc-web-text+proto')
      const { messages, trailers } = readWebText(answer.body)
      assert.deepEqual(messages.map(String), ['pong'])
      assert.equal(trailers?.['grpc-status'], '0')
      assert.equal(origin.calls[0]?.headers['content-type'], 'application/grpc')
      assert.deepEqual(origin.calls[0]?.body, ping)
    })

    test('a text request may be padded anywhere and cut anywhere (Text-encoded streams 2)', async () => {
      const pieces = [ping.subarray(0, 1), ping.subarray(1, 3), ping.subarray(3)].map(part => part.toString('base64'))
      await text('/pkg.Open/Do', {}, [...pieces.join('')])
      assert.deepEqual(origin.calls[0]?.body, ping)
    })

    test('every piece of a text answer can be read when it is there (Text-encoded streams 2)', async () => {
      const messages = Array.from({ length: 50 }, (_, index) => messageFrame(Buffer.alloc(index, 7)))
      origin.answer = { body: messages, trailers: { 'grpc-status': '0' } }
      const answer = await text('/pkg.Open/Do')
      assert.deepEqual(
        readWebText(answer.body).messages.map(message => message.length),
        messages.map((_, index) => index),
      )
    })

    test('bytes in, text out, where Accept says so (Text-encoded streams 1)', async () => {
      const answer = await web('/pkg.Open/Do', { accept: 'application/grpc-web-text' })
      assert.equal(answer.headers['content-type'], 'application/grpc-web-text+proto')
      assert.deepEqual(readWebText(answer.body).messages.map(String), ['pong'])
    })

    for (const [name, body] of [
      ['that is none', '!!!!'],
      ['that is cut', 'AAA'],
    ] as const)
      test(`base64 ${name}: 3`, async () => {
        const answer = await text('/pkg.Open/Do', {}, [body])
        assert.equal(readWebText(answer.body).trailers?.['grpc-status'], '3')
      })

    test('a preflight is answered, and errors too may be read by the page (CORS preflight)', async () => {
      const asked = {
        origin: 'https://page.test',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type,x-grpc-web,x-user-agent,grpc-timeout',
      }
      const preflight = await call(portico.gatewayPort, '/pkg.Web/Do', asked, [], 'OPTIONS')
      assert.equal(preflight.status, 204)
      assert.equal(preflight.headers['access-control-allow-origin'], 'https://page.test')
      assert.match(String(preflight.headers['access-control-allow-methods']), /POST/)
      assert.match(String(preflight.headers['access-control-allow-headers']), /x-grpc-web/)
      origin.answer = { status: 404, headers: { 'content-type': 'text/plain' }, body: [] }
      const answer = await web('/pkg.Web/Do', { origin: 'https://page.test' })
      assert.equal(answer.headers['access-control-allow-origin'], 'https://page.test')
      assert.equal(webStatus(answer), 12)
    })
  })

  describe('the record of a call (engine)', () => {
    type Item = { path: string; status: number; grpcStatus: number | null; errorCode: string }

    const recorded = (path: string): Promise<Item> =>
      eventually(async () => {
        const { body } = await portico.console(`/api/calls?q=${encodeURIComponent(path)}`)
        return (body as { items: Item[] }).items[0] ?? null
      }, `the record of ${path}`)

    const cases: [name: string, path: string, send: () => Promise<unknown>, item: [number, number | null, string]][] = [
      ['trailers', '/pkg.Open/Log1', () => native('/pkg.Open/Log1'), [200, 0, '']],
      ['trailers in the body', '/pkg.Open/Log2', () => web('/pkg.Open/Log2'), [200, 0, '']],
      ['an error', '/pkg.Keyed/Log3', () => native('/pkg.Keyed/Log3'), [200, 16, 'missing-credentials']],
      ['an error in the body', '/pkg.Keyed/Log4', () => web('/pkg.Keyed/Log4'), [200, 16, 'missing-credentials']],
      ['plain calls', '/pkg.Open/Log5', () => call(portico.gatewayPort, '/pkg.Open/Log5', {}), [200, null, '']],
    ]
    for (const [name, path, send, expected] of cases)
      test(`has the status: ${name}`, async () => {
        await send()
        const { status, grpcStatus, errorCode } = await recorded(path)
        assert.deepEqual([status, grpcStatus, errorCode], expected)
      })

    test('counts in the metrics', async () => {
      await native('/pkg.Nothing/Metric')
      await eventually(async () => {
        const { body } = await portico.console('/metrics')
        return /^portico_grpc_requests_total\{service="open",route="\/pkg.Open",grpc_status="0"\} [1-9]/m.test(
          String(body),
        )
          ? true
          : null
      }, 'the count')
    })
  })
}

for (const [version, call] of [
  ['HTTP/1.1', http1Call],
  ['HTTP/2', http2Call],
] as const)
  describe(version, () => suite(call))
