/**
 * A small strict reader of HTTP/1.1 messages for tests. It shares no code with the engine on purpose: it is the
 * second opinion. Whatever RFC 9112 calls invalid throws here.
 */
export type RawHeaders = readonly (readonly [name: string, value: string])[]

export type MessageFraming = 'none' | 'length' | 'chunked' | 'close'

/** One message as it stood on the wire; header names keep their spelling. */
export type Message = {
  readonly startLine: string
  readonly headers: RawHeaders
  readonly framing: MessageFraming
  readonly body: Buffer
  readonly trailers: RawHeaders
  /** False when the stream ended inside the body. */
  readonly complete: boolean
  /** Bytes of the stream this message took. */
  readonly length: number
}

export type ResponseMessage = Message & { readonly version: string; readonly status: number; readonly reason: string }
export type RequestMessage = Message & { readonly method: string; readonly target: string }

/** All values of `name` (any case) in order. */
export const headersOf = (message: { headers: RawHeaders }, name: string): string[] =>
  message.headers.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value)

/** The only value of `name`; undefined when absent, an error when repeated. */
export const headerOf = (message: { headers: RawHeaders }, name: string): string | undefined => {
  const values = headersOf(message, name)
  if (values.length > 1) throw new Error(`${name} is repeated: ${values.join(' | ')}`)
  return values[0]
}

const fieldLines = (text: string): RawHeaders => {
  if (text === '') return []
  return text.split('\r\n').map(line => {
    const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/.exec(line)
    if (!match) throw new Error(`invalid field line ${JSON.stringify(line)}`)
    return [match[1] as string, match[2] as string] as const
  })
}

type Body = { body: Buffer; trailers: RawHeaders; complete: boolean; end: number }

const chunkedBody = (bytes: Buffer, start: number, ended: boolean): Body | null => {
  const parts: Buffer[] = []
  const partial = (): Body | null =>
    ended ? { body: Buffer.concat(parts), trailers: [], complete: false, end: bytes.length } : null
  let at = start
  for (;;) {
    const line = bytes.indexOf('\r\n', at)
    if (line < 0) return partial()
    const text = bytes.toString('latin1', at, line)
    if (!/^[0-9A-Fa-f]{1,12}$/.test(text)) throw new Error(`invalid chunk size ${JSON.stringify(text)}`)
    const size = Number.parseInt(text, 16)
    at = line + 2
    if (size === 0) break
    if (bytes.length < at + size + 2) {
      parts.push(bytes.subarray(at, Math.min(bytes.length, at + size)))
      return partial()
    }
    if (bytes.toString('latin1', at + size, at + size + 2) !== '\r\n')
      throw new Error('chunk data is not ended by CRLF')
    parts.push(bytes.subarray(at, at + size))
    at += size + 2
  }
  if (bytes.toString('latin1', at, at + 2) === '\r\n')
    return { body: Buffer.concat(parts), trailers: [], complete: true, end: at + 2 }
  const end = bytes.indexOf('\r\n\r\n', at)
  if (end < 0) return partial()
  return {
    body: Buffer.concat(parts),
    trailers: fieldLines(bytes.toString('latin1', at, end)),
    complete: true,
    end: end + 4,
  }
}

const framingOf = (headers: RawHeaders, otherwise: 'none' | 'close'): { framing: MessageFraming; length: number } => {
  const lengths = headersOf({ headers }, 'content-length')
  const codings = headersOf({ headers }, 'transfer-encoding')
  if (lengths.length + codings.length > 1)
    throw new Error(`ambiguous framing: ${JSON.stringify([...lengths, ...codings])}`)
  if (codings.length === 1) {
    if (codings[0]?.toLowerCase() !== 'chunked') throw new Error(`transfer-encoding ${codings[0]}`)
    return { framing: 'chunked', length: -1 }
  }
  if (lengths.length === 0) return { framing: otherwise, length: 0 }
  if (!/^[0-9]+$/.test(lengths[0] as string)) throw new Error(`content-length ${lengths[0]}`)
  return { framing: 'length', length: Number(lengths[0]) }
}

const readBody = (bytes: Buffer, start: number, framing: MessageFraming, length: number, ended: boolean) => {
  if (framing === 'none') return { body: Buffer.alloc(0), trailers: [], complete: true, end: start }
  if (framing === 'chunked') return chunkedBody(bytes, start, ended)
  if (framing === 'close')
    return ended ? { body: bytes.subarray(start), trailers: [], complete: true, end: bytes.length } : null
  if (bytes.length < start + length)
    return ended ? { body: bytes.subarray(start), trailers: [], complete: false, end: bytes.length } : null
  return { body: bytes.subarray(start, start + length), trailers: [], complete: true, end: start + length }
}

const readHead = (bytes: Buffer): { startLine: string; headers: RawHeaders; end: number } | null => {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return null
  const text = bytes.toString('latin1', 0, end)
  const line = text.indexOf('\r\n')
  const startLine = line < 0 ? text : text.slice(0, line)
  if (/[\r\n]/.test(startLine)) throw new Error(`bare CR or LF in the start line ${JSON.stringify(startLine)}`)
  return { startLine, headers: line < 0 ? [] : fieldLines(text.slice(line + 2)), end: end + 4 }
}

/**
 * The response at the start of `bytes`, or null when more bytes are needed. `method` is that of the request;
 * `ended` tells that no more bytes will come.
 */
export const readResponse = (bytes: Buffer, method: string, ended: boolean): ResponseMessage | null => {
  const head = readHead(bytes)
  if (!head) return null
  const match = /^HTTP\/(1\.[01]) ([1-5][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)$/.exec(head.startLine)
  if (!match) throw new Error(`invalid status line ${JSON.stringify(head.startLine)}`)
  const status = Number(match[2])
  const bodiless = method === 'HEAD' || status < 200 || status === 204 || status === 304
  if ((status < 200 || status === 204) && headersOf(head, 'content-length').length > 0)
    throw new Error(`content-length in a ${status} response (RFC 9110 §8.6)`)
  if ((status < 200 || status === 204) && headersOf(head, 'transfer-encoding').length > 0)
    throw new Error(`transfer-encoding in a ${status} response (RFC 9112 §6.1)`)
  const { framing, length } = framingOf(head.headers, 'close')
  const body = readBody(bytes, head.end, bodiless ? 'none' : framing, length, ended)
  if (!body) return null
  const { end, ...rest } = body
  return {
    startLine: head.startLine,
    version: match[1] as string,
    status,
    reason: match[3] as string,
    headers: head.headers,
    framing: bodiless ? 'none' : framing,
    ...rest,
    length: end,
  }
}

/** The request at the start of `bytes`, or null when more bytes are needed. */
export const readRequest = (bytes: Buffer, ended: boolean): RequestMessage | null => {
  const head = readHead(bytes)
  if (!head) return null
  const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP\/1\.[01]$/.exec(head.startLine)
  if (!match) throw new Error(`invalid request line ${JSON.stringify(head.startLine)}`)
  const { framing, length } = framingOf(head.headers, 'none')
  const body = readBody(bytes, head.end, framing, length, ended)
  if (!body) return null
  const { end, ...rest } = body
  return {
    startLine: head.startLine,
    method: match[1] as string,
    target: match[2] as string,
    headers: head.headers,
    framing,
    ...rest,
    length: end,
  }
}
