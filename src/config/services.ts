import type { z } from 'zod'
import type { Contract, ContractReader } from './contracts.ts'
import type { ConfigSection, RouteDocument, ServiceDocument } from './document.ts'
import { type Path, quote } from './errors.ts'
import { decode } from './issues.ts'
import { checkRoutePath, pathShape } from './paths.ts'
import { isMap, type PolicyLevel, type PolicyMerge } from './policies.ts'
import type { Problems } from './problems.ts'
import { routeClaims, routeIds } from './route-ids.ts'
import { knownMethods, routeSchema, serviceSchema } from './schema.ts'
import { suggest } from './suggest.ts'

type WrittenRoute = Pick<RouteDocument, 'path' | 'methods'> &
  Partial<Omit<z.output<typeof routeSchema>, 'path' | 'methods'>>

export type ServiceContext = {
  readonly problems: Problems
  readonly policies: PolicyMerge
  readonly contract: ContractReader
  /** Names of services so far, and where they stand. */
  readonly names: Map<string, Path>
  /** Claims of routes so far, and where those stand (src/config/route-ids.ts). */
  readonly claims: Map<string, Path>
}

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
): RouteDocument[] => {
  const whole = written.map(({ route }) => ({ name: undefined, hosts: [], headers: {}, query: {}, ...route }))
  const ids = routeIds(service, whole)
  return whole.map((route, index) => {
    const { path, methods, hosts, headers, query, stripPrefix = null, encodedSlashes = 'reject' } = route
    const at = written[index]!.at
    const id = ids[index]!
    for (const claim of routeClaims(pathShape(path), route)) {
      const before = claims.get(claim)
      if (!before) claims.set(claim, at)
      else problems.report(at, 'value', `nothing tells this route apart from ${problems.place(before)}`)
    }
    const own = policies.below(level, id, [...at, 'policies'], route.policies)
    return { id, path, methods, hosts, headers, query, stripPrefix, encodedSlashes, policies: policies.uses(own) }
  })
}

const warnOfMethods = (methods: readonly string[], at: Path, problems: Problems): void => {
  for (const method of methods) {
    if (knownMethods.includes(method)) continue
    const message = `${quote(method)} is not a usual HTTP method`
    problems.warn([...at, 'methods'], 'value', message, suggest(method, knownMethods))
  }
}

const decodeRoutes = (written: readonly unknown[], at: Path, { problems }: ServiceContext) => {
  const names = new Map<string, Path>()
  return written.flatMap((value, index) => {
    const path = [...at, 'routes', index]
    const result = decode(routeSchema, value)
    if (!result.ok) {
      problems.reportIssues(result.issues, issue => [...path, ...issue.path])
      return []
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
    return [{ route, at: path }]
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
  const finished = finishRoutes(name, routes, level, context)
  if (!result.ok) return null
  return { name, upstream: result.value.upstream, handler: null, contract, routes: finished }
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
