import type { ConfigCatalogue, PolicyUse } from './document.ts'
import { type Path, quote } from './errors.ts'
import { decode } from './issues.ts'
import type { Problems } from './problems.ts'
import { suggest } from './suggest.ts'

type RawConfig = Record<string, unknown>

/** One policy as it stands at one place: what was written there merged over what was written above. */
type Declaration = {
  readonly name: string
  readonly scope: string
  readonly at: Path
  readonly config: RawConfig
  /** Where each key of `config` was written last. */
  readonly writers: ReadonlyMap<string, Path>
  use: PolicyUse | null | undefined
  overridden: boolean
}

/** All policies in force at one place. */
export type PolicyLevel = {
  readonly declarations: ReadonlyMap<string, Declaration>
  uses: readonly PolicyUse[] | undefined
}

export const isMap = (value: unknown): value is RawConfig =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Merges the policies of settings, sections, services and routes. Merging happens on what is written, key by key, and
 * only the result is decoded: the defaults of a policy never hide what a place above says.
 */
export const createPolicyMerge = (units: ConfigCatalogue['policies'], problems: Problems) => {
  const byName = new Map(units.map(unit => [unit.name, unit]))
  const order = new Map(units.map((unit, index) => [unit.name, index]))
  const all: Declaration[] = []

  const declare = (name: string, scope: string, at: Path, written: RawConfig, above: Declaration | undefined) => {
    const writers = new Map(above?.writers)
    for (const key of Object.keys(written)) writers.set(key, at)
    if (above) above.overridden = true
    const config = { ...above?.config, ...written }
    const declaration: Declaration = { name, scope, at, config, writers, use: undefined, overridden: false }
    all.push(declaration)
    return declaration
  }

  const check = (declaration: Declaration, kinds: 'all' | 'lasting'): unknown => {
    const { at, writers, config } = declaration
    const result = decode(byName.get(declaration.name)!.schema, config)
    if (result.ok) return result.value
    // What is missing, or does not fit together, may still come from below.
    const lasting = result.issues.filter(({ kind }) => kind === 'key' || kind === 'value')
    problems.reportIssues(kinds === 'all' ? result.issues : lasting, ({ path }) => {
      const writer = path.length > 0 ? writers.get(String(path[0])) : undefined
      return [...(writer ?? at), ...path]
    })
    return undefined
  }

  const useOf = (declaration: Declaration): PolicyUse | null => {
    if (declaration.use !== undefined) return declaration.use
    const config = check(declaration, 'all')
    declaration.use = config === undefined ? null : { name: declaration.name, scope: declaration.scope, config }
    return declaration.use
  }

  return {
    none: { declarations: new Map(), uses: undefined } as PolicyLevel,

    /** The level of a place below `above` whose `policies` key, found at `at`, holds `written`. */
    below(above: PolicyLevel, scope: string, at: Path, written: unknown): PolicyLevel {
      if (written === undefined) return above
      if (!isMap(written)) {
        problems.report(at, 'value', 'expected a map of policies')
        return above
      }
      const declarations = new Map(above.declarations)
      for (const [name, value] of Object.entries(written)) {
        const path = [...at, name]
        if (!byName.has(name))
          problems.report(path, 'key', `unknown policy ${quote(name)}`, suggest(name, byName.keys()))
        else if (value === false) declarations.delete(name)
        else if (value === null) declarations.set(name, declare(name, scope, path, {}, declarations.get(name)))
        else if (isMap(value)) declarations.set(name, declare(name, scope, path, value, declarations.get(name)))
        else if (value !== undefined) {
          const hint = 'expected a map, {} for the defaults, or false to switch it off'
          problems.report(path, 'value', hint, value === true ? '{}' : null)
        }
      }
      return { declarations, uses: undefined }
    },

    /** The policies of a route at this level, decoded, in the order of the catalogue. */
    uses(level: PolicyLevel): readonly PolicyUse[] {
      level.uses ??= [...level.declarations.values()]
        .map(useOf)
        .filter(use => use !== null)
        .sort((a, b) => order.get(a.name)! - order.get(b.name)!)
      return level.uses
    },

    /** Checks what no route used as it stands, as far as that can be told. */
    finish(): void {
      for (const declaration of all) {
        if (declaration.use === undefined) check(declaration, declaration.overridden ? 'lasting' : 'all')
      }
    },
  }
}

export type PolicyMerge = ReturnType<typeof createPolicyMerge>
