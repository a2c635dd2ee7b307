import { compilePattern } from '#base/pattern/pattern'
import type { ConditionDocument } from '#config/document'
import { getHeader, getHeaders, type HeaderList } from '#http/headers'

/** One thing a request must have beside host, path and method, or must not have. */
export type Predicate = {
  readonly kind: 'header' | 'query' | 'cookie'
  readonly name: string
  /** Null takes any value. */
  readonly takes: ((value: string) => boolean) | null
  readonly negated: boolean
  /** The condition in words, for `explain`. */
  readonly text: string
}

/** What predicates look at; `query` is without `?`. */
export type Conditioned = { readonly headers: HeaderList; readonly query: string }

type Test = { takes: Predicate['takes']; text: string }

const testOf = (condition: Exclude<ConditionDocument, { not: unknown }>): Test => {
  if (condition === '*') return { takes: null, text: '' }
  if (typeof condition === 'string') return { takes: value => value === condition, text: ` = ${condition}` }
  if ('in' in condition) {
    const list = condition.in
    return { takes: value => list.includes(value), text: ` = ${list.join(' or ')}` }
  }
  if ('prefix' in condition) {
    const { prefix } = condition
    return { takes: value => value.startsWith(prefix), text: ` = ${prefix}…` }
  }
  if ('regex' in condition) {
    const pattern = compilePattern(condition.regex)
    return { takes: pattern.test, text: ` ~ ${condition.regex}` }
  }
  const { suffix } = condition
  return { takes: value => value.endsWith(suffix), text: ` = …${suffix}` }
}

/** Compiles one condition of a route. */
export const predicateOf = (kind: Predicate['kind'], name: string, condition: ConditionDocument): Predicate => {
  const negated = typeof condition === 'object' && 'not' in condition
  const { takes, text } = testOf(negated ? condition.not : (condition as Exclude<ConditionDocument, { not: unknown }>))
  const key = kind === 'header' ? name.toLowerCase() : name
  return { kind, name: key, takes, negated, text: `${negated ? 'no ' : ''}${kind} ${key}${text}` }
}

const some = (values: readonly string[], takes: Predicate['takes']): boolean => {
  if (takes === null) return values.length > 0
  for (const value of values) if (takes(value)) return true
  return false
}

/** Values of a cookie as sent (RFC 6265 §4.2.1); several `Cookie` fields are what HTTP/2 makes of one. */
export const cookieValues = (headers: HeaderList, name: string): string[] => {
  const values: string[] = []
  for (const field of getHeaders(headers, 'cookie'))
    for (const pair of field.split(';')) {
      const equals = pair.indexOf('=')
      if (equals >= 0 && pair.slice(0, equals).trim() === name) values.push(pair.slice(equals + 1).trim())
    }
  return values
}

/** Whether a request meets a predicate: one of the values of a repeated field or parameter is enough. */
export const holds = ({ kind, name, takes, negated }: Predicate, { headers, query }: Conditioned): boolean => {
  if (kind === 'header' && takes === null) return (getHeader(headers, name) !== undefined) !== negated
  const values =
    kind === 'header'
      ? getHeaders(headers, name)
      : kind === 'cookie'
        ? cookieValues(headers, name)
        : new URLSearchParams(query).getAll(name)
  return some(values, takes) !== negated
}
