import type { z } from 'zod'
import type { Contract, ContractReader } from './contracts.ts'
import type { ConfigSection, RouteDocument, ServiceDocument, ShapingDocument, UpstreamDocument } from './document.ts'
import { type Path, quote } from './errors.ts'
import { decode } from './issues.ts'
import { checkRoutePath, pathShape } from './paths.ts'
import type { PemReader } from './pem.ts'
import { isMap, type PolicyLevel, type PolicyMerge } from './policies.ts'
import type { Problems } from './problems.ts'
import { quickRoute } from './quick-route.ts'
import { routeClaims, routeIds } from './route-ids.ts'
import { knownMethods, routeSchema, serviceSchema } from './schema.ts'
import { answersItself, createShaping } from './shaping.ts'
import { suggest } from './suggest.ts'
import { decodeUpstreamTls } from './tls.ts'
import type { upstreamSchema } from './upstream-schema.ts'

type WrittenUpstream = z.output<typeof upstreamSchema>

type WrittenRoute = Pick<RouteDocument, 'path' | 'methods'> &
  Partial<Omit<z.output<typeof routeSchema>, 'path' | 'methods'>>

export type ServiceContext = {
  readonly problems: Problems
  readonly policies: PolicyMerge
  readonly contract: ContractReader
  /** Reads a text file by the path that the config file names it with. */
  readonly readText: (path: string) => string
  readonly pem: PemReader
  /** Names of services so far, and where they stand. */
  readonly names: Map<string, Path>
  /** Claims of routes so far, and where those stand (src/config/route-ids.ts). */
  readonly claims: Map<string, Path>
}

const none: readonly never[] = Object.freeze([])
const noConditions = Object.freeze({})

/** Names that are scopes of policies already. */
const reservedNames = new Set(['settings'])

const takeName = (name: string, path: Path, part: 'key' | 'value', { problems, names }: ServiceContext): void => {
  const before = names.get(name)
  if (reservedNames.has(name)) problems.report(path, part, `${quote(name)} is reserved`)
  else if (before) problems.report(path, part, `the name ${quote(name)} is taken by ${problems.place(before)}`)
  else names.set(name, path)
}

/** Gives routes their ids and policies, and refuses those that nothing tells apart from an earlier one. */
const finishRoutes = (
  service: string,
  written: readonly { route: WrittenRoute; at: Path }[],
  level: PolicyLevel,
  { problems, policies, claims }: ServiceContext,
  shaping: (route: WrittenRoute, at: Path) => ShapingDocument | undefined = () => undefined,
): RouteDocument[] => {
  const whole = written.map(({ route }) => ({
    name: route.name,
    path: route.path,
    methods: route.methods,
    hosts: route.hosts ?? none,
    headers: route.headers ?? noConditions,
    query: route.query ?? noConditions,
    cookies: route.cookies ?? noConditions,
  }))
  const ids = routeIds(service, whole)
  return whole.map((conditions, index) => {
    const { path, methods, hosts, headers, query, cookies } = conditions
    const { route, at } = written[index]!
    const id = ids[index]!
    for (const claim of routeClaims(pathShape(path), conditions)) {
      const before = claims.get(claim)
      if (!before) claims.set(claim, at)
      else problems.report(at, 'value', `nothing tells this route apart from ${problems.place(before)}`)
    }
    const own = route.policies === undefined ? level : policies.below(level, id, [...at, 'policies'], route.policies)
    const shaped = shaping(route, at)
    return {
      id,
      path,
      methods,
      hosts,
      headers,
      query,
      ...(cookies !== noConditions && Object.keys(cookies).length > 0 && { cookies }),
      stripPrefix: route.stripPrefix ?? null,
      encodedSlashes: route.encodedSlashes ?? 'reject',
      policies: policies.uses(own),
      ...(shaped !== undefined && { shaping: shaped }),
    }
  })
}

const warnOfMethods = (methods: readonly string[], at: Path, problems: Problems): void => {
  for (const method of methods) {
    if (knownMethods.includes(method)) continue
    const message = `${quote(method)} is not a usual HTTP method`
    problems.warn([...at, 'methods'], 'value', message, suggest(method, knownMethods))
  }
}

type Decoded = { route: z.output<typeof routeSchema>; at: Path }

const decodeRoutes = (written: readonly unknown[], at: Path, { problems }: ServiceContext) => {
  const names = new Map<string, Path>()
  return written.flatMap((value, index): Decoded | readonly never[] => {
    const path = [...at, 'routes', index]
    const quick = quickRoute(value)
    if (quick !== undefined) return { route: quick, at: path }
    const result = decode(routeSchema, value)
    if (!result.ok) {
      problems.reportIssues(result.issues, issue => [...path, ...issue.path])
      return none
    }
    const route = result.value
    warnOfMethods(route.methods, path, problems)
    const before = route.name === undefined ? undefined : names.get(route.name)
    if (before) {
      problems.report(
        [...path, 'name'],
        'value',
        `the name ${quote(route.name!)} is taken by ${problems.place(before)}`,
      )
    } else if (route.name !== undefined) names.set(route.name, [...path, 'name'])
    return { route, at: path }
  })
}

const useContract = (contract: Contract, at: Path, hasRoutes: boolean, problems: Problems) => {
  if (!contract.ok) {
    problems.report(at, 'value', contract.message)
    return []
  }
  if (hasRoutes) return []
  if (contract.routes.length + contract.unusable.length === 0)
    problems.report(at, 'value', 'has no paths to make routes of')
  for (const path of contract.unusable)
    problems.report(at, 'value', `has the path ${quote(path)}, which cannot be a route`)
  for (const path of contract.widened) {
    problems.warn(at, 'value', `the path ${quote(path)} becomes a route that matches any text in place of the template`)
  }
  return contract.routes.map(route => ({ route, at }))
}

/** An upstream with the contents of the files that its `tls` names. */
const withCredentials = ({ tls, ...upstream }: WrittenUpstream, at: Path, { pem }: ServiceContext): UpstreamDocument =>
  tls === undefined ? upstream : { ...upstream, tls: decodeUpstreamTls(tls, [...at, 'tls'], pem) }

const mapValues = <In, Out>(values: Readonly<Record<string, In>>, change: (value: In, key: string) => Out) =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, change(value, key)]))

/** Decodes `services[index]`; null when it is wrong. What is wrong is reported either way. */
export const decodeService = (
  value: unknown,
  index: number,
  above: PolicyLevel,
  context: ServiceContext,
): ServiceDocument | null => {
  const { problems, policies } = context
  const at = ['services', index]
  const raw = isMap(value) ? value : {}
  const result = decode(serviceSchema, value)
  if (!result.ok) problems.reportIssues(result.issues, issue => [...at, ...issue.path])

  // Whatever can be read of a wrong service is still checked, so that one run shows all mistakes.
  const name = typeof raw['name'] === 'string' ? raw['name'] : `services[${index}]`
  if (typeof raw['name'] === 'string') takeName(name, [...at, 'name'], 'value', context)
  const level = policies.below(above, name, [...at, 'policies'], raw['policies'])
  const writtenRoutes = Array.isArray(raw['routes']) ? raw['routes'] : []
  const routes: { route: WrittenRoute; at: Path }[] = decodeRoutes(writtenRoutes, at, context)
  const contract = typeof raw['contract'] === 'string' && raw['contract'] !== '' ? raw['contract'] : null
  const hasRoutes = writtenRoutes.length > 0
  if (contract !== null)
    routes.push(...useContract(context.contract(contract), [...at, 'contract'], hasRoutes, problems))
  else if (!hasRoutes && result.ok) {
    problems.report([...at, 'routes'], 'key', 'a service needs routes, or a contract that has them')
  }
  const shaping = createShaping(result.ok ? result.value : {}, at, context)
  const finished = finishRoutes(name, routes, level, context, shaping)
  const misspelt =
    !result.ok && result.issues.some(({ kind, suggestion }) => kind === 'key' && suggestion === 'upstream')
  const needsUpstream = writtenRoutes.length === 0 || !writtenRoutes.every(answersItself)
  if (isMap(value) && raw['upstream'] === undefined && needsUpstream && !misspelt)
    problems.report([...at, 'upstream'], 'key', '"upstream" is missing')
  if (!result.ok) return null
  const { upstream = null, upstreams } = result.value
  return {
    name,
    upstream: upstream === null ? null : withCredentials(upstream, [...at, 'upstream'], context),
    ...(upstreams && {
      upstreams: mapValues(upstreams, (one, key) => withCredentials(one, [...at, 'upstreams', key], context)),
    }),
    handler: null,
    contract,
    routes: finished,
  }
}

/** Decodes a section of the file and the services it stands for. */
export const decodeSection = (
  section: ConfigSection,
  value: unknown,
  above: PolicyLevel,
  context: ServiceContext,
): ServiceDocument[] => {
  const { problems, policies } = context
  const at = [section.key]
  const { policies: written, ...rest } = isMap(value) ? value : {}
  const level = policies.below(above, section.key, [...at, 'policies'], written)
  const result = decode(section.schema, isMap(value) ? rest : value)
  if (!result.ok) {
    problems.reportIssues(result.issues, issue => [...at, ...issue.path])
    return []
  }
  return section.services(result.value).map(({ name, handler, routes: listed }) => {
    takeName(name, at, 'key', context)
    const routes = listed.map(({ path, methods }) => ({ route: { path, methods }, at }))
    for (const { route } of routes) {
      const wrong = checkRoutePath(route.path)
      if (wrong) problems.report(at, 'key', `its route ${quote(route.path)} ${wrong.message}`)
    }
    return { name, upstream: null, handler, contract: null, routes: finishRoutes(name, routes, level, context) }
  })
}
