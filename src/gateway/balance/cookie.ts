import type { HeaderList } from '#http/headers'

/** The value of a cookie of a request (RFC 6265 §4.2); the first one when there are several of that name. */
export const readCookie = (headers: HeaderList, name: string): string | undefined => {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'cookie') continue
    for (const pair of (headers[i + 1] as string).split(';')) {
      const equals = pair.indexOf('=')
      if (equals >= 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim()
    }
  }
  return undefined
}
