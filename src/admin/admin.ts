import { GatewayError, toGatewayError } from '#base/errors'
import type { ServerExchange } from '#http/message'
import { type Answer, newRequestId, problem, send } from './answer.ts'
import { createGuard } from './authorize.ts'
import { type AdminOptions, type Operation, operations } from './operations.ts'
import { startPage } from './start-page.ts'

export type { AdminOptions, ExplainInput } from './operations.ts'

type Found = { methods: Record<string, Operation>; open: boolean; parameter: string }

/** The console port: admin API, metrics, health and start page. The handler never throws and always answers. */
export const createAdmin = (options: AdminOptions): ((exchange: ServerExchange) => void) => {
  const guard = createGuard(options.token)
  const log = options.log ?? (message => console.error(message))

  const answer = (exchange: ServerExchange, path: string, query: string): Answer | Promise<Answer> => {
    const found = find(path)
    const protectedPath = path === '/metrics' || path === '/api' || path.startsWith('/api/')
    // Before anything else: without the token nobody learns which paths there are.
    if (found ? !found.open : protectedPath) guard(exchange)
    if (!found) throw new GatewayError('not-found', { detail: 'There is nothing at this path of the console port' })
    const method = exchange.method === 'HEAD' ? 'GET' : exchange.method
    const operation = found.methods[method]
    if (!operation) {
      throw new GatewayError('method-not-allowed', {
        detail: `This path does not allow ${exchange.method}`,
        headers: ['allow', allowed(found.methods)],
      })
    }
    return operation(options, { exchange, query, parameter: found.parameter })
  }

  return exchange => {
    const requestId = newRequestId()
    const question = exchange.target.indexOf('?')
    const path = question < 0 ? exchange.target : exchange.target.slice(0, question)
    const query = question < 0 ? '' : exchange.target.slice(question + 1)
    const fail = (thrown: unknown): void => {
      const error = toGatewayError(thrown)
      if (error.status >= 500) log(`admin: ${exchange.method} ${path} failed (${requestId}): ${reasonOf(error)}`)
      send(exchange, problem(error, path, requestId), requestId)
    }
    try {
      const result = answer(exchange, path, query)
      if (result instanceof Promise) result.then(value => send(exchange, value, requestId)).catch(fail)
      else send(exchange, result, requestId)
    } catch (error) {
      fail(error)
    }
  }
}

const allowed = (methods: Record<string, Operation>): string =>
  Object.keys(methods)
    .flatMap(method => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
    .join(', ')

const reasonOf = ({ cause, message }: GatewayError): string =>
  cause instanceof Error ? (cause.stack ?? cause.message) : String(cause ?? message)

const exact = new Map(operations.map(entry => [entry.path, entry]))
const withParameter = operations
  .filter(entry => entry.path.includes('{'))
  .map(entry => ({ entry, prefix: entry.path.slice(0, entry.path.indexOf('{')) }))

const find = (path: string): Found | null => {
  if (path === '/') return { methods: { GET: startPage }, open: true, parameter: '' }
  const entry = exact.get(path)
  if (entry && !path.includes('{')) return { methods: entry.methods, open: entry.open === true, parameter: '' }
  for (const { entry: candidate, prefix } of withParameter) {
    if (!path.startsWith(prefix)) continue
    const parameter = decode(path.slice(prefix.length))
    if (parameter) return { methods: candidate.methods, open: candidate.open === true, parameter }
  }
  return null
}

/** One percent-decoded path segment; null when it is more than one, or no valid text. */
const decode = (segment: string): string | null => {
  if (segment.includes('/')) return null
  try {
    return decodeURIComponent(segment)
  } catch {
    return null
  }
}
