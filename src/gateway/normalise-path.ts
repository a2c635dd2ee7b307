import { GatewayError } from '#base/errors'

export type NormalPath = { path: string; encodedSeparator: boolean }

const invalid = (detail: string): GatewayError => new GatewayError('bad-request', { detail })

/** True when nothing in the path could be read in two ways: the usual case, decided in one pass. */
const isPlain = (target: string, end: number): boolean => {
  let previous = 0
  for (let i = 0; i < end; i++) {
    const code = target.charCodeAt(i)
    if (code === 37 || code === 92) return false
    if (previous === 47 && (code === 47 || code === 46)) return false
    previous = code
  }
  return true
}

const isUnreserved = (code: number): boolean => /[A-Za-z0-9\-._~]/.test(String.fromCharCode(code))

/** RFC 3986 §6.2.2: unreserved characters are decoded, the others keep their escape with upper-case digits. */
const decodeUnreserved = (path: string): string =>
  path.replace(/%(..?)?/g, (sequence, digits: string | undefined) => {
    if (digits === undefined || !/^[0-9A-Fa-f]{2}$/.test(digits))
      throw invalid('A percent escape in the path is not valid')
    const code = Number.parseInt(digits, 16)
    if (code < 0x20 || code === 0x7f) throw invalid('The path holds an encoded control character')
    return isUnreserved(code) ? String.fromCharCode(code) : sequence.toUpperCase()
  })

/** RFC 3986 §5.2.4, but a path that climbs above the root is refused instead of clipped. */
const removeDotSegments = (path: string): string => {
  const segments: string[] = []
  const parts = path.split('/')
  const last = parts.length - 1
  for (let i = 1; i <= last; i++) {
    const part = parts[i] as string
    // Some servers cut path parameters before they resolve dots: `/a/..;x/b` would be another path there.
    if (/^\.{1,2}(;|%3B)/.test(part)) throw invalid('The path holds a dot segment with parameters')
    if (part === '..') {
      if (segments.length === 0) throw invalid('The path leaves the root')
      segments.pop()
    } else if (part !== '.' && part !== '') segments.push(part)
  }
  const tail = parts[last] as string
  const directory = segments.length > 0 && (tail === '' || tail === '.' || tail === '..')
  return `/${segments.join('/')}${directory ? '/' : ''}`
}

/**
 * The one form of a path that is matched and forwarded: escapes of unreserved characters decoded, repeated slashes
 * merged, dot segments resolved. Throws `bad-request` for what origins are known to read differently (backslash,
 * encoded control characters, broken escapes or UTF-8, dots with parameters). `end` is the position of `?` or the end.
 */
export const normalisePath = (target: string, end: number): NormalPath => {
  if (isPlain(target, end))
    return { path: end === target.length ? target : target.slice(0, end), encodedSeparator: false }
  const raw = target.slice(0, end)
  if (raw.includes('\\')) throw invalid('The path holds a backslash')
  const decoded = decodeUnreserved(raw)
  try {
    decodeURIComponent(decoded)
  } catch {
    throw invalid('The path is not valid UTF-8')
  }
  return { path: removeDotSegments(decoded), encodedSeparator: /%2F|%5C/.test(decoded) }
}
