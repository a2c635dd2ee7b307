import { GatewayError } from '#base/errors'
import { getHeader } from '#http/headers'
import type { ServerExchange } from '#http/message'
import type { CallObserver } from './gateway-call.ts'
import { GatewayCall } from './gateway-call.ts'
import type { Match } from './match.ts'
import { endsHere } from './max-forwards.ts'
import { normalisePath } from './normalise-path.ts'
import type { Snapshot } from './snapshot.ts'

const hostNames = new Map<string, string>()
const maxHostNames = 1024
let latestHost = ''
let latestName = ''

/** `API.example.com:8080` → `api.example.com`; a trailing dot names the same host. */
export const hostName = (host: string): string => {
  if (host === latestHost) return latestName
  const known = hostNames.get(host) ?? learnName(host)
  latestHost = host
  latestName = known
  return known
}

const learnName = (host: string): string => {
  const name = host.replace(/:\d+$/, '').replace(/\.$/, '').toLowerCase()
  if (hostNames.size < maxHostNames) hostNames.set(host, name)
  return name
}

/**
 * A CORS preflight (Fetch standard §3.2.2) asks about another method than its own. It belongs to the route of that
 * method, if there is a policy that negotiates; everything else stays a plain OPTIONS request.
 */
const preflightMatch = (call: GatewayCall, snapshot: Snapshot): Match | null => {
  if (call.method !== 'OPTIONS' || getHeader(call.headers, 'origin') === undefined) return null
  const method = getHeader(call.headers, 'access-control-request-method')
  if (method === undefined) return null
  const match = snapshot.matcher.match({
    host: call.host,
    path: call.path,
    query: call.query,
    headers: call.headers,
    method,
  })
  return match?.route.policies.some(policy => policy.phase === 'negotiate') === true ? match : null
}

/** Finds the route of a call and fills in what depends on it. Throws `bad-request`, `no-route`, `method-not-allowed`. */
const route = (call: GatewayCall, snapshot: Snapshot): void => {
  const { target } = call.exchange
  const question = target.indexOf('?')
  const { path, encodedSeparator } = normalisePath(target, question < 0 ? target.length : question)
  call.path = path
  call.query = question < 0 ? '' : target.slice(question + 1)
  call.host = hostName(call.exchange.host)
  const match = snapshot.matcher.match(call) ?? preflightMatch(call, snapshot)
  if (match === null) {
    const allowed = snapshot.matcher.allowedMethods(call)
    if (allowed.length === 0) throw new GatewayError('no-route')
    throw new GatewayError('method-not-allowed', { headers: ['allow', allowed.join(', ')] })
  }
  if (encodedSeparator && !match.route.encodedSeparators)
    throw new GatewayError('bad-request', { detail: 'The path holds an encoded slash or backslash' })
  call.route = match.route
  call.params = match.params
  const { stripPrefix } = match.route
  if (stripPrefix === '') call.forwardPath = path
  else {
    const rest = path.slice(stripPrefix.length)
    call.forwardPath = rest.startsWith('/') ? rest : `/${rest}`
  }
}

/** Where every request comes in: made into a call, matched, and handed to its route's chain. */
export const enter = (exchange: ServerExchange, snapshot: Snapshot, observer: CallObserver): void => {
  const call = new GatewayCall(exchange, snapshot, observer)
  try {
    route(call, snapshot)
    if ((call.method === 'OPTIONS' || call.method === 'TRACE') && endsHere(call, snapshot)) return
    const pending = call.route?.handle(call)
    if (pending !== undefined) pending.catch((error: unknown) => call.fail(error))
  } catch (error) {
    call.fail(error)
  }
}

/** Answers a request with an error before anything else of it is looked at. */
export const refuse = (
  exchange: ServerExchange,
  snapshot: Snapshot,
  observer: CallObserver,
  error: GatewayError,
): void => {
  new GatewayCall(exchange, snapshot, observer).fail(error)
}
