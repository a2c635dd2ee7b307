import { BlockList, isIPv6 } from 'node:net'
import type { Document, RouteDocument, ServiceDocument } from '#config/document'
import type { Counters } from '#storage/counters'
import type { Call } from './call.ts'
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
import { createMatcher } from './match.ts'
import type { ErrorRenderer, Predicate, Route, Snapshot } from './snapshot.ts'
import type { Upstream, UpstreamRegistry } from './upstream.ts'

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
}

const splitPath = (path: string): string[] => {
  const trimmed = path.replace(/^\//, '').replace(/\/$/, '')
  return trimmed === '' ? [] : trimmed.split('/')
}

const predicatesOf = (route: RouteDocument): Predicate[] => {
  const list: Predicate[] = []
  for (const [name, value] of Object.entries(route.headers))
    list.push({ kind: 'header', name: name.toLowerCase(), value: value === '*' ? null : value })
  for (const [name, value] of Object.entries(route.query))
    list.push({ kind: 'query', name, value: value === '*' ? null : value })
  return list
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

/**
 * Turns a configuration into what serves it. Either everything compiles or nothing changes: on any error the pools made
 * meanwhile are given back and the error is thrown.
 */
export const compile = (document: Document, context: CompileContext): Snapshot => {
  const { units, counters, upstreams } = context
  const consumers: Consumer[] = document.consumers.map(consumer => ({ ...consumer }))
  const unitContext = (id: string, scope: string): UnitContext => ({
    id,
    scope,
    consumers,
    counters,
    upstream: config => upstreams.create(config),
    forward,
  })
  const compileRoute = (service: ServiceDocument, answer: Answer, route: RouteDocument): Route => {
    const ordered = inOrder(route.policies, units.policies)
    const policies = ordered.map(({ use, unit }) =>
      unit.create(use.config, unitContext(`${route.id}/${use.name}`, `${use.scope}/${use.name}`)),
    )
    const segments = splitPath(route.path)
    return {
      id: route.id,
      template: route.path,
      service: { name: service.name, upstream: answer.upstream, handler: answer.name },
      hosts: route.hosts,
      methods: route.methods,
      predicates: predicatesOf(route),
      segments,
      parameterNames: segments.filter(segment => segment.startsWith('{')).map(segment => segment.slice(1, -1)),
      stripPrefix: route.stripPrefix === null ? '' : route.stripPrefix.replace(/\/$/, ''),
      // A handler of our own reads its path itself; only an upstream may read it in another way than it was matched.
      encodedSeparators: service.handler !== null || route.encodedSlashes === 'keep',
      policies: ordered.map(({ use, unit }) => ({ name: use.name, phase: unit.phase, scope: use.scope })),
      handle: link(policies, answer.handle),
      onResponse: linkResponses(policies),
      renderError: answer.renderError,
    }
  }
  upstreams.begin()
  try {
    const routes = document.services.flatMap(service => {
      const answer = answerOf(service, unitContext(service.name, service.name), units)
      return service.routes.map(route => compileRoute(service, answer, route))
    })
    const snapshot: Snapshot = {
      revision: context.revision,
      routes,
      matcher: createMatcher(routes),
      protocols: units.protocols ?? [],
      isTrusted: trustOf(document.settings.trustedProxies),
    }
    upstreams.commit()
    return snapshot
  } catch (error) {
    upstreams.rollback()
    throw error
  }
}
