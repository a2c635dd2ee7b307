import { GatewayError } from '#base/errors'
import { fieldLines } from '../field-lines.ts'
import type { HeaderList } from '../headers.ts'
import type { BodySink, ExchangeListener, Framing, PeerInfo, RawStream, ServerExchange } from '../message.ts'
import type { RequestHead } from '../parse-head.ts'
import { chunkSize, contentLengthLine, lastChunk, statusLine } from './head-text.ts'
import type { ServerConnection } from './server-connection.ts'

const noBody = (method: string, status: number): boolean => method === 'HEAD' || status === 204 || status === 304

/** One request on an HTTP/1.1 connection; see ServerExchange for the contract. */
export class Http1Exchange implements ServerExchange {
  readonly peer: PeerInfo
  readonly method: string
  readonly target: string
  readonly host: string
  readonly headers: HeaderList
  readonly version: '1.0' | '1.1'
  readonly framing: Framing
  readonly contentLength: number
  readonly upgradeProtocol: string | null
  readonly expectsContinue: boolean
  readonly startedMono: number
  responseStarted = false
  responseEnded = false
  bytesIn: number
  bytesOut = 0
  listener: ExchangeListener | null = null
  /** Whether the connection may serve another request after this one. */
  keepAlive: boolean
  /** The client has said that this is its last request, and it has no body behind which something could follow. */
  readonly isLast: boolean
  readonly #connection: ServerConnection
  #head = ''
  #mode: 'none' | 'length' | 'chunked' | 'close' = 'none'
  #remaining = 0

  constructor(connection: ServerConnection, head: RequestHead, host: string, target: string, headBytes: number) {
    this.#connection = connection
    this.peer = connection.peer
    this.method = head.method
    this.target = target
    this.host = host
    this.headers = head.headers
    this.version = head.minorVersion === 1 ? '1.1' : '1.0'
    this.framing = head.chunked ? 'chunked' : head.contentLength > 0 ? 'length' : 'none'
    this.contentLength = head.chunked ? -1 : Math.max(head.contentLength, 0)
    this.upgradeProtocol = head.minorVersion === 1 ? head.upgrade : null
    this.expectsContinue = head.expect !== null && head.minorVersion === 1
    this.keepAlive = head.minorVersion === 1 ? !head.close : head.keepAlive && !head.close
    this.isLast = !this.keepAlive && this.framing === 'none'
    this.bytesIn = headBytes
    this.startedMono = connection.requestStartedMono
  }

  receive(sink: BodySink): void {
    this.#connection.receiveBody(this, sink)
  }

  pause(): void {
    this.#connection.setBodyPaused(true)
  }

  resume(): void {
    this.#connection.setBodyPaused(false)
  }

  informational(status: number, headers: HeaderList): void {
    // RFC 9110 §15.2: a 1xx must not be sent to an HTTP/1.0 client.
    if (this.version === '1.0' || this.responseStarted) return
    this.#write(`${statusLine(status)}${fieldLines(headers)}\r\n`)
  }

  respond(status: number, headers: HeaderList, body: Buffer | string | null): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    this.head(status, headers, bytes === null ? 0 : bytes.length)
    if (bytes !== null && bytes.length > 0) this.write(bytes)
    this.end(null)
  }

  head(status: number, headers: HeaderList, length: number): void {
    this.headLines(status, fieldLines(headers), length)
  }

  headLines(status: number, lines: string, length: number): void {
    this.responseStarted = true
    this.#connection.responseBegins(this)
    let text = statusLine(status) + lines
    if (noBody(this.method, status)) {
      this.#mode = 'none'
      if (length >= 0 && status !== 204 && (length > 0 || status !== 304)) text += `content-length: ${length}\r\n`
    } else if (length >= 0) {
      this.#mode = 'length'
      this.#remaining = length
      text += contentLengthLine(length)
    } else if (this.version === '1.1') {
      this.#mode = 'chunked'
      text += 'transfer-encoding: chunked\r\n'
    } else {
      // RFC 9112 §6.3: HTTP/1.0 knows no chunks; the end of the connection is the end of the body.
      this.#mode = 'close'
      this.keepAlive = false
    }
    if (!this.keepAlive) text += 'connection: close\r\n'
    else if (this.version === '1.0') text += 'connection: keep-alive\r\n'
    this.#head = `${text}\r\n`
  }

  /** Sends a head that still waits for its first body bytes. */
  flush(): void {
    if (this.#head === '') return
    const head = this.#head
    this.#head = ''
    this.#write(head)
  }

  write(chunk: Buffer): boolean {
    if (this.responseEnded || chunk.length === 0 || this.#mode === 'none') return true
    const before = this.#before(chunk.length)
    const after = this.#mode === 'chunked' ? '\r\n' : ''
    this.bytesOut += before.length + chunk.length + after.length
    return this.#connection.write(before, chunk, after)
  }

  writeText(text: string): boolean {
    if (this.responseEnded || text.length === 0 || this.#mode === 'none') return true
    const all = this.#before(text.length) + text + (this.#mode === 'chunked' ? '\r\n' : '')
    this.bytesOut += all.length
    return this.#connection.writeText(all)
  }

  /** What goes before `length` bytes of the body: the head, if it still waits, and a chunk's size. */
  #before(length: number): string {
    const head = this.#head
    this.#head = ''
    if (this.#mode === 'chunked') return head + chunkSize(length)
    this.#remaining -= this.#mode === 'length' ? length : 0
    if (this.#remaining < 0) throw new GatewayError('internal', { detail: 'More body bytes than announced' })
    return head
  }

  end(trailers: HeaderList | null): void {
    if (this.responseEnded) return
    if (this.#mode === 'length' && this.#remaining > 0) {
      this.abort()
      return
    }
    this.responseEnded = true
    let text = this.#head
    this.#head = ''
    if (this.#mode === 'chunked') text += lastChunk(trailers)
    if (text !== '') this.#write(text)
    if (this.#mode === 'close') this.keepAlive = false
    this.#connection.responseEnds(this)
    this.listener?.onFinish()
  }

  abort(): void {
    if (this.responseEnded) return
    this.responseEnded = true
    // A head that was begun goes out, so that the client sees a cut answer rather than none.
    this.flush()
    // Where the end of the connection is the end of the body, only a reset can say that it is not.
    this.#connection.cut(this.#mode === 'close')
    this.listener?.onFinish()
  }

  upgrade(status: number, headers: HeaderList): RawStream {
    this.responseStarted = true
    this.responseEnded = true
    this.keepAlive = false
    this.#write(
      `${statusLine(status)}${fieldLines(headers)}connection: upgrade\r\nupgrade: ${this.upgradeProtocol}\r\n\r\n`,
    )
    return this.#connection.becomeRaw()
  }

  #write(text: string): void {
    this.bytesOut += text.length
    this.#connection.writeText(text)
  }
}
