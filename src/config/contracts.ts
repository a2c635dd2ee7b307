import { resolve } from 'node:path'
import { contractRoutes, parseContract } from '#openapi/routes'
import { checkRoutePath, pathShape } from './paths.ts'
import { fileProblem, type Surroundings } from './substitute.ts'

type WrittenRoute = { path: string; methods: string[] }

export type Contract =
  | { ok: true; routes: readonly WrittenRoute[]; widened: readonly string[]; unusable: readonly string[] }
  | { ok: false; message: string }

/**
 * A path of a contract in the form of a route. OpenAPI lets a template be part of a segment (`/{id}.json`), a route does
 * not: such a segment becomes a template as a whole, so it matches more than the contract says.
 */
const toRoutePath = (path: string): { path: string; widened: boolean } => {
  let widened = false
  const segments = path.split('/').filter(segment => segment !== '')
  const names = new Set<string>()
  const written = segments.map((segment, index) => {
    const template = /\{([^{}]*)\}/.exec(segment)
    if (template === null) {
      return encodeURI(segment.toWellFormed()).replace(
        /%25([0-9A-Fa-f]{2})/g,
        (_, digits: string) => `%${digits.toUpperCase()}`,
      )
    }
    if (template[0] !== segment) widened = true
    let name = (template[1] as string).replaceAll(/[^A-Za-z0-9_.-]/g, '_').replace(/^[.-]/, '_') || `segment${index}`
    while (names.has(name)) name += '_'
    names.add(name)
    return `{${name}}`
  })
  return { path: `/${written.join('/')}`, widened }
}

const read = (text: string): Contract => {
  const routes = new Map<string, WrittenRoute>()
  const widened: string[] = []
  const unusable: string[] = []
  for (const { path: written, methods } of contractRoutes(parseContract(text))) {
    const { path, widened: isWidened } = toRoutePath(written)
    if (checkRoutePath(path) !== null) {
      unusable.push(written)
      continue
    }
    if (isWidened) widened.push(written)
    const same = routes.get(pathShape(path))
    const isAll = methods.length === 0 || same?.methods.length === 0
    const together = isAll ? [] : [...new Set([...(same?.methods ?? []), ...methods])]
    routes.set(pathShape(path), { path: same?.path ?? path, methods: together })
  }
  return { ok: true, routes: [...routes.values()], widened, unusable }
}

/** Reads contracts by the path that a config file names; each file once. */
export const createContractReader = ({ folder, readFile }: Surroundings) => {
  const known = new Map<string, Contract>()
  return (written: string): Contract => {
    const path = resolve(folder, written)
    const before = known.get(path)
    if (before) return before
    let contract: Contract
    let text: string | undefined
    try {
      text = readFile(path)
      contract = read(text)
    } catch (error) {
      const message = error instanceof Error ? error.message : 'is not an OpenAPI document'
      contract = { ok: false, message: text === undefined ? `cannot be read: ${fileProblem(error)}` : message }
    }
    known.set(path, contract)
    return contract
  }
}

export type ContractReader = ReturnType<typeof createContractReader>
