import { BlockList, isIPv6 } from 'node:net'
import { runSteps, type Steps } from '#base/steps'
import type { ConditionDocument, Document, RouteDocument } from '#config/document'
import type { Counters } from '#storage/counters'
import { createAnswers } from './answers.ts'
import { createChains } from './chain.ts'
import { type Predicate, predicateOf } from './conditions.ts'
import type { Consumer, HandlerUnit, PolicyUnit, ProtocolUnit, UnitContext } from './contract.ts'
import { forward } from './forward.ts'
import type { LongCalls } from './long-calls.ts'
import { growMatcher, segmentsOf } from './match.ts'
import { type MirrorReport, silentMirrors } from './shaping/mirror.ts'
import type { Route, Snapshot } from './snapshot.ts'
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
  /** Where mirrors report to; nobody hears of them when absent. */
  readonly mirrors?: MirrorReport
}

const none: readonly never[] = Object.freeze([])

const conditionsOf = (
  kind: Predicate['kind'],
  conditions: Readonly<Record<string, ConditionDocument>>,
): readonly Predicate[] => Object.entries(conditions).map(([name, condition]) => predicateOf(kind, name, condition))

const predicatesOf = (route: RouteDocument): readonly Predicate[] => {
  const list = [
    ...conditionsOf('header', route.headers),
    ...conditionsOf('query', route.query),
    ...conditionsOf('cookie', route.cookies ?? {}),
  ]
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

/** Steps of a compilation between two looks at the clock. */
const routesPerStep = 64

/**
 * Turns a configuration into what serves it, in small steps, so that a large one need not hold up the calls of the one
 * before. Either everything compiles or nothing changes: on any error, or when the steps are not taken to their end, the
 * pools made meanwhile are given back. One compilation at a time for each registry of upstreams.
 */
export function* compileSteps(document: Document, context: CompileContext): Steps<Snapshot> {
  const { units, counters, upstreams, mirrors = silentMirrors() } = context
  const consumers: Consumer[] = document.consumers.map(consumer => ({ ...consumer }))
  const unitContext = (scope: string): UnitContext => ({
    scope,
    consumers,
    counters,
    upstream: config => upstreams.create(config),
    forward,
  })
  const chainOf = createChains(units.policies, unitContext)
  const intern = createInterning()
  const matcher = growMatcher()
  const routes: Route[] = []
  let committed = false
  upstreams.begin()
  try {
    for (const service of document.services) {
      const answerOf = createAnswers(service, unitContext(service.name), units, mirrors)
      for (const route of service.routes) {
        const { answer, owner, before, shaping, renderError } = answerOf(route)
        const chain = chainOf(route.policies, answer)
        const templates = route.path.includes('{')
          ? segmentsOf(route.path).filter(segment => segment.startsWith('{'))
          : none
        // What every call reads stands first: with many routes none of it is in a cache when its call comes.
        const compiled: Route = {
          template: route.path,
          methods: intern(route.methods),
          handle: before === null ? chain.handle : before(chain.handle),
          stripPrefix: route.stripPrefix?.replace(/\/$/, '') ?? '',
          onResponse: chain.onResponse,
          service: owner,
          // A handler of our own reads its path itself; only an upstream may read it in another way than it was matched.
          encodedSeparators: service.handler !== null || route.encodedSlashes === 'keep',
          parameterNames: intern(templates.map(segment => segment.slice(1, -1))),
          predicates: predicatesOf(route),
          id: route.id,
          hosts: intern(route.hosts),
          policies: chain.policies,
          recheck: chain.recheck,
          renderError,
          shaping,
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
