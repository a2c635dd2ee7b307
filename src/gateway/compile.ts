import { BlockList, isIPv6 } from 'node:net'
import { runSteps, type Steps } from '#base/steps'
import type { ConditionDocument, Document, PolicyUse, RouteDocument, ServiceDocument } from '#config/document'
import type { Counters } from '#storage/counters'
import type { Call } from './call.ts'
import { type Predicate, predicateOf } from './conditions.ts'
import {
  type Consumer,
  type Handler,
  type HandlerUnit,
  type Policy,
  type PolicyUnit,
  type ProtocolUnit,
  phases,
  type ResponseHead,
  type UnitContext,
} from './contract.ts'
import { forward } from './forward.ts'
import type { LongCalls } from './long-calls.ts'
import { growMatcher, segmentsOf } from './match.ts'
import type { ErrorRenderer, Route, Snapshot } from './snapshot.ts'
import type { Upstream } from './upstream.ts'
import type { UpstreamRegistry } from './upstream-registry.ts'

/** The units a configuration may name. */
export type Units = {
  readonly policies: readonly PolicyUnit[]
  readonly handlers: readonly HandlerUnit[]
  readonly protocols?: readonly ProtocolUnit[]
}

export type CompileContext = {
  readonly units: Units
  readonly counters: Counters
  readonly upstreams: UpstreamRegistry
  readonly revision: number
  readonly longCalls: LongCalls
}

const none: readonly never[] = Object.freeze([])

const conditionsOf = (
  kind: Predicate['kind'],
  conditions: Readonly<Record<string, ConditionDocument>>,
): readonly Predicate[] => Object.entries(conditions).map(([name, condition]) => predicateOf(kind, name, condition))

const predicatesOf = (route: RouteDocument): readonly Predicate[] => {
  const list = [...conditionsOf('header', route.headers), ...conditionsOf('query', route.query)]
  return list.length === 0 ? none : list
}

/** Equal lists of short texts as one list: most routes have one of a few. */
const createInterning = () => {
  const known = new Map<string, readonly string[]>()
  return (texts: readonly string[]): readonly string[] => {
    if (texts.length === 0) return none
    const key = texts.join(' ')
    const same = known.get(key)
    if (same === undefined) known.set(key, texts)
    return same ?? texts
  }
}

/** Policies run by phase; inside a phase in the order of the list of units. */
const inOrder = (uses: RouteDocument['policies'], units: readonly PolicyUnit[]) =>
  uses
    .map(use => {
      const index = units.findIndex(unit => unit.name === use.name)
      const unit = units[index]
      if (unit === undefined) throw new Error(`There is no policy called ${use.name}`)
      return { use, unit, index, phase: phases.indexOf(unit.phase) }
    })
    .sort((a, b) => a.phase - b.phase || a.index - b.index)

/** Closes the chain over its units once, so that a call runs plain function calls and nothing else. */
const link = (policies: readonly Policy[], last: Handler): Handler => {
  let next = last
  for (let i = policies.length - 1; i >= 0; i--) {
    const request = policies[i]?.request
    if (request === undefined) continue
    const following = next
    next = call => request(call, following)
  }
  return next
}

const linkResponses = (policies: readonly Policy[]): Route['onResponse'] => {
  const hooks = policies.flatMap(policy => (policy.response === undefined ? [] : [policy.response])).reverse()
  if (hooks.length === 0) return null
  if (hooks.length === 1) return hooks[0] as (call: Call, response: ResponseHead) => void
  return (call, response) => {
    for (const hook of hooks) hook(call, response)
  }
}

const linkRechecks = (policies: readonly Policy[]): Route['recheck'] => {
  const hooks = policies.flatMap(policy => (policy.recheck === undefined ? [] : [policy.recheck]))
  if (hooks.length === 0) return null
  return (call, consumers) => {
    for (const hook of hooks) {
      const error = hook(call, consumers)
      if (error !== null) return error
    }
    return null
  }
}

const trustOf = (entries: readonly string[]): Snapshot['isTrusted'] => {
  if (entries.length === 0) return null
  const list = new BlockList()
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return address => list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

const forwardTo = (upstream: Upstream, protocols: readonly ProtocolUnit[]): Handler => {
  const options = { upstream }
  const plain: Handler = call => forward(call, options)
  return protocols.reduce<Handler>(
    (next, protocol) => call => (protocol.forward(call, upstream, forward) ? undefined : next(call)),
    plain,
  )
}

type Answer = { handle: Handler; upstream: Upstream | null; name: string; renderError: ErrorRenderer | null }

const answerOf = (service: ServiceDocument, context: UnitContext, units: Units): Answer => {
  if (service.handler !== null) {
    const { type, config } = service.handler
    const unit = units.handlers.find(candidate => candidate.name === type)
    if (unit === undefined) throw new Error(`There is no handler called ${type}`)
    return { handle: unit.create(config, context), upstream: null, name: type, renderError: unit.renderError ?? null }
  }
  if (service.upstream === null) throw new Error(`Service ${service.name} has neither an upstream nor a handler`)
  const { headers, ...upstreamConfig } = service.upstream
  const upstream = context.upstream({ ...upstreamConfig, name: service.name, headers: [...headers] })
  return { handle: forwardTo(upstream, units.protocols ?? []), upstream, name: 'forward', renderError: null }
}

/** What the routes of one service that have the same policies share: the chain is closed once for all of them. */
type Chain = Pick<Route, 'policies' | 'handle' | 'onResponse' | 'recheck'>

/** Steps of a compilation between two looks at the clock. */
const routesPerStep = 64

/**
 * Turns a configuration into what serves it, in small steps, so that a large one need not hold up the calls of the one
 * before. Either everything compiles or nothing changes: on any error, or when the steps are not taken to their end, the
 * pools made meanwhile are given back. One compilation at a time for each registry of upstreams.
 */
export function* compileSteps(document: Document, context: CompileContext): Steps<Snapshot> {
  const { units, counters, upstreams } = context
  const consumers: Consumer[] = document.consumers.map(consumer => ({ ...consumer }))
  const unitContext = (scope: string): UnitContext => ({
    scope,
    consumers,
    counters,
    upstream: config => upstreams.create(config),
    forward,
  })
  const made = new Map<PolicyUse, Policy>()
  const policyOf = (use: PolicyUse, unit: PolicyUnit): Policy => {
    let policy = made.get(use)
    if (policy === undefined) {
      policy = unit.create(use.config, unitContext(`${use.scope}/${use.name}`))
      made.set(use, policy)
    }
    return policy
  }
  const chainOf = (uses: readonly PolicyUse[], last: Handler): Chain => {
    const ordered = inOrder(uses, units.policies)
    const policies = ordered.map(({ use, unit }) => policyOf(use, unit))
    return {
      policies: ordered.map(({ use, unit }) => ({ name: use.name, phase: unit.phase, scope: use.scope })),
      handle: link(policies, last),
      onResponse: linkResponses(policies),
      recheck: linkRechecks(policies),
    }
  }
  const intern = createInterning()
  const matcher = growMatcher()
  const routes: Route[] = []
  let committed = false
  upstreams.begin()
  try {
    for (const service of document.services) {
      const answer = answerOf(service, unitContext(service.name), units)
      const owner = { name: service.name, upstream: answer.upstream, handler: answer.name }
      const chains = new Map<readonly PolicyUse[], Chain>()
      for (const route of service.routes) {
        let chain = chains.get(route.policies)
        if (chain === undefined) chains.set(route.policies, (chain = chainOf(route.policies, answer.handle)))
        const templates = route.path.includes('{')
          ? segmentsOf(route.path).filter(segment => segment.startsWith('{'))
          : none
        const compiled: Route = {
          id: route.id,
          template: route.path,
          service: owner,
          hosts: intern(route.hosts),
          methods: intern(route.methods),
          predicates: predicatesOf(route),
          parameterNames: intern(templates.map(segment => segment.slice(1, -1))),
          stripPrefix: route.stripPrefix?.replace(/\/$/, '') ?? '',
          // A handler of our own reads its path itself; only an upstream may read it in another way than it was matched.
          encodedSeparators: service.handler !== null || route.encodedSlashes === 'keep',
          policies: chain.policies,
          handle: chain.handle,
          onResponse: chain.onResponse,
          recheck: chain.recheck,
          renderError: answer.renderError,
        }
        routes.push(compiled)
        matcher.add(compiled)
        if (routes.length % routesPerStep === 0) yield
      }
    }
    const snapshot: Snapshot = {
      revision: context.revision,
      routes,
      matcher,
      protocols: units.protocols ?? [],
      consumers,
      longCalls: context.longCalls,
      isTrusted: trustOf(document.settings.trustedProxies),
    }
    upstreams.commit()
    committed = true
    return snapshot
  } finally {
    if (!committed) upstreams.rollback()
  }
}

/** Turns a configuration into what serves it, in one go; throws, and changes nothing, when it does not compile. */
export const compile = (document: Document, context: CompileContext): Snapshot =>
  runSteps(compileSteps(document, context))
