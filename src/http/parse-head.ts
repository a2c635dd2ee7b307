import { GatewayError } from '#base/errors'
import { fieldKinds, fieldNameAt } from './field-names.ts'
import type { HeaderList } from './headers.ts'

/** Character classes of RFC 9110 §5.6.2 (token), §5.5 (field value) and RFC 3986 (request target). */
const token = 1
const value = 2
const target = 4
const classes = new Uint8Array(256)
for (let code = 0; code < 256; code++) {
  const char = String.fromCharCode(code)
  if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(char)) classes[code]! |= token
  if (code === 9 || (code >= 0x20 && code !== 0x7f)) classes[code]! |= value
  // A fragment is never sent (RFC 9110 §4.1), and bytes outside ASCII must be percent-encoded.
  if (code > 0x20 && code < 0x7f && char !== '#') classes[code]! |= target
}

/** What the fields of a head say about framing and connection; `headers` keeps the end-to-end fields only. */
export type Fields = {
  headers: HeaderList
  host: string | null
  /** -1 when absent. */
  contentLength: number
  chunked: boolean
  close: boolean
  keepAlive: boolean
  /** The Upgrade value when Connection names it. */
  upgrade: string | null
  expect: string | null
  /** Seconds of `Keep-Alive: timeout=N`, or -1. */
  keepAliveSeconds: number
  /**
   * The lines of `headers` as they came, each with its CRLF, but without X-Request-Id, which the gateway sets; null
   * when they were not asked for, or when one of them is not written in the one plain form (`name: value`).
   */
  lines: string | null
}

export type RequestHead = Fields & { method: string; target: string; minorVersion: 0 | 1 }
export type ResponseHead = Fields & { status: number; minorVersion: 0 | 1 }

const invalid = (detail: string): GatewayError => new GatewayError('bad-request', { detail })

/** RFC 9110 §8.6: digits only, once. A list of equal values is allowed to be refused, and is. */
export const parseContentLength = (text: string): number => {
  if (text.length === 0 || text.length > 19) throw invalid('Content-Length is not a number')
  let length = 0
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) throw invalid('Content-Length is not a number')
    length = length * 10 + digit
  }
  if (!Number.isSafeInteger(length)) throw invalid('Content-Length is too large')
  return length
}

const keepAliveTimeout = (text: string): number => {
  const match = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(text)
  return match ? Number(match[1]) : -1
}

/** The options of Connection (RFC 9110 §7.6.1): `close`, `keep-alive`, `upgrade`, and names of hop-by-hop fields. */
const applyConnection = (fields: Fields, text: string, upgrade: string | null): void => {
  if (text === 'keep-alive' || text === 'Keep-Alive') {
    fields.keepAlive = true
    return
  }
  if (text === 'close') {
    fields.close = true
    return
  }
  for (const part of text.split(',')) {
    const option = part.trim().toLowerCase()
    if (option === '') continue
    if (option === 'close') fields.close = true
    else if (option === 'keep-alive') fields.keepAlive = true
    else if (option === 'upgrade') fields.upgrade = upgrade
    else dropField(fields.headers, option)
  }
}

const dropField = (headers: HeaderList, name: string): void => {
  for (let i = headers.length - 2; i >= 0; i -= 2) if (headers[i] === name) headers.splice(i, 2)
}

/**
 * Parses field lines, each ended by CRLF, from `start` to `end` (RFC 9112 §5). Strict: no folding,
 * no space before the colon, no bare CR or LF, no control characters, framing fields at most once.
 *
 * `bytes` holds from `base` on what `text` was decoded from: characters are looked at there, since a byte of a buffer is
 * one load and a character of a string begins with the question how the string is represented.
 */
export const parseFields = (
  text: string,
  start: number,
  maxFields: number,
  end = text.length,
  keepLines = false,
  bytes: Buffer = Buffer.from(text, 'latin1'),
  base = 0,
): Fields => {
  const fields: Fields = {
    headers: [],
    host: null,
    contentLength: -1,
    chunked: false,
    close: false,
    keepAlive: false,
    upgrade: null,
    expect: null,
    keepAliveSeconds: -1,
    lines: null,
  }
  const headers = fields.headers
  let connection: string | null = null
  let upgrade: string | null = null
  let count = 0
  let position = start
  let lines = ''
  let plainFrom = -1
  let plainForm = keepLines
  while (position < end) {
    if (++count > maxFields)
      throw new GatewayError('head-too-large', { detail: `More than ${maxFields} header fields` })
    const nameStart = position
    let code = bytes[base + position] as number
    let hash = 0
    while ((classes[code]! & token) !== 0) {
      hash = (Math.imul(hash, 31) + code) | 0
      code = bytes[base + ++position] as number
    }
    if (code !== 58 || position === nameStart) {
      if (code === 32 || code === 9)
        throw invalid(
          position === nameStart ? 'A header line is folded' : 'White space before the colon of a header field',
        )
      throw invalid('A header field name is not a token')
    }
    const nameEnd = position
    const name = fieldNameAt(text, nameStart, nameEnd, hash)
    code = bytes[base + ++position] as number
    while (code === 32 || code === 9) code = bytes[base + ++position] as number
    const valueStart = position
    while ((classes[code]! & value) !== 0) code = bytes[base + ++position] as number
    if (code !== 13 || bytes[base + position + 1] !== 10)
      throw invalid('A header field value holds a control character')
    let valueEnd = position
    while (valueEnd > valueStart) {
      const last = bytes[base + valueEnd - 1]
      if (last !== 32 && last !== 9) break
      valueEnd--
    }
    position += 2
    const content = text.slice(valueStart, valueEnd)
    const { kind } = name
    if (keepLines) {
      if (kind !== fieldKinds.plain) {
        if (plainFrom >= 0) lines += text.slice(plainFrom, nameStart)
        plainFrom = -1
      } else {
        if (plainFrom < 0) plainFrom = nameStart
        if (valueStart !== nameEnd + 2 || bytes[base + nameEnd + 1] !== 32 || valueEnd !== position - 2)
          plainForm = false
      }
    }
    switch (kind) {
      case fieldKinds.plain:
      case fieldKinds.requestId:
        headers.push(name.lower, content)
        break
      case fieldKinds.host:
        if (fields.host !== null) throw invalid('Host is repeated')
        fields.host = content
        break
      case fieldKinds.contentLength:
        if (fields.contentLength >= 0) throw invalid('Content-Length is repeated')
        fields.contentLength = parseContentLength(content)
        break
      case fieldKinds.transferEncoding:
        // RFC 9112 §6.1: anything but exactly `chunked` invites two readers to disagree about the body's end.
        if (fields.chunked || content.toLowerCase() !== 'chunked')
          throw invalid('Transfer-Encoding is something else than chunked')
        fields.chunked = true
        break
      case fieldKinds.connection:
        connection = connection === null ? content : `${connection},${content}`
        break
      case fieldKinds.upgrade:
        upgrade = upgrade === null ? content : `${upgrade}, ${content}`
        break
      case fieldKinds.expect:
        fields.expect = content
        break
      case fieldKinds.keepAlive:
        fields.keepAliveSeconds = keepAliveTimeout(content)
        break
    }
  }
  if (fields.chunked && fields.contentLength >= 0)
    throw invalid('Both Content-Length and Transfer-Encoding are present')
  if (plainFrom >= 0) lines += text.slice(plainFrom, end)
  const before = headers.length
  if (connection !== null) applyConnection(fields, connection, upgrade)
  // A field that Connection named is gone from the list, so the lines say too much.
  if (plainForm && headers.length === before) fields.lines = lines
  return fields
}

/** RFC 9112 §7.1.2: trailer fields; those that would change framing, routing or the connection are refused. */
export const parseTrailers = (text: string, maxFields: number): HeaderList | null => {
  if (text.length === 0) return null
  const fields = parseFields(text, 0, maxFields)
  if (fields.host !== null || fields.contentLength >= 0 || fields.chunked || fields.expect !== null)
    throw invalid('A trailer field is not allowed in trailers')
  return fields.headers.length === 0 ? null : fields.headers
}

/** `HTTP/1.0` or `HTTP/1.1` at `position`; other versions are 505, anything else 400. */
const parseVersion = (text: string, position: number): 0 | 1 => {
  if (text.startsWith('HTTP/1.1', position)) return 1
  if (text.startsWith('HTTP/1.0', position)) return 0
  if (/^HTTP\/[0-9]\.[0-9]$/.test(text.slice(position, position + 8))) throw new GatewayError('version-not-supported')
  throw invalid('The HTTP version is not valid')
}

const usualMethods = ['GET', 'POST', 'PUT', 'HEAD', 'PATCH', 'DELETE', 'OPTIONS']

/** The method that ends before `end`; a usual one as the same string each time, which tables find faster. */
const methodAt = (text: string, end: number): string => {
  for (const method of usualMethods) if (method.length === end && text.startsWith(method)) return method
  return text.slice(0, end)
}

/**
 * Parses a request head: the request line and all field lines, each with its CRLF, without the empty line
 * (RFC 9112 §3, §5); what follows `end` is not looked at. Throws GatewayError `bad-request`, `version-not-supported` or `head-too-large`.
 */
export const parseRequestHead = (
  text: string,
  maxFields: number,
  end = text.length,
  bytes: Buffer = Buffer.from(text, 'latin1'),
  base = 0,
): RequestHead => {
  let position = 0
  let code = bytes[base] as number
  while ((classes[code]! & token) !== 0) code = bytes[base + ++position] as number
  if (code !== 32 || position === 0) throw invalid('The request line has no valid method')
  const method = methodAt(text, position)
  const targetStart = ++position
  code = bytes[base + position] as number
  while ((classes[code]! & target) !== 0) code = bytes[base + ++position] as number
  if (code !== 32 || position === targetStart) throw invalid('The request target is not valid')
  const requestTarget = text.slice(targetStart, position)
  const minorVersion = parseVersion(text, position + 1)
  if (bytes[base + position + 9] !== 13 || bytes[base + position + 10] !== 10)
    throw invalid('The request line does not end after the version')
  const head = parseFields(text, position + 11, maxFields, end, false, bytes, base) as RequestHead
  if (minorVersion === 0 && head.chunked) throw invalid('Transfer-Encoding does not exist in HTTP/1.0')
  head.method = method
  head.target = requestTarget
  head.minorVersion = minorVersion
  return head
}

/**
 * Parses a response head in the same form (RFC 9112 §4). The reason phrase is checked and dropped: it carries no meaning.
 * Throws GatewayError; the caller turns it into `upstream-invalid`.
 */
export const parseResponseHead = (
  text: string,
  maxFields: number,
  end = text.length,
  bytes: Buffer = Buffer.from(text, 'latin1'),
  base = 0,
): ResponseHead => {
  const minorVersion = parseVersion(text, 0)
  const hundreds = (bytes[base + 9] as number) - 48
  const tens = (bytes[base + 10] as number) - 48
  const ones = (bytes[base + 11] as number) - 48
  let line = 12
  if ((bytes[base + 12] as number) === 32) while ((classes[bytes[base + line] as number]! & value) !== 0) line++
  const digits = hundreds >= 1 && hundreds <= 5 && tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9
  if (
    !digits ||
    (bytes[base + 8] as number) !== 32 ||
    (bytes[base + line] as number) !== 13 ||
    (bytes[base + line + 1] as number) !== 10
  )
    throw invalid('The status line is not valid')
  const head = parseFields(text, line + 2, maxFields, end, true, bytes, base) as ResponseHead
  if (minorVersion === 0 && head.chunked) throw invalid('Transfer-Encoding does not exist in HTTP/1.0')
  head.status = hundreds * 100 + tens * 10 + ones
  head.minorVersion = minorVersion
  return head
}
