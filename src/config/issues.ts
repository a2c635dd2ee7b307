import { z } from 'zod'
import { type Path, quote } from './errors.ts'
import { suggest } from './suggest.ts'

/** One thing that a schema found wrong, in the words of this program. */
export type Issue = {
  readonly path: Path
  /** `missing` and `key` are shown at the key, `value` and `rule` at the value; a `rule` is the schema's own check. */
  readonly kind: 'missing' | 'key' | 'value' | 'rule'
  readonly message: string
  readonly suggestion: string | null
}

type Found = z.core.$ZodIssue

/** Marks our texts: zod lets an error map return nothing but text, and a schema's own messages must stay as they are. */
const mark = '\u0000'

/** What a schema knows and its issues do not tell goes along in the text: the known keys, or the examples. */
const errorMap: z.core.$ZodErrorMap = issue => {
  const schema = issue.inst as z.core.$ZodType | undefined
  if (issue.code === 'unrecognized_keys') {
    const shape = (schema as z.core.$ZodObject | undefined)?._zod.def.shape
    return mark + Object.keys(shape ?? {}).join(mark)
  }
  const examples = schema === undefined ? undefined : z.globalRegistry.get(schema)?.['examples']
  return Array.isArray(examples) ? mark + examples.filter(example => typeof example === 'string').join(mark) : mark
}

const carried = (issue: Found): string[] => issue.message.split(mark).filter(part => part !== '')

const nouns: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  bigint: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
  map: 'a map',
  null: 'nothing',
  undefined: 'nothing',
  nan: 'a number',
}

const describe = (value: unknown): string => {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'string') return 'text'
  if (typeof value === 'boolean') return String(value)
  return typeof value === 'number' ? (Number.isInteger(value) ? 'a whole number' : 'a number') : 'a map'
}

const valueAt = (value: unknown, path: Path): unknown => {
  let current = value
  for (const part of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, part)) return undefined
    current = (current as Record<string | number, unknown>)[part]
  }
  return current
}

const list = (values: readonly unknown[]): string => {
  const shown = values.slice(0, 12).map(value => (typeof value === 'string' ? quote(value) : String(value)))
  if (values.length > shown.length) shown.push('…')
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} or ${shown.at(-1)}`
}

const wrongType = (
  expected: readonly string[],
  value: unknown,
  examples: string[] = [],
): Omit<Issue, 'path' | 'kind'> => {
  const wanted = [...new Set(expected.map(type => nouns[type] ?? type))]
  const message = `expected ${wanted.join(' or ')}, but got ${describe(value)}`
  if (value === null) return { message: `${message}: give a value or remove the key`, suggestion: null }
  if (examples.length > 0) return { message: `expected text such as ${list(examples)}`, suggestion: null }
  const scalar = typeof value === 'number' || typeof value === 'boolean'
  if (expected.includes('string') && scalar) return { message: `${message}: put it in quotes`, suggestion: null }
  if (expected.includes('boolean') && typeof value === 'string') {
    const word = value.toLowerCase()
    const suggestion = ['yes', 'on', 'true'].includes(word)
      ? 'true'
      : ['no', 'off', 'false'].includes(word)
        ? 'false'
        : null
    return { message, suggestion }
  }
  const numeric = typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value)
  const wantsNumber = expected.includes('number') || expected.includes('int')
  return { message: wantsNumber && numeric ? `${message}: remove the quotes` : message, suggestion: null }
}

const wrongValue = (values: readonly unknown[], value: unknown): Omit<Issue, 'path' | 'kind'> => {
  if (values.length === 0) return { message: 'is not valid', suggestion: null }
  const texts = values.filter(one => typeof one === 'string')
  return {
    message: `must be ${list(values)}`,
    suggestion: typeof value === 'string' ? suggest(value, texts) : null,
  }
}

const bound = (issue: Found & { code: 'too_small' | 'too_big' }): string => {
  const low = issue.code === 'too_small'
  const amount = Number(low ? issue.minimum : issue.maximum)
  const edge = issue.exact ? 'exactly' : low ? 'at least' : 'at most'
  if (issue.origin === 'string') {
    return low && amount === 1 ? 'must not be empty' : `must have ${edge} ${amount} character${amount === 1 ? '' : 's'}`
  }
  if (issue.origin === 'array' || issue.origin === 'set' || issue.origin === 'map') {
    if (low && amount === 1) return 'must not be empty'
    return `must have ${edge} ${amount} ${amount === 1 ? 'entry' : 'entries'}`
  }
  if (issue.inclusive === false) return `must be ${low ? 'more' : 'less'} than ${amount}`
  return `must be ${edge} ${amount}`
}

/** Of the branches of a union only one was meant: the one whose outer shape fits the value. */
const fromUnion = (issue: Found & { code: 'invalid_union' }, path: Path, value: unknown): Issue[] => {
  const options = (issue as { options?: unknown[] }).options
  if (issue.errors.length === 0) {
    return [{ path, kind: 'value', ...wrongValue(options ?? [], value) }]
  }
  const outerCodes = ['invalid_type', 'invalid_value', 'invalid_format']
  const isOuter = (one: Found) => one.path.length === 0 && one.message.startsWith(mark) && outerCodes.includes(one.code)
  const fitting = issue.errors.filter(branch => !branch.some(isOuter)).sort((a, b) => a.length - b.length)
  if (fitting[0]) return fitting[0].flatMap(one => translate(one, path, value))
  const outer = issue.errors.flat().filter(isOuter)
  const values = outer.flatMap(one => (one.code === 'invalid_value' ? one.values : []))
  const types = outer.flatMap(one => (one.code === 'invalid_type' ? [one.expected as string] : []))
  if (types.length === 0) return [{ path, kind: 'value', ...wrongValue(values, value) }]
  const wrong = wrongType(types, value)
  const message = values.length === 0 ? wrong.message : `${wrong.message} (also allowed: ${list(values)})`
  const near =
    typeof value === 'string'
      ? suggest(
          value,
          values.filter(one => typeof one === 'string'),
        )
      : null
  return [{ path, kind: 'value', message, suggestion: wrong.suggestion ?? near }]
}

const translate = (issue: Found, above: Path, outerValue: unknown): Issue[] => {
  const inner = issue.path as (string | number)[]
  const path = [...above, ...inner]
  const value = valueAt(outerValue, inner)
  const own = issue.message.startsWith(mark) ? null : issue.message
  const shapeless = issue.code === 'invalid_type' || issue.code === 'invalid_value' || issue.code === 'invalid_union'
  if (shapeless && value === undefined) {
    return [
      { path, kind: 'missing', message: own ?? `${quote(String(path.at(-1) ?? ''))} is missing`, suggestion: null },
    ]
  }
  if (issue.code === 'unrecognized_keys') {
    const known = own === null ? carried(issue) : []
    return issue.keys.map(key => ({
      path: [...path, key],
      kind: 'key',
      message: own ?? `unknown key ${quote(key)}`,
      suggestion: suggest(key, known),
    }))
  }
  if (issue.code === 'invalid_union') return fromUnion(issue, path, value)
  if (issue.code === 'invalid_key') {
    const message = issue.issues.map(one => (one.message.startsWith(mark) ? 'is not a valid name' : one.message))
    return [{ path, kind: 'key', message: message.join(', '), suggestion: null }]
  }
  const params = issue.code === 'custom' ? issue.params : undefined
  const suggestion = typeof params?.['suggestion'] === 'string' ? params['suggestion'] : null
  if (own !== null) return [{ path, kind: 'rule', message: own, suggestion }]
  if (issue.code === 'invalid_type')
    return [{ path, kind: 'value', ...wrongType([issue.expected], value, carried(issue)) }]
  if (issue.code === 'invalid_value') return [{ path, kind: 'value', ...wrongValue(issue.values, value) }]
  if (issue.code === 'too_small' || issue.code === 'too_big') {
    return [{ path, kind: 'value', message: bound(issue), suggestion: null }]
  }
  if (issue.code === 'not_multiple_of') {
    return [{ path, kind: 'value', message: `must be a multiple of ${issue.divisor}`, suggestion: null }]
  }
  const message =
    issue.code === 'invalid_format' && issue.format !== 'regex' ? `is not a valid ${issue.format}` : 'is not valid'
  return [{ path, kind: 'rule', message, suggestion }]
}

export type Decoded<Output> = { ok: true; value: Output } | { ok: false; issues: Issue[] }

/** Decodes `value`; the paths of issues start at `value`. */
export const decode = <Schema extends z.ZodType>(schema: Schema, value: unknown): Decoded<z.output<Schema>> => {
  const result = schema.safeParse(value, { error: errorMap })
  if (result.success) return { ok: true, value: result.data }
  const issues = result.error.issues.flatMap(issue => translate(issue, [], value))
  // A misspelt key is one mistake, not two.
  const meant = new Set(
    issues.flatMap(({ kind, path, suggestion }) =>
      kind === 'key' && suggestion !== null ? [JSON.stringify([...path.slice(0, -1), suggestion])] : [],
    ),
  )
  return {
    ok: false,
    issues: issues.filter(({ kind, path }) => kind !== 'missing' || !meant.has(JSON.stringify(path))),
  }
}
