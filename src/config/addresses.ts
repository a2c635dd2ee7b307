import { isIP, isIPv6 } from 'node:net'
import { domainToASCII } from 'node:url'
import type { Fault } from './paths.ts'

const fault = (message: string, suggestion: string | null = null): Fault => ({ message, suggestion })

/** Tells what is wrong with an address or a CIDR block (`10.0.0.0/8`, `::1`); null when nothing is. */
export const checkAddressBlock = (text: string): Fault | null => {
  const [address = '', prefix, ...more] = text.split('/')
  const family = isIP(address)
  if (family === 0 || more.length > 0 || address.includes('%')) {
    return fault('is neither an IP address nor a CIDR block such as 10.0.0.0/8')
  }
  if (prefix === undefined) return null
  const bits = family === 4 ? 32 : 128
  if (!/^(?:0|[1-9]\d{0,2})$/.test(prefix) || Number(prefix) > bits) {
    return fault(`has a prefix length that is not between 0 and ${bits}`)
  }
  return null
}

const hostName = /^(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/

/** Tells what is wrong with the lower-case host of a route; null when nothing is. */
export const checkHost = (host: string): Fault | null => {
  if (host.length > 253) return fault('is longer than 253 characters')
  if (hostName.test(host) || (host.startsWith('[') && host.endsWith(']') && isIPv6(host.slice(1, -1)))) return null
  const instead = (message: string, better: string): Fault => fault(message, hostName.test(better) ? better : null)
  if (host === '*') return fault('matches every host: remove the key instead')
  if (/^https?:\/\//.test(host))
    return instead('must be a host, not a URL', host.replace(/^https?:\/\//, '').split('/')[0]!)
  if (isIPv6(host)) return fault('is an IPv6 address without brackets', `[${host}]`)
  if (/:\d+$/.test(host)) return instead('must not hold a port', host.replace(/:\d+$/, ''))
  if (host.endsWith('.')) return instead('must not end with a dot', host.slice(0, -1))
  if (host.includes('*')) return fault('may hold "*" only as the whole first label, such as *.example.com')
  if (/[^\x00-\x7f]/.test(host)) return instead('must be written in its ASCII form', domainToASCII(host))
  return fault('is not a host name')
}

/** `unix:/run/app.sock`; sun_path has room for 108 bytes with its end. */
const readSocketUrl = (text: string): { url: string } | Fault => {
  const path = text.slice('unix:'.length)
  const absolute = path.replace(/^\/+/, '/')
  if (!path.startsWith('/')) return fault('must name a socket by an absolute path, such as unix:/run/app.sock')
  if (path !== absolute || path.endsWith('/'))
    return fault('is not the path of a socket', `unix:${absolute.replace(/\/$/, '')}`)
  if (/[\0-\x1f\x7f]/.test(path)) return fault('has a control character in its path')
  if (Buffer.byteLength(path) > 107) return fault('has a path of more than 107 bytes, which no socket can have')
  return { url: text }
}

/** `srv+http://_http._tcp.example.com/base`: hosts and ports come from SRV records (RFC 2782). */
const readSrvUrl = (text: string): { url: string } | Fault => {
  const read = readTargetUrl(text.slice('srv+'.length))
  if (!('url' in read)) return read
  const url = new URL(read.url)
  if (url.port !== '' || /^[^/]*\/\/[^/]*:\d+/.test(text))
    return fault('must not have a port: SRV records bring theirs')
  if (isIP(url.hostname.replace(/^\[|\]$/g, '')) !== 0) return fault('must name SRV records, not an address')
  return { url: `srv+${read.url}` }
}

/** Reads the URL of an upstream target; its normal form ends without a slash. */
export const readTargetUrl = (text: string): { url: string } | Fault => {
  if (text.startsWith('unix:')) return readSocketUrl(text)
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text)?.[1]
  if (scheme === undefined) {
    const better = `http://${text}`
    const message = 'must be a URL that begins with http:// or https://'
    return fault(message, /^[\w.-]+(?::\d+)?$/.test(text) && URL.canParse(better) ? better : null)
  }
  const srv = scheme === 'srv+http' || scheme === 'srv+https'
  if (srv) return readSrvUrl(text)
  if (scheme !== 'http' && scheme !== 'https')
    return fault('must begin with http://, https://, srv+http://, srv+https:// or unix:/')
  // The parser forgives what a config file should not hold, so its input is narrowed first.
  if (/[\s\\]/.test(text) || !/^https?:\/\/[^/?#]+/.test(text) || !URL.canParse(text))
    return fault('is not a valid URL')
  const url = new URL(text)
  if (url.username !== '' || url.password !== '' || /^https?:\/\/[^/?#]*@/.test(text)) {
    return fault('must not hold credentials: use headers of the upstream')
  }
  if (text.includes('?') || text.includes('#')) return fault('must not hold a query or a fragment')
  if (url.port === '0') return fault('must not have port 0')
  return { url: url.href.replace(/\/+$/, '') }
}
