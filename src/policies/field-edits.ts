import { z } from 'zod'
import type { Call } from '#gateway/call'
import { getHeader, type HeaderList, isToken, removeHeader, truncate } from '#http/headers'
import { compileTemplate, type Template, type TemplateOptions, templateProblem } from './value-template.ts'

/** Fields that belong to the connection or frame the message (RFC 9110 §7.6.1): the engine alone writes them. */
const connectionFields = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** What is wrong with the name of a header that a configuration wants to change, or null. */
const fieldProblem = (name: string, managed: readonly string[]): string | null => {
  const lower = name.toLowerCase()
  if (!isToken(name)) return 'is not a header name'
  if (connectionFields.has(lower)) return 'belongs to the connection: the gateway alone writes it'
  return managed.includes(lower) ? 'is written by the gateway after all policies, so it cannot be changed' : null
}

type EditRules = {
  /** Name of one thing that is edited: `header`. */
  readonly noun: string
  readonly problem: (name: string) => string | null
  /** Two names are the same thing when their identities are equal. */
  readonly identity: (name: string) => string
}

/** The schema of `{ set, add, remove, rename }` for headers or query parameters. */
export const editSchema = ({ noun, problem, identity }: EditRules) => {
  const names = (context: z.RefinementCtx, list: readonly (readonly [path: PropertyKey, name: string])[]): void => {
    const seen = new Set<string>()
    for (const [key, name] of list) {
      const wrong = problem(name) ?? (seen.has(identity(name)) ? 'stands here twice' : null)
      if (wrong !== null) context.addIssue({ code: 'custom', path: [key], message: `"${name}" ${wrong}` })
      seen.add(identity(name))
    }
  }
  const templates = () =>
    z.record(z.string(), z.string()).superRefine((map, context) => {
      names(
        context,
        Object.keys(map).map(name => [name, name]),
      )
      for (const [name, text] of Object.entries(map)) {
        const wrong = templateProblem(text)
        if (wrong !== null) context.addIssue({ code: 'custom', path: [name], message: wrong })
      }
    })
  return z.strictObject({
    remove: z
      .array(z.string())
      .superRefine((list, context) => names(context, [...list.entries()]))
      .default([])
      .meta({ description: `Each ${noun} named here is removed. Then follow rename, set and add, in this order.` }),
    rename: z
      .record(z.string(), z.string())
      .superRefine((map, context) => {
        names(
          context,
          Object.keys(map).map(name => [name, name]),
        )
        names(context, Object.entries(map))
      })
      .default({})
      .meta({ description: `Old name to new name; takes the place of a ${noun} that has the new name already.` }),
    set: templates()
      .default({})
      .meta({ description: `Replaces each ${noun} of that name by one with this value.` }),
    add: templates()
      .default({})
      .meta({ description: `Adds a ${noun} and leaves others of that name alone.` }),
  })
}

/** The decoded form of `editSchema`. */
export type FieldEdits = z.output<ReturnType<typeof editSchema>>

/** The schema of changes to headers; those in `managed` (lower case) are the gateway's own. */
export const headerEditSchema = (managed: readonly string[]) =>
  editSchema({ noun: 'header', problem: name => fieldProblem(name, managed), identity: name => name.toLowerCase() })

/**
 * Gives fields new names, all at once, so that two can be swapped. A field that had the new name before is gone
 * when there is one that takes it.
 */
const renameFields = (headers: HeaderList, renames: ReadonlyMap<string, string>): void => {
  const taken = new Set<string>()
  for (const [from, to] of renames) if (getHeader(headers, from) !== undefined) taken.add(to)
  if (taken.size === 0) return
  let kept = 0
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    const renamed = renames.get(name)
    if (renamed === undefined && taken.has(name)) continue
    headers[kept++] = renamed ?? name
    headers[kept++] = headers[i + 1] as string
  }
  truncate(headers, kept)
}

const compileMap = (
  map: Readonly<Record<string, string>>,
  options?: TemplateOptions,
): readonly (readonly [string, Template])[] =>
  Object.entries(map).map(([name, text]) => [name.toLowerCase(), compileTemplate(text, options)])

/**
 * Compiles changes of headers: remove, rename, set, add, in this order; null when there are none. Values are taken
 * from the call before anything is changed; one whose placeholder is empty is not sent, and `set` still removes.
 */
export const compileHeaderEdits = (
  edits: FieldEdits,
  options?: TemplateOptions,
): ((call: Call, headers: HeaderList) => void) | null => {
  const removed = edits.remove.map(name => name.toLowerCase())
  const renames = new Map(
    Object.entries(edits.rename).map(([from, to]) => [from.toLowerCase(), to.toLowerCase()] as const),
  )
  const set = compileMap(edits.set, options)
  const add = compileMap(edits.add, options)
  if (removed.length + renames.size + set.length + add.length === 0) return null
  return (call, headers) => {
    const values = set.map(([, template]) => template(call))
    const added = add.map(([, template]) => template(call))
    for (const name of removed) removeHeader(headers, name)
    if (renames.size > 0) renameFields(headers, renames)
    for (const [index, [name]] of set.entries()) {
      removeHeader(headers, name)
      const value = values[index]
      if (typeof value === 'string') headers.push(name, value)
    }
    for (const [index, [name]] of add.entries()) {
      const value = added[index]
      if (typeof value === 'string') headers.push(name, value)
    }
  }
}
