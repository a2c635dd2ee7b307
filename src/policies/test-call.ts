import { createHash } from 'node:crypto'
import { GatewayError } from '#base/errors'
import { uuidv7 } from '#base/ids'
import type { Call } from '#gateway/call'
import type { Consumer, Handler, Policy, UnitContext } from '#gateway/contract'
import { splitFieldLines } from '#http/field-lines'
import { appendHeader, type HeaderList } from '#http/headers'
import type { ClientCertificate } from '#http/tls/peer-tls'
import type { Counters } from '#storage/counters'

/** What a client got: header names in lower case, a repeated field repeated. */
export type TestResponse = { status: number; headers: HeaderList; body: string }

export type TestCallInput = {
  method?: string
  path?: string
  query?: string
  headers?: Record<string, string> | HeaderList
  /** As they stand in the path, percent-encoded. */
  params?: Record<string, string>
  clientAddress?: string
  consumer?: Consumer
  clientCertificate?: ClientCertificate
  service?: string
  route?: string
}

/** A call without a socket: it keeps what a policy asks of it, for a test to look at. */
export interface TestCall extends Call {
  readonly responseHeaders: HeaderList
  readonly response: TestResponse | null
  /** The lowest limit set by policies; Infinity when none. */
  readonly bodyLimit: number
}

const headerList = (headers: TestCallInput['headers'] = []): HeaderList =>
  Array.isArray(headers)
    ? [...headers]
    : Object.entries(headers).flatMap(([name, value]) => [name.toLowerCase(), value])

/** A consumer who owns `keys`. */
export const testConsumer = (name: string, ...keys: string[]): Consumer => ({
  name,
  groups: [],
  keyHashes: keys.map(key => createHash('sha256').update(key).digest('hex')),
})

export const testCall = (input: TestCallInput = {}): TestCall => {
  const responseHeaders: HeaderList = []
  let response: TestResponse | null = null
  let bodyLimit = Number.POSITIVE_INFINITY
  const path = input.path ?? '/orders'
  const call = {
    route: { id: input.route ?? 'orders/get-orders', service: { name: input.service ?? 'orders' }, template: path },
    params: input.params ?? {},
    method: input.method ?? 'GET',
    path,
    forwardPath: path,
    query: input.query ?? '',
    host: 'api.example.com',
    exchange: { peer: { tls: input.clientCertificate ? { clientCertificate: input.clientCertificate } : null } },
    headers: headerList(input.headers),
    clientAddress: input.clientAddress ?? '192.0.2.1',
    requestId: uuidv7(),
    traceId: '0af7651916cd43dd8448eb211c80319c',
    startedAt: 1_700_000_000_000,
    startedMono: 0,
    consumer: input.consumer ?? null,
    credential: null,
    webSocket: null,
    heartbeat: Number.POSITIVE_INFINITY,
    ai: null,
    responseHeaders,
    get response() {
      return response
    },
    get bodyLimit() {
      return bodyLimit
    },
    addResponseHeader: (name: string, value: string) => appendHeader(responseHeaders, name, value),
    addResponseLines: (lines: string) => responseHeaders.push(...splitFieldLines(lines)),
    limitBody: (bytes: number) => {
      bodyLimit = Math.min(bodyLimit, bytes)
    },
    readBody: () => Promise.resolve(Buffer.alloc(0)),
    respond: (status: number, headers: HeaderList, body: Buffer | string | null) => {
      if (response) throw new Error('the call is answered already')
      response = { status, headers: [...headers], body: body === null ? '' : body.toString() }
    },
    startResponse: () => {
      throw new Error('a test call cannot stream')
    },
    onClientAbort: () => {},
  }
  return call as unknown as TestCall
}

/** The surroundings of a policy; whatever it should not need fails. */
export const testContext = (given: Partial<UnitContext> = {}): UnitContext => ({
  scope: 'orders',
  consumers: [],
  counters: {
    take: () => {
      throw new Error('this test has no counters')
    },
  } satisfies Counters,
  upstream: () => {
    throw new Error('this test has no upstreams')
  },
  forward: () => {
    throw new Error('this test forwards nothing')
  },
  ...given,
})

/** The service behind the policies, answering 200. */
export const okService: Handler = call => call.respond(200, ['content-type', 'text/plain'], 'ok')

const refusal = (call: TestCall, error: GatewayError): TestResponse => ({
  status: error.status,
  headers: ['content-type', 'application/problem+json', ...(error.headers ?? [])],
  body: JSON.stringify({ code: error.code, detail: error.detail, requestId: call.requestId }),
})

/**
 * Sends a call through one policy to `service`, as the gateway does: a thrown error becomes a response, and every
 * response passes the response hook and takes the added headers.
 */
export const through = async (policy: Policy, call: TestCall, service: Handler = okService): Promise<TestResponse> => {
  let response: TestResponse | null = null
  try {
    await (policy.request ? policy.request(call, service) : service(call))
    response = call.response
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    response = refusal(call, error)
  }
  if (!response) throw new Error('the call was not answered')
  policy.response?.(call, response)
  response.headers.push(...call.responseHeaders)
  return response
}
