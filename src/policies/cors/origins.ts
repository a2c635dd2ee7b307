/** What is wrong with an entry of `origins`, or null. An origin is `scheme://host[:port]` (RFC 6454 §6.2). */
export const originProblem = (entry: string): string | null => {
  if (entry === '*') return null
  if (entry === 'null') return 'cannot be allowed: every sandboxed page and local file has the origin null'
  if (entry !== entry.toLowerCase()) return 'must be in lower case, as browsers send it'
  const match = /^[a-z][a-z0-9+.-]*:\/\/([^\s/?#@]+)(.*)$/.exec(entry)
  if (!match) return 'is not an origin: write it like https://app.example.com or https://*.example.com'
  if (match[2] !== '') return 'must end after the host and port: an origin has no path'
  const host = match[1] as string
  if (host.includes('*') && !/^\*\.[^*]+$/.test(host))
    return 'may have one * only, for the beginning of the host: https://*.example.com'
  return null
}

/** Whether `middle` is one or more labels of a host name. */
const isSubdomain = (middle: string): boolean => /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(middle)

/** Compiles a list of origins; a pattern matches subdomains of any depth, but not the domain itself. */
export const originMatcher = (entries: readonly string[]): ((origin: string) => boolean) => {
  if (entries.includes('*')) return () => true
  const exact = new Set(entries.filter(entry => !entry.includes('*')))
  const patterns = entries.filter(entry => entry.includes('*')).map(entry => entry.split('*') as [string, string])
  return origin =>
    exact.has(origin) ||
    patterns.some(
      ([start, end]) =>
        origin.length > start.length + end.length &&
        origin.startsWith(start) &&
        origin.endsWith(end) &&
        isSubdomain(origin.slice(start.length, -end.length)),
    )
}
