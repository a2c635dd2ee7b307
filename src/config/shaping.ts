import { extname } from 'node:path'
import type { z } from 'zod'
import type { RespondDocument, ShapingDocument, WrittenRespond } from './document.ts'
import { type Path, quote } from './errors.ts'
import { isMap } from './policies.ts'
import type { routeSchema, serviceSchema } from './schema.ts'
import type { ServiceContext } from './services.ts'
import { fileProblem } from './substitute.ts'
import { suggest } from './suggest.ts'

const maxFile = 1_048_576

const typesOfFiles: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.csv': 'text/csv; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.xml': 'application/xml',
  '.yaml': 'application/yaml',
  '.yml': 'application/yaml',
}

const plainText = 'text/plain; charset=utf-8'

/** Reads what a static answer says; null when that cannot be had, which is reported. */
const respondOf = (
  { status, headers, body, json, file }: WrittenRespond,
  at: Path,
  { problems, readText }: ServiceContext,
): RespondDocument | null => {
  const fields = Object.entries(headers).flat()
  const answer = (text: string, type: string): RespondDocument => ({
    status,
    headers: Object.hasOwn(headers, 'content-type') ? fields : [...fields, 'content-type', type],
    body: text,
  })
  if (body !== undefined) return answer(body, plainText)
  if (json !== undefined) return answer(JSON.stringify(json), 'application/json')
  if (file === undefined) return { status, headers: fields, body: null }
  try {
    const text = readText(file)
    if (Buffer.byteLength(text) <= maxFile) return answer(text, typesOfFiles[extname(file)] ?? plainText)
    problems.report([...at, 'file'], 'value', 'is larger than 1 MB')
  } catch (error) {
    problems.report([...at, 'file'], 'value', `cannot be read: ${fileProblem(error)}`)
  }
  return null
}

type Service = Pick<Partial<z.output<typeof serviceSchema>>, 'upstreams' | 'split' | 'mirror'>
type Route = Pick<Partial<z.output<typeof routeSchema>>, keyof ShapingDocument>

/** Whether a route, as it is written, needs no upstream. */
export const answersItself = (route: unknown): boolean =>
  isMap(route) && (route['respond'] !== undefined || (route['redirect'] !== undefined && route['redirect'] !== 'https'))

/** Gathers what is done with the calls of a route beside forwarding them; what a service says holds for all its routes. */
export const createShaping = (service: Service, at: Path, context: ServiceContext) => {
  const { problems } = context
  const names = Object.keys(service.upstreams ?? {})

  const checkNames = (of: Pick<Service, 'split' | 'mirror'>, place: Path): void => {
    const check = (name: string, path: Path) => {
      if (!names.includes(name))
        problems.report(path, 'value', `${quote(name)} is none of the upstreams of the service`, suggest(name, names))
    }
    for (const [index, { upstream }] of (of.split?.to ?? []).entries())
      check(upstream, [...place, 'split', 'to', index, 'upstream'])
    if (of.mirror) check(of.mirror.upstream, [...place, 'mirror', 'upstream'])
  }

  checkNames(service, at)
  const { split, mirror } = service
  const shared: ShapingDocument | undefined =
    split || mirror ? { ...(split && { split }), ...(mirror && { mirror }) } : undefined

  return (route: Route, place: Path): ShapingDocument | undefined => {
    const { rewrite, redirect, respond } = route
    if (!(rewrite || redirect || respond || route.split || route.mirror)) return shared
    checkNames(route, place)
    const answer = respond && respondOf(respond, [...place, 'respond'], context)
    const itself = respond !== undefined || (redirect !== undefined && redirect !== 'https')
    return {
      ...(itself ? {} : shared),
      ...(rewrite && { rewrite }),
      ...(route.split && { split: route.split }),
      ...(route.mirror && { mirror: route.mirror }),
      ...(redirect && { redirect }),
      ...(answer && { respond: answer }),
    }
  }
}
