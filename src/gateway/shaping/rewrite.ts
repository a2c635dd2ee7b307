import { GatewayError } from '#base/errors'
import { compilePattern } from '#base/pattern/pattern'
import type { RewriteDocument } from '#config/document'
import { cutQuery } from '#config/templates'
import { normalisePath } from '../normalise-path.ts'
import { compileTemplate, type Filled, inQuery, type TemplateInput } from './path-template.ts'

/** What the upstream is asked for instead. */
export type Rewrite = (input: TemplateInput) => { path: string; query: string }

/** `$0` to `$9` of a replacement; `$$` is the character itself. */
const fillGroups = (text: string, groups: readonly (string | undefined)[], encode: (piece: string) => string): string =>
  text.replace(/\$([$\d])/g, (_, mark: string) => (mark === '$' ? '$' : encode(groups[Number(mark)] ?? '')))

const byPattern = (regex: string, to: string): ((input: TemplateInput) => Filled | null) => {
  const pattern = compilePattern(regex)
  const { path, query } = cutQuery(to)
  return input => {
    const groups = pattern.exec(input.path)
    if (groups === null) return null
    return {
      path: fillGroups(path, groups, piece => piece),
      query: query === null ? null : fillGroups(query, groups, inQuery),
    }
  }
}

/**
 * Compiles what a rewrite does to the path, or null when it changes none. What comes out is normalised like what came
 * in, so no piece of a request can climb out of the place that the configuration gave it: throws `bad-request` there.
 */
export const compileRewrite = (
  { path, regex, to }: RewriteDocument,
  route: string,
  encodedSeparators: boolean,
): Rewrite | null => {
  const fill =
    path !== null ? compileTemplate(path, route) : regex !== null && to !== null ? byPattern(regex, to) : null
  if (fill === null) return null
  return input => {
    const filled = fill(input)
    if (filled === null) return { path: input.path, query: input.query }
    const written = filled.path.startsWith('/') ? filled.path : `/${filled.path}`
    const normal = normalisePath(written, written.length)
    if (normal.encodedSeparator && !encodedSeparators)
      throw new GatewayError('bad-request', { detail: 'The path holds an encoded slash or backslash' })
    const both = filled.query !== null && filled.query !== '' && input.query !== ''
    return { path: normal.path, query: both ? `${filled.query}&${input.query}` : filled.query || input.query }
  }
}
