import { parse } from 'yaml'

/** A route that an OpenAPI document describes; no methods means all of them. */
export type ContractRoute = { path: string; methods: string[] }

type JsonObject = { [key: string]: unknown }

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace', 'query']

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const yamlOptions = { prettyErrors: false, uniqueKeys: false, logLevel: 'error' } as const

/** Reads a contract written in JSON or YAML; throws an Error with one sentence for what is neither. */
export const parseContract = (text: string): unknown => {
  const bare = text.replace(/^\uFEFF/, '')
  try {
    if (bare.trimStart().startsWith('{')) return JSON.parse(bare)
  } catch {
    // Flow-style YAML begins like JSON.
  }
  try {
    return parse(bare, yamlOptions)
  } catch {
    throw new Error('is neither valid YAML nor valid JSON')
  }
}

/** The path of the first server's URL, without a slash at the end (OpenAPI 3.1 §4.8.5); variables take their defaults. */
const serverPrefix = (servers: unknown): string => {
  const server = Array.isArray(servers) ? servers[0] : undefined
  if (!isObject(server) || typeof server['url'] !== 'string') return ''
  const variables = isObject(server['variables']) ? server['variables'] : {}
  const url = server['url'].replace(/\{([^{}]*)\}/g, (_, name: string) => {
    const variable = Object.hasOwn(variables, name) ? variables[name] : undefined
    return isObject(variable) ? String(variable['default'] ?? '') : ''
  })
  const base = 'http://contract.invalid/'
  return URL.canParse(url, base) ? new URL(url, base).pathname.replace(/\/+$/, '') : ''
}

/** The path item itself, or the one it refers to inside of the same document; null when it is elsewhere. */
const resolveItem = (item: unknown, document: JsonObject): JsonObject | null => {
  if (!isObject(item)) return {}
  const reference = item['$ref']
  if (typeof reference !== 'string') return item
  if (!reference.startsWith('#/')) return null
  let found: unknown = document
  for (const part of reference.slice(2).split('/')) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    found = isObject(found) && Object.hasOwn(found, key) ? found[key] : undefined
  }
  return isObject(found) && typeof found['$ref'] !== 'string' ? found : null
}

/**
 * The routes of an OpenAPI 3.x document (already parsed): its paths below the path of its first server, with the
 * methods each has. Throws an Error with one sentence when the document is not one.
 */
export const contractRoutes = (document: unknown): ContractRoute[] => {
  if (!isObject(document)) throw new Error('is not an OpenAPI document')
  if (document['swagger'] !== undefined) throw new Error('is Swagger 2.0: only OpenAPI 3.x is supported')
  const version = document['openapi']
  if (version === undefined) throw new Error('is not an OpenAPI document: the key "openapi" is missing')
  if (typeof version !== 'string' || !/^3\.\d/.test(version)) throw new Error('is not OpenAPI 3.x')
  if (document['paths'] !== undefined && !isObject(document['paths'])) throw new Error('has "paths" that are not a map')

  const prefix = serverPrefix(document['servers'])
  const routes: ContractRoute[] = []
  for (const [path, written] of Object.entries(document['paths'] ?? {})) {
    if (path.startsWith('x-')) continue
    const item = resolveItem(written, document)
    const listed = item === null ? [] : methods.filter(method => item[method] !== undefined)
    if (item !== null && listed.length === 0) continue
    routes.push({ path: prefix + path, methods: listed.map(method => method.toUpperCase()) })
  }
  return routes
}
