import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type OriginConnection,
  oneService,
  type Portico,
  type RawClient,
  type RequestMessage,
  rawClient,
  type ScriptedOrigin,
  scriptedOrigin,
  startPortico,
} from '../harness.ts'
import { readResponse } from '../read-message.ts'
import { mutate, randomChunked } from './grammar.ts'
import { firstSeed, type Random, rounds, seededRandom } from './random.ts'

let portico: Portico
let origin: ScriptedOrigin
before(async () => {
  origin = await scriptedOrigin(answerAtRandom)
  const timeouts = { requestHead: '300ms', idle: '300ms', drain: '1s' }
  const upstream = { timeouts: { response: '2s', total: '5s' } }
  portico = await startPortico({ config: oneService(origin.url, {}, upstream, { timeouts }) })
})
after(async () => {
  await portico?.stop()
  await origin?.stop()
})

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

const randomBody = (random: Random): string =>
  Array.from({ length: random.int(random.chance(0.1) ? 70_000 : 200) }, () =>
    String.fromCharCode(random.int(256)),
  ).join('')

/** A response that tells the body back, framed in a random way; the seed is in the target. */
const randomResponse = (request: RequestMessage): { wire: Buffer; closes: boolean; random: Random } => {
  const random = seededRandom(Number(/^\/s(\d+)/.exec(request.target)?.[1] ?? 1))
  const body = `${request.method} ${request.target} ${request.body.toString('latin1')}`
  const interim = random.chance(0.1) ? 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' : ''
  if (request.method === 'HEAD')
    return {
      wire: latin1(`${interim}HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`),
      closes: false,
      random,
    }
  switch (random.int(4)) {
    case 0: {
      let chunks = ''
      for (let at = 0; at < body.length; ) {
        const size = 1 + random.int(body.length)
        const piece = body.slice(at, at + size)
        chunks += `${piece.length.toString(16)}\r\n${piece}\r\n`
        at += size
      }
      const head = `${interim}HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n`
      return { wire: latin1(`${head}${chunks}0\r\nX-A: 1\r\n\r\n`), closes: false, random }
    }
    case 1:
      return { wire: latin1(`${interim}HTTP/1.1 200 OK\r\n\r\n${body}`), closes: true, random }
    default:
      return {
        wire: latin1(`${interim}HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
        closes: false,
        random,
      }
  }
}

/** Sizes of the pieces that `length` bytes are sent in: a few small ones, then larger ones, never very many. */
const cuts = (random: Random, length: number): number[] => [
  ...Array.from({ length: 1 + random.int(20) }, () => 1 + random.int(40)),
  random.chance(0.2) ? Math.ceil(length / 100) : 5000,
]

async function answerAtRandom(connection: OriginConnection): Promise<void> {
  for (;;) {
    const request = await connection.readRequest(600_000)
    if (!request) return connection.end()
    const { wire, closes, random } = randomResponse(request)
    await connection.sendSlowly(wire, cuts(random, wire.length))
    if (closes) return connection.end()
  }
}

type Sent = { method: string; target: string; body: string; wire: string }

const randomRequest = (random: Random, seed: number, withHead = true): Sent => {
  const target = `/s${seed}?${random.int(1000)}`
  const start = (method: string, fields: string) => `${method} ${target} HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`
  switch (random.int(withHead ? 5 : 4)) {
    case 0: {
      const { wire, body } = randomChunked(random)
      return { method: 'POST', target, body, wire: start('POST', 'Transfer-Encoding: chunked\r\n') + wire }
    }
    case 1: {
      const body = randomBody(random)
      return { method: 'PUT', target, body, wire: start('PUT', `content-length:${body.length}\r\n`) + body }
    }
    case 4:
      return { method: 'HEAD', target, body: '', wire: start('HEAD', '') }
    default:
      return {
        method: 'GET',
        target,
        body: '',
        wire: `${random.chance(0.1) ? '\r\n' : ''}${start('GET', 'X-A: 1\r\n')}`,
      }
  }
}

const randomStream = (random: Random, withHead = true): Sent[] =>
  Array.from({ length: 1 + random.int(6) }, (_, i) => randomRequest(random, random.seed * 10 + i, withHead))

/** Runs `work` for each round, some at a time. */
const lanes = async (count: number, work: (random: Random) => Promise<void>): Promise<void> => {
  let next = 0
  const lane = async () => {
    while (next < count) await work(seededRandom(firstSeed + next++))
  }
  await Promise.all(Array.from({ length: 24 }, lane))
}

const inStep = async (random: Random, client: RawClient): Promise<void> => {
  const stream = randomStream(random)
  const wire = stream.map(request => request.wire).join('')
  const sending = client.sendSlowly(wire, cuts(random, wire.length))
  for (const { method, target, body } of stream) {
    const response = await client.readFinalResponse({ method })
    assert.equal(response.status, 200)
    assert.ok(response.complete)
    if (method !== 'HEAD') assert.equal(response.body.toString('latin1'), `${method} ${target} ${body}`)
  }
  await sending
  assert.equal(client.rest.length, 0, 'more than the answers')
}

test('requests sent one behind the other, in any split, get their own answers in order', () =>
  lanes(rounds(250), async random => {
    const client = await rawClient(portico.gatewayPort)
    await inStep(random, client).catch(error => {
      throw new Error(`FUZZ_SEED=${random.seed} FUZZ_ROUNDS=1: ${error.message}`, { cause: error })
    })
    client.destroy()
  }))

test('damaged streams never make a damaged request at the origin or a damaged answer', async () => {
  await lanes(rounds(400), async random => {
    const wire = mutate(
      random,
      randomStream(random, false)
        .map(request => request.wire)
        .join(''),
    )
    const client = await rawClient(portico.gatewayPort)
    await client.sendSlowly(
      `${wire}GET /s1 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`,
      cuts(random, wire.length),
    )
    await client.waitClose(8000)
    for (let rest = client.received; rest.length > 0; ) {
      const response = readResponse(rest, 'GET', true)
      const what = `FUZZ_SEED=${random.seed} FUZZ_ROUNDS=1: ${JSON.stringify(rest.toString('latin1', 0, 300))}`
      assert.ok(response, what)
      assert.ok(response.status < 500 || response.status === 505, what)
      rest = rest.subarray(response.length)
    }
    client.destroy()
  })
  // The reader of the origin is as strict as can be; what it refused stands here.
  assert.deepEqual(
    origin.failures.map(failure => failure.message),
    [],
  )
})
