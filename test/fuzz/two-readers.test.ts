import assert from 'node:assert/strict'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { after, before, test } from 'node:test'
import { endAll, isInstalled } from '../../bench/programs.ts'
import { nginx } from '../conformance/peers/nginx.ts'
import type { RunningPeer } from '../conformance/peers/peer.ts'
import {
  answerEach,
  ok,
  oneService,
  type Portico,
  type RequestMessage,
  rawClient,
  type ScriptedOrigin,
  scriptedOrigin,
  startPortico,
} from '../harness.ts'
import { block, data, frame, headers, rawHttp2, request } from '../raw-http2.ts'
import { readRequest } from '../read-message.ts'
import { mutate, randomChunked, randomHead } from './grammar.ts'
import { firstSeed, type Random, rounds, seededRandom } from './random.ts'

/**
 * Two readers of what the gateway forwards: the strict one of the tests, on a tap, and nginx, which passes it on to an
 * origin. Whatever a client sends, nginx must find the same requests in it, with the same targets and bodies.
 */
const skip = isInstalled('nginx') ? false : 'nginx is not installed'

/** All requests that went through, as the strict reader sees them. */
class Tap {
  readonly #streams: { bytes: Buffer; taken: number }[] = []
  readonly #server: Server

  constructor(target: number) {
    this.#server = createServer(socket => {
      const stream = { bytes: Buffer.alloc(0), taken: 0 }
      this.#streams.push(stream)
      const onward = connect(target, '127.0.0.1')
      socket.on('data', (chunk: Buffer) => {
        stream.bytes = Buffer.concat([stream.bytes, chunk])
      })
      socket.pipe(onward).pipe(socket)
      socket.on('error', () => onward.destroy())
      onward.on('error', () => socket.destroy())
      socket.on('close', () => onward.destroy())
      onward.on('close', () => socket.destroy())
    })
  }

  async listen(): Promise<number> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve))
    return (this.#server.address() as AddressInfo).port
  }

  /** The whole requests since the last look; throws on what is no message at all. */
  take(): RequestMessage[] {
    const found: RequestMessage[] = []
    for (const stream of this.#streams)
      for (;;) {
        const message = readRequest(stream.bytes.subarray(stream.taken), false)
        if (message === null) break
        stream.taken += message.length
        found.push(message)
      }
    return found
  }

  stop(): void {
    this.#server.close()
  }
}

let portico: Portico
let peer: RunningPeer
let origin: ScriptedOrigin
let tap: Tap
before(async () => {
  if (skip !== false) return
  origin = await scriptedOrigin(answerEach(request => ok(request.target)))
  peer = await nginx.start(origin.port, 1)
  tap = new Tap(peer.port)
  const config = oneService(
    `http://127.0.0.1:${await tap.listen()}`,
    {},
    { timeouts: { response: '2s', total: '4s' } },
    { timeouts: { requestHead: '200ms', idle: '200ms', drain: '1s' } },
  )
  portico = await startPortico({ config })
})
after(async () => {
  await portico?.stop()
  tap?.stop()
  await peer?.stop()
  origin?.forget()
  await origin?.stop()
  await endAll()
})

/** A request with a body framed one way or the other, mostly right. */
const randomRequest = (random: Random): string => {
  const head = randomHead(random)
  if (random.chance(0.4)) return head
  const chunked = randomChunked(random)
  const fields = random.chance(0.5)
    ? `Transfer-Encoding: chunked\r\n\r\n${chunked.wire}`
    : `Content-Length: ${chunked.body.length}\r\n\r\n${chunked.body}`
  return head.slice(0, -2) + fields
}

const brief = (requests: readonly RequestMessage[]): string[] =>
  requests.map(({ method, target, body }) => `${method} ${target} ${body.length}`)

/** Whether `part` is what is left of `whole` when some are taken away (nginx may refuse what it gets). */
const isPartOf = (part: readonly string[], whole: readonly string[]): boolean => {
  let at = 0
  for (const one of whole) if (one === part[at]) at++
  return at === part.length
}

const sendAll = async (bytes: Buffer): Promise<number> => {
  const client = await rawClient(portico.gatewayPort)
  client.send(bytes)
  let answers = 0
  try {
    for (;;) {
      await client.readFinalResponse({ milliseconds: 3000 })
      answers++
    }
  } catch {
    return answers
  } finally {
    client.destroy()
  }
}

test('nginx finds the same requests in what is forwarded', { skip }, async () => {
  let forwarded = 0
  let refused = 0
  for (let round = 0; round < rounds(1200); round++) {
    const random = seededRandom(firstSeed + round)
    const text = random.chance(0.6) ? mutate(random, randomRequest(random)) : randomRequest(random)
    origin.forget()
    await sendAll(Buffer.from(`${text}GET /last HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`, 'latin1'))
    const strict = brief(tap.take())
    const seen = brief(origin.requests)
    const what = `FUZZ_SEED=${random.seed}: ${JSON.stringify(text)}: ${JSON.stringify({ strict, seen })}`
    assert.deepEqual(origin.failures, [], what)
    assert.ok(isPartOf(seen, strict), what)
    forwarded += strict.length
    refused += strict.length - seen.length
  }
  // Else the rounds would prove nothing: most of them get through, and nginx refuses little of it.
  assert.ok(forwarded > rounds(1200) / 4, `only ${forwarded} requests were forwarded`)
  assert.ok(refused < forwarded / 10, `nginx refused ${refused} of ${forwarded}`)
})

const fieldNames = [
  'x-a',
  'content-length',
  'transfer-encoding',
  'host',
  'cookie',
  'te',
  'connection',
  ':path',
  'expect',
]
const fieldValues = [
  '1',
  '0',
  '5',
  '3, 3',
  'chunked',
  'trailers',
  'a.test',
  'b.test',
  'a=1',
  'close',
  '/y',
  '100-continue',
]
const breaks = [
  '\r\n',
  '\n',
  '\r',
  '\r\nx-b: 1',
  '\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n',
  ' HTTP/1.1\r\n',
  ': 1',
  '\0',
]

/** The frames of one request, mostly right; what is wrong would become framing in HTTP/1.1. */
const randomFrames = (random: Random): Buffer[] => {
  const fields = request(`/h2-${random.seed}`)
  if (random.chance(0.5)) (fields[0] as [string, string])[1] = 'POST'
  for (let count = random.int(4); count > 0; count--) fields.push([random.pick(fieldNames), random.pick(fieldValues)])
  if (random.chance(0.5)) {
    const field = random.pick(fields)
    const part = random.int(2)
    const text = field[part] as string
    const at = random.int(text.length + 1)
    field[part] = random.chance(0.7) ? text.slice(0, at) + random.pick(breaks) + text.slice(at) : mutate(random, text)
  }
  const pieces = Array.from({ length: random.int(3) }, () => data(1, 'x'.repeat(random.int(6))))
  if (pieces.length === 0) return [headers(1, fields, true)]
  return [
    headers(1, fields, false),
    ...pieces,
    random.chance(0.3) ? frame(1, 5, 1, block([['x-end', '1']])) : data(1, '', true),
  ]
}

test('nothing in a request of HTTP/2 becomes framing of HTTP/1.1', { skip }, async () => {
  const strict: string[] = []
  const seen: string[] = []
  for (let round = 0; round < rounds(600); round++) {
    const random = seededRandom(firstSeed + round)
    origin.forget()
    const client = await rawHttp2(portico.gatewayPort)
    client.send(...randomFrames(random))
    await client.read(1).catch(() => {})
    client.destroy()
    strict.push(...brief(tap.take()))
    seen.push(...brief(origin.requests))
    assert.deepEqual(origin.failures, [], `FUZZ_SEED=${random.seed}`)
    for (const request of [...strict.slice(-2), ...seen.slice(-2)]) assert.match(request, /^\S+ \/\S* \d+$/)
  }
  // A request whose end is reset may arrive a round later, so that only the sum of the rounds is compared.
  const counts = new Map<string, number>()
  for (const one of strict) counts.set(one, (counts.get(one) ?? 0) + 1)
  for (const one of seen) assert.ok((counts.get(one) ?? 0) > 0, `nginx found ${one}, which was not forwarded`)
  assert.ok(strict.length > rounds(600) / 8, `only ${strict.length} requests were forwarded`)
  assert.ok(seen.length > strict.length * 0.9, `nginx refused ${strict.length - seen.length} of ${strict.length}`)
})
