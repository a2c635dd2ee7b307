import { type HeaderName, headerName } from './header-names.ts'

/** RFC 7541 Appendix A: `name` or `name: value`, from index 1. */
const lines = `:authority
:method: GET
:method: POST
:path: /
:path: /index.html
:scheme: http
:scheme: https
:status: 200
:status: 204
:status: 206
:status: 304
:status: 400
:status: 404
:status: 500
accept-charset
accept-encoding: gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`.split('\n')

export const staticNames: readonly HeaderName[] = lines.map(line => headerName(line.split(': ')[0] as string))
export const staticValues: readonly string[] = lines.map(line => line.split(': ')[1] ?? '')
export const staticSize = lines.length

/** The first index of each name. */
export const staticIndex: ReadonlyMap<string, number> = new Map(
  staticNames.map(({ text }, at) => [text, at + 1] as const).reverse(),
)

/** The index of each `:status` that the table knows. */
export const statusIndex: ReadonlyMap<number, number> = new Map(
  staticNames.flatMap(({ text }, at) => (text === ':status' ? [[Number(staticValues[at]), at + 1] as const] : [])),
)
