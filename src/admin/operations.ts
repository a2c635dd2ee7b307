import { z } from 'zod'
import { GatewayError } from '#base/errors'
import type { ServerExchange } from '#http/message'
import { type CallStore, InvalidCursorError } from '#storage/calls'
import { type Answer, json, text } from './answer.ts'
import { callView } from './call-view.ts'
import { readCallsQuery, wrongParameter } from './calls-query.ts'
import { adminDocument } from './openapi.ts'
import { readJson } from './read-json.ts'
import { readUpstreamsQuery, type UpstreamsQuery } from './upstreams-query.ts'

/** What the admin API asks of the running program. */
export type AdminOptions = {
  token: string
  calls: CallStore
  status(): Promise<object>
  /** The metrics page in the Prometheus text format. */
  metrics(): Promise<string>
  explain(input: ExplainInput): Promise<object>
  upstreams(query: UpstreamsQuery): Promise<object>
  /** `ready` while a snapshot is served and new calls are wanted. */
  readiness(): 'starting' | 'ready' | 'draining'
  /** Brings calls that ended just now into the store. */
  flush?(): Promise<void>
  log?(message: string): void
}

/** Header names are in lower case. */
export type ExplainInput = { method: string; url: string; headers: [name: string, value: string][] }

/** One request to one operation: the raw query, and what stands for the `{…}` of its path. */
export type Request = { exchange: ServerExchange; query: string; parameter: string }

export type Operation = (options: AdminOptions, request: Request) => Answer | Promise<Answer>

const explainLimit = 64 * 1024

const explainSchema = z.strictObject({
  method: z.string().regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/, 'is not a method'),
  url: z.string().min(1).max(16_384),
  headers: z.array(z.tuple([z.string().min(1).toLowerCase(), z.string()])).default([]),
})

/** Asks the call store; that it cannot answer now is not the caller's fault and may be over soon. */
const askStore = async <Result>(options: AdminOptions, ask: (calls: CallStore) => Promise<Result>): Promise<Result> => {
  try {
    await options.flush?.()
    return await ask(options.calls)
  } catch (error) {
    if (error instanceof InvalidCursorError) throw wrongParameter('cursor', 'is not a cursor of this list')
    throw new GatewayError('overloaded', {
      detail: 'The call log cannot answer at the moment',
      headers: ['retry-after', '1'],
      cause: error,
    })
  }
}

const live: Operation = () => json({ status: 'live' })

const ready: Operation = options => {
  const status = options.readiness()
  return json({ status }, status === 'ready' ? 200 : 503)
}

const status: Operation = async options => json(await options.status())

const metrics: Operation = async options => text(await options.metrics(), 'text/plain; version=0.0.4; charset=utf-8')

const listCalls: Operation = async (options, { query }) => {
  const { filter, page } = readCallsQuery(query)
  const { items, nextCursor } = await askStore(options, calls => calls.query(filter, page))
  return json({ items: items.map(callView), nextCursor })
}

const getCall: Operation = async (options, { parameter }) => {
  const record = await askStore(options, calls => calls.get(parameter))
  if (record === null) throw new GatewayError('not-found', { detail: 'The call log has no call with this request id' })
  return json(callView(record))
}

const explain: Operation = async (options, { exchange }) =>
  json(await options.explain(await readJson(exchange, explainLimit, explainSchema)))

const upstreams: Operation = async (options, { query }) => json(await options.upstreams(readUpstreamsQuery(query)))

const openapi: Operation = () => json(adminDocument)

/** Every path of the API with its operations; `open` ones need no token. A last `{…}` stands for one segment. */
export const operations: readonly { path: string; methods: Record<string, Operation>; open?: true }[] = [
  { path: '/api/health/live', methods: { GET: live }, open: true },
  { path: '/api/health/ready', methods: { GET: ready }, open: true },
  { path: '/api/status', methods: { GET: status } },
  { path: '/api/calls', methods: { GET: listCalls } },
  { path: '/api/calls/{requestId}', methods: { GET: getCall } },
  { path: '/api/upstreams', methods: { GET: upstreams } },
  { path: '/api/explain', methods: { POST: explain } },
  { path: '/api/openapi.json', methods: { GET: openapi } },
  { path: '/metrics', methods: { GET: metrics } },
]
