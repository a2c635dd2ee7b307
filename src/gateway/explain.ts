import { GatewayError, toGatewayError } from '#base/errors'
import type { HeaderList } from '#http/headers'
import { holds } from './conditions.ts'
import { hostName } from './entry.ts'
import { type MatchInput, segmentsOf } from './match.ts'
import { normalisePath } from './normalise-path.ts'
import type { RouteShaping } from './shaping/compile-shaping.ts'
import type { TemplateInput } from './shaping/path-template.ts'
import type { Rewrite } from './shaping/rewrite.ts'
import type { Route, Snapshot } from './snapshot.ts'
import type { Target } from './target.ts'

export type Explanation = {
  request: { method: string; host: string; path: string; query: string }
  /** Null when no route takes the request; `problem` says why then. */
  route: {
    id: string
    service: string
    path: string
    hosts: readonly string[]
    methods: readonly string[]
    params: Record<string, string>
  } | null
  /** Policies in the order in which they run. */
  policies: { name: string; phase: string; scope: string }[]
  handler: string | null
  /** What the upstream would be asked; target chosen by a fresh turn of the balance. */
  target: {
    url: string
    /** What its host name stands for; null where the system resolves it. */
    address: string | null
    path: string
    balance: string
    targets: string[]
    /** Those that are not called at the moment, unless `panic` says that all are. */
    out: { target: string; health: string }[]
    panic: boolean
  } | null
  /** What else the route does with the call, by the key of the configuration. */
  shaping: { key: string; text: string }[]
  rejected: { id: string; path: string; reason: string }[]
  problem: { code: string; status: number; detail: string } | null
}

const maxRejected = 50

const hostMatches = (route: Route, host: string): boolean =>
  route.hosts.length === 0 ||
  route.hosts.some(candidate => (candidate.startsWith('*.') ? host.endsWith(candidate.slice(1)) : candidate === host))

const pathMatches = (route: Route, path: string): boolean => {
  const parts = path.split('/').slice(1)
  return segmentsOf(route.template).every((segment, index) => {
    const part = parts[index]
    return part !== undefined && (segment.startsWith('{') ? part !== '' : segment === part)
  })
}

/** Why a route that looks near did not get the request; null for routes of other paths, which nobody asks about. */
const reasonAgainst = (route: Route, input: MatchInput, chosen: Route | null): string | null => {
  if (!pathMatches(route, input.path)) return null
  if (!hostMatches(route, input.host)) return `host: takes ${route.hosts.join(', ')}, not ${input.host || '(none)'}`
  const takesMethod =
    route.methods.length === 0 ||
    route.methods.includes(input.method) ||
    (input.method === 'HEAD' && route.methods.includes('GET'))
  if (!takesMethod) return `method: takes ${route.methods.join(', ')}, not ${input.method}`
  for (const predicate of route.predicates) {
    if (!holds(predicate, input)) return `${predicate.kind}: needs ${predicate.text}`
  }
  return chosen === null ? 'unknown' : `less specific than ${chosen.id}`
}

/** Tells what would happen to a request: the matched route, the rejected ones with the reason, the chain, the target. */
export const explain = (
  snapshot: Snapshot,
  request: { method: string; url: string; headers: HeaderList },
): Explanation => {
  const url = /^https?:\/\/([^/?#]*)([^#]*)/i.exec(request.url)
  const rest = url?.[2] ?? ''
  const target = url === null ? request.url : rest.startsWith('/') ? rest : `/${rest}`
  let hostHeader = url === null ? '' : (url[1] as string)
  const headers: HeaderList = []
  for (let i = 0; i < request.headers.length; i += 2) {
    const name = (request.headers[i] as string).toLowerCase()
    if (name === 'host') hostHeader = request.headers[i + 1] as string
    else headers.push(name, request.headers[i + 1] as string)
  }
  const question = target.indexOf('?')
  const input: MatchInput = {
    host: hostName(hostHeader),
    path: target,
    method: request.method.toUpperCase(),
    headers,
    query: question < 0 ? '' : target.slice(question + 1),
  }
  const result: Explanation = {
    request: { method: input.method, host: input.host, path: input.path, query: input.query },
    route: null,
    policies: [],
    handler: null,
    target: null,
    shaping: [],
    rejected: [],
    problem: null,
  }
  try {
    if (!/^(\/|\*$)/.test(target)) throw new GatewayError('bad-request', { detail: 'The request target is not a path' })
    const normal = normalisePath(target, question < 0 ? target.length : question)
    input.path = normal.path
    result.request.path = normal.path
    const match = snapshot.matcher.match(input)
    describe(result, snapshot, input, match?.route ?? null, match?.params ?? {})
    if (match !== null && normal.encodedSeparator && !match.route.encodedSeparators)
      result.problem = { code: 'bad-request', status: 400, detail: 'The path holds an encoded slash or backslash' }
  } catch (thrown) {
    const { code, status, detail } = toGatewayError(thrown)
    result.problem = { code, status, detail }
  }
  return result
}

const shapingLines = (
  { redirect, notes }: RouteShaping,
  input: TemplateInput,
  rewritten: ReturnType<Rewrite> | null,
): Explanation['shaping'] => [
  ...(redirect === null
    ? []
    : [
        {
          key: 'redirect',
          text: `${redirect.status} to ${redirect.place(input)}${redirect.always ? '' : ', where the call came without TLS'}`,
        },
      ]),
  ...(rewritten === null
    ? []
    : [{ key: 'rewrite', text: rewritten.path + (rewritten.query === '' ? '' : `?${rewritten.query}`) }]),
  ...notes.map(([key, text]) => ({ key, text })),
]

const nameOf = ({ url, address }: Target): string => (address === null ? url : `${url} (${address})`)

const describe = (
  result: Explanation,
  snapshot: Snapshot,
  input: MatchInput,
  route: Route | null,
  params: Record<string, string>,
): void => {
  for (const candidate of snapshot.routes) {
    if (candidate === route || result.rejected.length >= maxRejected) continue
    const reason = reasonAgainst(candidate, input, route)
    if (reason !== null) result.rejected.push({ id: candidate.id, path: candidate.template, reason })
  }
  if (route === null) {
    const allowed = snapshot.matcher.allowedMethods(input)
    result.problem =
      allowed.length === 0
        ? { code: 'no-route', status: 404, detail: 'No route matches the request' }
        : { code: 'method-not-allowed', status: 405, detail: `Allowed: ${allowed.join(', ')}` }
    return
  }
  result.route = {
    id: route.id,
    service: route.service.name,
    path: route.template,
    hosts: route.hosts,
    methods: route.methods,
    params: { ...params },
  }
  result.policies = route.policies.map(policy => ({ ...policy }))
  result.handler = route.service.handler
  const { shaping } = route
  const rewritten = shaping?.rewrite?.({ ...input, params }) ?? null
  if (shaping !== null) result.shaping = shapingLines(shaping, { ...input, params }, rewritten)
  const caller = { ...input, clientAddress: '', consumer: null }
  const upstream = shaping?.foresee?.(caller) ?? route.service.upstream
  if (upstream === null) return
  const target = upstream.preview(caller)
  const rest = rewritten === null ? input.path.slice(route.stripPrefix.length) : rewritten.path
  result.target = {
    url: target?.url ?? '',
    address: target?.address ?? null,
    path: (target?.basePath ?? '') + (rest.startsWith('/') ? rest : `/${rest}`),
    balance: upstream.config.balance,
    targets: upstream.targets.map(nameOf),
    out: upstream.targets.flatMap(one =>
      one.health === null || one.health.usable ? [] : [{ target: nameOf(one), health: one.health.state }],
    ),
    panic: upstream.panic,
  }
}
