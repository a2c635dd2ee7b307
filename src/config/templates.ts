import type { Fault } from './paths.ts'

/** A piece of a template: text as it stands, or the name of what is put in. */
export type TemplatePart = { readonly literal: string } | { readonly name: string }

const fault = (message: string): Fault => ({ message, suggestion: null })

// RFC 3986 §3.3 and §3.4, with escapes in normal form.
const pathText = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-F]{2})*$/
const queryText = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-F]{2})*$/

/** Splits `/v2/{id}` at its braces. */
export const templateParts = (text: string): TemplatePart[] | Fault => {
  const parts: TemplatePart[] = []
  for (const piece of text.split(/(\{[^{}]*\})/)) {
    if (piece.startsWith('{') && piece.endsWith('}')) {
      const name = piece.slice(1, -1)
      if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name)) return fault('has braces without a name in them')
      parts.push({ name })
    } else if (/[{}]/.test(piece)) return fault('has a brace without the other')
    else if (piece !== '') parts.push({ literal: piece })
  }
  return parts
}

const literalsOf = (parts: readonly TemplatePart[]): string =>
  parts.map(part => ('literal' in part ? part.literal : 'x')).join('')

/** Cuts a template at its first `?`. */
export const cutQuery = (text: string): { path: string; query: string | null } => {
  const question = text.indexOf('?')
  return question < 0 ? { path: text, query: null } : { path: text.slice(0, question), query: text.slice(question + 1) }
}

const checkText = (path: string, query: string | null): Fault | null => {
  if (!pathText.test(path)) return fault('has a character that a path cannot hold unencoded')
  if (/(?:^|\/)\.{1,2}(?:\/|$)/.test(path)) return fault('must not hold "." or ".." as a segment')
  if (/%2F|%5C|%[01].|%7F/.test(path)) return fault('must not hold an encoded slash, backslash or control character')
  if (query !== null && !queryText.test(query)) return fault('has a character that a query cannot hold unencoded')
  return null
}

/** Tells what is wrong with the path template of a rewrite; null when nothing is. Names are checked with the route. */
export const checkPathTemplate = (text: string): Fault | null => {
  const parts = templateParts(text)
  if (!Array.isArray(parts)) return parts
  if (!text.startsWith('/') && !text.startsWith('{rest}')) return fault('must begin with "/" or {rest}')
  const { path, query } = cutQuery(literalsOf(parts))
  return checkText(path, query)
}

/** The names a template puts in. */
export const templateNames = (text: string): string[] => {
  const parts = templateParts(text)
  return Array.isArray(parts) ? parts.flatMap(part => ('name' in part ? [part.name] : [])) : []
}

/** Tells what is wrong with a replacement such as `/b/$1?x=$2`; null when nothing is. */
export const checkReplacement = (text: string, groups: number): Fault | null => {
  if (!text.startsWith('/') && !text.startsWith('$')) return fault('must begin with "/"')
  for (const [written] of text.matchAll(/\$(.?)/g)) {
    if (written === '$$') continue
    if (!/^\$\d$/.test(written)) return fault('has a "$" that is not $0 to $9: write "$$" for the character itself')
    if (Number(written[1]) > groups)
      return fault(`uses ${written}, but the pattern has ${groups} group${groups === 1 ? '' : 's'}`)
  }
  const { path, query } = cutQuery(text.replaceAll('$$', 'x').replaceAll(/\$\d/g, 'x'))
  return checkText(path, query)
}

/** Scheme and authority of a redirect; null for a place on the same server. */
export const redirectOrigin = (text: string): { origin: string; rest: string } | null => {
  const found = /^(https?:\/\/[^/?#{}]*(?:\{host\}(?::\d+)?)?)(.*)$/s.exec(text)
  return found === null ? null : { origin: found[1] as string, rest: found[2] as string }
}

/**
 * Tells what is wrong with the place of a redirect; null when nothing is. Where it leads is fixed when the file is read:
 * of what a client sends only the host it already asked may stand in the authority.
 */
export const checkRedirectTemplate = (text: string): Fault | null => {
  const whole = templateParts(text)
  if (!Array.isArray(whole)) return whole
  if (text.includes('#')) return fault('must not hold a fragment')
  const absolute = redirectOrigin(text)
  if (absolute === null && !/^(?:\/(?!\/)|\{path\}|\{rest\})/.test(text))
    return fault('must be a URL that begins with http:// or https://, or a path')
  if (absolute !== null) {
    const authority = /^https?:\/\/(?:\{host\}|[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/
    if (!authority.test(absolute.origin) || !URL.canParse(absolute.origin.replace('{host}', 'a')))
      return fault('has no valid host: it may be a name or {host}, with or without a port')
    if (absolute.rest !== '' && !/^(?:\/|\?|\{path\}|\{rest\})/.test(absolute.rest))
      return fault('has something behind its host that is not a path: only {host} can be put into a host')
  }
  const parts = templateParts(absolute === null ? text : absolute.rest)
  if (!Array.isArray(parts)) return parts
  const { path, query } = cutQuery(literalsOf(parts))
  return checkText(path, query)
}
