import { randomBytes } from 'node:crypto'
import { GatewayError } from '#base/errors'
import { type HeaderList, isToken, removeHeader } from '../headers.ts'
import { parseContentLength } from '../parse-head.ts'
import { checkHost } from '../request-target.ts'
import { type HeaderName, isPseudo, nameKinds } from './header-names.ts'
import type { FieldSink } from './hpack-decoder.ts'

/** RFC 3986 without a fragment: the same characters as in a request line. */
const targetPattern = /^[\x21\x22\x24-\x7e]+$/
const fieldOverhead = 32

const invalid = (detail: string): GatewayError => new GatewayError('bad-request', { detail })

export type RequestLimits = { readonly head: number; readonly headers: number; readonly target: number }

/** What a valid request head says. */
export type RequestFieldsResult = {
  method: string
  target: string
  host: string
  headers: HeaderList
  /** -1 when absent. */
  contentLength: number
  expectsContinue: boolean
  /** The protocol of an extended CONNECT (RFC 8441), or null. */
  protocol: string | null
}

/**
 * Collects the fields of a request (RFC 9113 §8.3.1) and checks what HTTP/2 and this engine ask of them; one object for
 * all requests of a connection. The first mistake is kept, and the rest of the block only decoded.
 */
export class RequestFields implements FieldSink {
  error: GatewayError | null = null
  #method = ''
  #scheme = ''
  #authority: string | null = null
  #path: string | null = null
  #protocol: string | null = null
  #host: string | null = null
  #contentLength = -1
  #expect: string | null = null
  #cookieAt = -1
  #headers: HeaderList = []
  #size = 0
  #limits: RequestLimits = { head: 0, headers: 0, target: 0 }

  begin(limits: RequestLimits): void {
    this.error = null
    this.#method = ''
    this.#scheme = ''
    this.#authority = null
    this.#path = null
    this.#protocol = null
    this.#host = null
    this.#contentLength = -1
    this.#expect = null
    this.#cookieAt = -1
    this.#headers = []
    this.#size = 0
    this.#limits = limits
  }

  onField(name: HeaderName, value: string, valid: boolean): void {
    if (this.error !== null) return
    this.#size += name.text.length + value.length + fieldOverhead
    if (this.#size > this.#limits.head) {
      this.error = new GatewayError('head-too-large')
      this.#headers = []
      return
    }
    try {
      if (!valid) throw invalid('A header field value is not valid')
      this.#take(name, value)
    } catch (error) {
      this.error = error as GatewayError
      this.#headers = []
    }
  }

  #take({ kind, text }: HeaderName, value: string): void {
    if (isPseudo(kind)) {
      this.#takePseudo(kind, value)
      return
    }
    switch (kind) {
      case nameKinds.plain:
        this.#headers.push(text, value)
        if (this.#headers.length > 2 * this.#limits.headers)
          throw new GatewayError('head-too-large', { detail: `More than ${this.#limits.headers} header fields` })
        break
      case nameKinds.host:
        if (this.#host !== null) throw invalid('Host is repeated')
        this.#host = value
        break
      case nameKinds.contentLength:
        if (this.#contentLength >= 0) throw invalid('Content-Length is repeated')
        this.#contentLength = parseContentLength(value)
        break
      case nameKinds.te:
        if (value !== 'trailers') throw invalid('TE is something else than trailers')
        break
      case nameKinds.cookie:
        this.#takeCookie(value)
        break
      case nameKinds.expect:
        this.#expect = value
        break
      case nameKinds.connectionSpecific:
        throw invalid('A header field belongs to the connection')
      default:
        throw invalid('A header field name is not valid')
    }
  }

  /** RFC 9113 §8.2.3: crumbs become one field again. */
  #takeCookie(value: string): void {
    if (this.#cookieAt < 0) {
      this.#cookieAt = this.#headers.length + 1
      this.#headers.push('cookie', value)
    } else this.#headers[this.#cookieAt] += `; ${value}`
  }

  #takePseudo(kind: number, value: string): void {
    if (this.#headers.length > 0 || this.#host !== null || this.#contentLength >= 0 || this.#expect !== null)
      throw invalid('A pseudo-header comes late')
    if (kind === nameKinds.method) this.#method = this.#once(this.#method, value)
    else if (kind === nameKinds.scheme) this.#scheme = this.#once(this.#scheme, value)
    else if (kind === nameKinds.path) this.#path = this.#once(this.#path ?? '', value)
    else if (kind === nameKinds.protocol) this.#protocol = this.#once(this.#protocol ?? '', value)
    else if (kind === nameKinds.authority && this.#authority === null) this.#authority = value
    else throw invalid('A pseudo-header is repeated or not of a request')
  }

  #once(before: string, value: string): string {
    if (before !== '' || value === '') throw invalid('A pseudo-header is repeated or empty')
    return value
  }

  /** The request, or the error that refuses it. Throws GatewayError. */
  finish(): RequestFieldsResult {
    if (this.error !== null) throw this.error
    const method = this.#method
    const path = this.#path
    if (method === '' || !isToken(method)) throw invalid('There is no valid method')
    if (method === 'CONNECT' && this.#protocol === null) {
      if (path !== null || this.#scheme !== '') throw invalid('CONNECT has a path or a scheme')
      throw new GatewayError('not-implemented', { detail: 'CONNECT is not served here' })
    }
    if (this.#protocol !== null && method !== 'CONNECT') throw invalid('A protocol without CONNECT')
    if (this.#scheme !== 'http' && this.#scheme !== 'https') throw invalid('The scheme is missing or unknown')
    if (path === null || !targetPattern.test(path)) throw invalid('The path is missing or not valid')
    if (path.charCodeAt(0) !== 47 && !(path === '*' && method === 'OPTIONS')) throw invalid('The path is not a path')
    if (path.length > this.#limits.target) throw new GatewayError('target-too-long')
    if (this.#expect !== null && this.#expect.toLowerCase() !== '100-continue')
      throw new GatewayError('expectation-failed')
    if (this.#protocol !== null && this.#protocol.toLowerCase() !== 'websocket')
      throw new GatewayError('not-implemented', { detail: 'No other protocol than websocket is served here' })
    return {
      method: this.#protocol === null ? method : 'GET',
      target: path,
      host: this.#hostOf(),
      headers: this.#protocol === null ? this.#headers : withWebSocketKey(this.#headers),
      contentLength: this.#contentLength,
      expectsContinue: this.#expect !== null,
      protocol: this.#protocol,
    }
  }

  /** RFC 9113 §8.3.1: `:authority` takes the place of Host; two that differ would be read in two ways. */
  #hostOf(): string {
    const authority = this.#authority
    const host = this.#host
    if (authority === null && host === null) throw invalid('The authority is missing')
    if (authority !== null && host !== null && authority.toLowerCase() !== host.toLowerCase())
      throw invalid('Host differs from the authority')
    return checkHost(authority ?? (host as string))
  }
}

/** A WebSocket over HTTP/2 has no key (RFC 8441 §5); as a GET it needs one (RFC 6455 §4.1). */
const withWebSocketKey = (headers: HeaderList): HeaderList => {
  removeHeader(headers, 'sec-websocket-key')
  headers.push('sec-websocket-key', randomBytes(16).toString('base64'))
  return headers
}
