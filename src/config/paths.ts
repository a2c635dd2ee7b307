/** What is wrong with a piece of text, and what was probably meant. */
export type Fault = { message: string; suggestion: string | null }

const maxLength = 2048
const templateName = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/

const fault = (message: string, suggestion: string | null = null): Fault => ({ message, suggestion })

/** A suggestion is only given when it is right itself. */
const instead = (message: string, path: string): Fault =>
  fault(message, path.startsWith('/') && checkRoutePath(path) === null ? path : null)

/**
 * A literal segment is written in the one form that the gateway matches on (RFC 3986 §6.2.2): no escape that need not
 * be one, upper-case digits, and nothing that an upstream could read as a separator.
 */
const checkLiteral = (segment: string): { message: string; replacement: string | null } | null => {
  const escapes = segment.match(/%.{0,2}/g) ?? []
  if (escapes.some(triplet => !/^%[0-9A-Fa-f]{2}$/.test(triplet))) {
    return { message: 'has a "%" that is not followed by two hexadecimal digits', replacement: null }
  }
  if (escapes.some(triplet => /^%(?:2F|5C|7F|[01].)$/i.test(triplet))) {
    return { message: 'must not hold an encoded slash, backslash or control character', replacement: null }
  }
  const normal = segment.replace(/%../g, triplet => {
    const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16))
    return /[A-Za-z0-9\-._~]/.test(character) ? character : triplet.toUpperCase()
  })
  if (normal !== segment) return { message: 'has an escape that is not in normal form', replacement: normal }
  if (!/^[A-Za-z0-9\-._~!$&'()+,;=:@%]*$/.test(segment)) {
    const encoded = segment.isWellFormed() ? encodeURIComponent(segment) : null
    return { message: 'has a character that a path cannot hold unencoded', replacement: encoded }
  }
  return null
}

const checkSegment = (segment: string): { message: string; replacement: string | null } | null => {
  if (segment === '.' || segment === '..')
    return { message: 'must not hold "." or ".." as a segment', replacement: null }
  if (segment.startsWith('{') && segment.endsWith('}')) {
    const name = segment.slice(1, -1)
    if (templateName.test(name)) return null
    return { message: 'has a template whose name is not made of letters, digits, "_", "-" and "."', replacement: null }
  }
  if (/[{}]/.test(segment)) return { message: 'has a template that does not fill its whole segment', replacement: null }
  if (segment.startsWith(':')) {
    return { message: 'writes a template with ":" instead of braces', replacement: `{${segment.slice(1)}}` }
  }
  return checkLiteral(segment)
}

/** Segments of unreserved characters that nothing could be wrong with: nearly all paths, and checked at once. */
const plainPath = /^(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$/

/** Tells what is wrong with the path of a route; null when nothing is. */
export const checkRoutePath = (path: string): Fault | null => {
  if (path.length <= maxLength && plainPath.test(path)) return null
  if (!path.startsWith('/')) return instead('must begin with "/"', `/${path}`)
  if (path.length > maxLength) return fault(`is longer than ${maxLength} characters`)
  if (path === '/') return null
  const cut = path.search(/[?#]/)
  if (cut !== -1)
    return instead('must not hold "?" or "#": conditions on the query have their own key', path.slice(0, cut))
  if (/\/\*{1,2}$/.test(path)) {
    return instead('needs no "*": a path matches itself and everything below it', path.replace(/\/\*+$/, '') || '/')
  }
  if (path.includes('*')) return fault('must not hold "*": write {name} for a segment that may be anything')
  if (path.includes('//')) return instead('must not hold an empty segment ("//")', path.replace(/\/{2,}/g, '/'))
  if (path.endsWith('/')) return instead('must not end with "/"', path.slice(0, -1))
  const segments = path.slice(1).split('/')
  const names = new Set<string>()
  for (const [index, segment] of segments.entries()) {
    const wrong = checkSegment(segment)
    if (wrong !== null) {
      const better = wrong.replacement === null ? '' : `/${segments.with(index, wrong.replacement).join('/')}`
      return instead(wrong.message, better)
    }
    if (!segment.startsWith('{')) continue
    if (names.has(segment)) return fault(`has two templates with the name ${segment}`)
    names.add(segment)
  }
  return null
}

/** The path with the names of its templates left out: equal for two paths that match the same requests. */
export const pathShape = (path: string): string => (path.includes('{') ? path.replace(/\{[^/]*\}/g, '{}') : path)

/** Tells what is wrong with the prefix that a route strips; null when nothing is. */
export const checkStripPrefix = (prefix: string, path: string): Fault | null => {
  if (prefix === '/') return fault('strips nothing: remove the key')
  const wrong = checkRoutePath(prefix)
  if (wrong !== null) return wrong
  if (prefix.includes('{')) return fault('must be literal: a template cannot be stripped')
  if (path === prefix || path.startsWith(`${prefix}/`)) return null
  const sameLength = path.split('/').slice(0, prefix.split('/').length).join('/')
  return instead('must be the beginning of the path, whole segments', sameLength.includes('{') ? '' : sameLength)
}
