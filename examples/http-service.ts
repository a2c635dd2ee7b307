import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'

export type Answer = { status: number; body: unknown; headers?: Record<string, string> }

export type Visit = {
  params: Record<string, string>
  query: URLSearchParams
  /** The request body as JSON; throws a Problem when it is not JSON or too large. */
  readJson(): Promise<unknown>
}

/** `'GET /orders/{orderId}'` to what answers it. */
export type Operations = Record<string, (visit: Visit) => Answer | Promise<Answer>>

/** An error for the caller, sent as `application/problem+json` (RFC 9457). */
export class Problem extends Error {
  readonly status: number
  readonly extra: Record<string, unknown>
  readonly headers: Record<string, string>

  constructor(
    status: number,
    detail: string,
    extra: Record<string, unknown> = {},
    headers: Record<string, string> = {},
  ) {
    super(detail)
    this.status = status
    this.extra = extra
    this.headers = headers
  }
}

const titles: Record<number, string> = {
  400: 'The request is not valid',
  404: 'There is no such resource',
  405: 'The method is not allowed',
  413: 'The request body is too large',
  415: 'The content type is not supported',
  500: 'The service failed',
}

const maxBodyBytes = 65_536

const readJson = async (request: IncomingMessage): Promise<unknown> => {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? ''
  if (type !== 'application/json') throw new Problem(415, 'Send application/json')
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of request) {
    bytes += (piece as Buffer).length
    if (bytes > maxBodyBytes)
      throw new Problem(413, `A body may have ${maxBodyBytes} bytes`, {}, { connection: 'close' })
    pieces.push(piece as Buffer)
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'))
  } catch {
    throw new Problem(400, 'The body is not valid JSON')
  }
}

const matchPath = (template: string, path: string): Record<string, string> | null => {
  const wanted = template.split('/')
  const given = path.split('/')
  if (wanted.length !== given.length) return null
  const params: Record<string, string> = {}
  for (const [index, part] of wanted.entries()) {
    const text = given[index] as string
    if (!part.startsWith('{')) {
      if (part !== text) return null
      continue
    }
    try {
      params[part.slice(1, -1)] = decodeURIComponent(text)
    } catch {
      throw new Problem(400, 'The path is not valid')
    }
  }
  return params
}

const answer = async (operations: Operations, request: IncomingMessage): Promise<Answer> => {
  const [path = '/', query = ''] = (request.url ?? '/').split('?', 2)
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET')
  const methods: string[] = []
  for (const [name, operation] of Object.entries(operations)) {
    const [wanted, template] = name.split(' ') as [string, string]
    const params = matchPath(template, path)
    if (params === null) continue
    if (wanted === method)
      return operation({ params, query: new URLSearchParams(query), readJson: () => readJson(request) })
    methods.push(wanted)
  }
  if (methods.length === 0) throw new Problem(404, 'Nothing is here')
  throw new Problem(405, `Use ${methods.join(' or ')}`, {}, { allow: methods.join(', ') })
}

const toAnswer = (error: unknown): Answer => {
  const problem = error instanceof Problem ? error : new Problem(500, 'Something went wrong')
  if (problem !== error) console.error(error)
  const { status, message, extra } = problem
  const body = { type: 'about:blank', title: titles[status], status, detail: message, ...extra }
  return { status, body, headers: { 'content-type': 'application/problem+json', ...problem.headers } }
}

/** A whole number between 1 and 100 from the query parameter `limit`; 20 when there is none. */
export const readLimit = (query: URLSearchParams): number => {
  const text = query.get('limit') ?? '20'
  if (!/^[1-9]\d{0,2}$/.test(text) || Number(text) > 100)
    throw new Problem(400, 'limit is a whole number from 1 to 100')
  return Number(text)
}

/**
 * Serves the operations on `--port` of `--host` (a free port of 127.0.0.1 unless given) and prints
 * `{"listening":PORT}`. SIGTERM finishes what is running; with SERVICE_PARENT=1 so does the end of stdin, so that the
 * service never outlives the program that started it.
 */
export const serve = (operations: Operations): void => {
  const { values } = parseArgs({
    options: { port: { type: 'string', default: '0' }, host: { type: 'string', default: '127.0.0.1' } },
  })
  const server = createServer(async (request, response) => {
    const { status, body, headers } = await answer(operations, request).catch(toAnswer)
    const text = `${JSON.stringify(body)}\n`
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      ...headers,
    })
    response.end(request.method === 'HEAD' ? undefined : text)
  })
  // Longer than a gateway keeps an unused connection, so that it is the gateway that closes.
  server.keepAliveTimeout = 75_000
  server.listen(Number(values.port), values.host, () => {
    console.log(JSON.stringify({ listening: (server.address() as AddressInfo).port }))
  })
  const stop = (): void => {
    server.close()
    server.closeIdleConnections()
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  if (process.env['SERVICE_PARENT'] === '1')
    process.stdin
      .resume()
      .once('end', () => process.exit())
      .once('error', () => process.exit())
}
