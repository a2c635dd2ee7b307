import type { Socket } from 'node:net'
import { GatewayError } from '#base/errors'
import { ChunkedDecoder } from '../chunked.ts'
import type { ClientExchange, OutgoingRequest, Pool, ResponseHandler } from '../client.ts'
import { connectError, connectSocket } from '../connect-socket.ts'
import { checkIncompleteHead, findHead, type HeadText } from '../find-head.ts'
import type { HeaderList } from '../headers.ts'
import type { BodySink } from '../message.ts'
import { parseResponseHead, type ResponseHead } from '../parse-head.ts'
import { SocketWriter } from '../socket-writer.ts'
import { Timer } from '../timer-wheel.ts'
import { chunkSize, lastChunk } from './head-text.ts'
import { RawSocketStream } from './raw-socket-stream.ts'
import { requestHeadText } from './request-head-text.ts'

type Phase = 'connecting' | 'idle' | 'head' | 'body' | 'raw' | 'closed'

const notReached = { retry: 'yes', detail: 'The upstream could not be reached in time' } as const

/** One HTTP/1.1 connection to an origin, one exchange at a time. */
export class ClientConnection implements ClientExchange, BodySink {
  reused = false
  /** Requests begun. */
  requests = 0
  /** Time of the wheel. */
  readonly openedAt: number
  readonly #pool: Pool
  readonly #socket: Socket
  readonly #writer: SocketWriter
  readonly #timer: Timer
  #phase: Phase = 'connecting'
  #handler: ResponseHandler | null = null
  #request: OutgoingRequest | null = null
  #head = ''
  #requestDone = true
  #pending: Buffer | null = null
  #remaining = 0
  #chunked: ChunkedDecoder | null = null
  #untilClose = false
  #reusable = false
  #responseBytes = 0
  #idleLimit: number
  #totalDeadline = 0
  #paused = false
  #complete = false
  #trailers: HeaderList | null = null
  #raw: RawSocketStream | null = null

  constructor(pool: Pool) {
    this.#pool = pool
    this.openedAt = pool.options.wheel.now
    this.#idleLimit = pool.options.idleTimeout
    this.#timer = new Timer(() => this.#onTimeout())
    this.#socket = connectSocket(pool, ['http/1.1'], (bytes, length) => this.#onBytes(bytes, length))
    this.#socket.once(pool.options.origin.tls === null ? 'connect' : 'secureConnect', () => this.#onConnect())
    this.#writer = new SocketWriter(this.#socket, pool.options.origin.tls === null)
    this.#socket.on('drain', () => this.#onDrain())
    this.#socket.on('end', () => this.#onEnd())
    this.#socket.on('error', error => this.#onSocketError(error))
    this.#socket.on('close', () => this.#onClose())
  }

  get connected(): boolean {
    return this.#phase !== 'connecting'
  }

  start(request: OutgoingRequest, handler: ResponseHandler): void {
    const { wheel } = this.#pool.options
    this.requests++
    this.#handler = handler
    this.#request = request
    this.#requestDone = false
    this.#responseBytes = 0
    this.#totalDeadline = wheel.now + request.totalTimeout
    this.#head = requestHeadText(request)
    if (this.#phase === 'connecting') {
      this.#setTimer(request.connectTimeout)
      return
    }
    this.reused = true
    this.#send()
  }

  #send(): void {
    const request = this.#request as OutgoingRequest
    this.#phase = 'head'
    this.#setTimer(request.responseTimeout)
    if (request.body !== null) {
      this.#requestDone = true
      this.#writer.bytes(this.#takeHead(), request.body, '')
    } else if (request.length === 0) {
      this.#requestDone = true
      this.#writer.text(this.#takeHead())
    }
    const handler = this.#handler as ResponseHandler
    handler.onReady(this)
    // Body bytes that were already there left together with the head; else it goes alone now.
    if (this.#head !== '') this.#writer.text(this.#takeHead())
  }

  #takeHead(): string {
    const head = this.#head
    this.#head = ''
    return head
  }

  // ---- ClientExchange

  write(chunk: Buffer): boolean {
    const request = this.#request
    if (request === null || this.#requestDone || chunk.length === 0) return true
    let before = this.#takeHead()
    let after = ''
    if (request.length < 0) {
      before += chunkSize(chunk.length)
      after = '\r\n'
    }
    if (this.#phase === 'head') this.#setTimer(request.responseTimeout)
    return this.#writer.bytes(before, chunk, after)
  }

  end(trailers: HeaderList | null): void {
    const request = this.#request
    if (request === null || this.#requestDone) return
    this.#requestDone = true
    let text = this.#takeHead()
    if (request.length < 0) text += lastChunk(trailers)
    if (text !== '') this.#writer.text(text)
  }

  pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.#pool.options.wheel.clear(this.#timer)
    this.#socket.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#setTimer(this.#request?.idleTimeout ?? this.#idleLimit)
    this.#socket.resume()
  }

  setIdleTimeout(ms: number): void {
    if (this.#request === null) return
    this.#request = { ...this.#request, idleTimeout: ms }
    if (!this.#paused) this.#setTimer(ms)
  }

  abort(): void {
    this.#handler = null
    this.#close()
  }

  // ---- bytes in

  #onBytes(bytes: Buffer, length: number): void {
    if (this.#phase === 'raw') {
      const raw = this.#raw as RawSocketStream
      raw.bytesIn += length
      raw.onData?.(bytes.subarray(0, length))
      return
    }
    if (this.#handler === null) {
      // Bytes nobody asked for (RFC 9112 §9.2): they must never become the answer to the next request.
      this.#close()
      return
    }
    this.#responseBytes += length
    try {
      if (this.#pending === null) this.#process(bytes, length)
      else {
        const joined = Buffer.concat([this.#pending, bytes.subarray(0, length)])
        this.#pending = null
        this.#process(joined, joined.length)
      }
    } catch (error) {
      this.#fail(
        error instanceof GatewayError && error.source === 'client'
          ? new GatewayError('upstream-invalid', { cause: error })
          : error instanceof GatewayError
            ? error
            : new GatewayError('internal', { cause: error }),
      )
      return
    }
    if (this.#phase === 'body' || this.#phase === 'head') this.#handler?.onPause()
  }

  #process(bytes: Buffer, length: number): void {
    let position = 0
    while (position < length && this.#handler !== null && !this.#complete) {
      if (this.#phase === 'head') {
        const next = this.#readHead(bytes, position, length)
        if (next === position) {
          this.#pending = Buffer.from(bytes.subarray(position, length))
          return
        }
        position = next
      } else if (this.#phase === 'body') position = this.#readBody(bytes, position, length)
      else break
    }
    if (position < length && this.#phase === 'raw') this.#raw?.onData?.(bytes.subarray(position, length))
    else if (this.#complete) this.#finish(position === length)
  }

  #readHead(bytes: Buffer, start: number, length: number): number {
    const { maxHead, maxFields } = this.#pool.options
    const found = findHead(bytes, start, length)
    if (found === null) {
      checkIncompleteHead(bytes, start, length, { head: maxHead, target: maxHead })
      return start
    }
    if (found.size > maxHead)
      throw new GatewayError('upstream-invalid', { detail: 'The upstream sent too large a head' })
    const head = parseResponseHead(found.text, maxFields, found.end, bytes, start)
    const next = start + found.size
    const handler = this.#handler as ResponseHandler
    const request = this.#request as OutgoingRequest
    if (head.status === 101) {
      this.#becomeRaw(head, handler, request)
      return next
    }
    if (head.status < 200) {
      if (head.contentLength >= 0 || head.chunked) throw new GatewayError('upstream-invalid')
      handler.onInformational(head.status, head.headers)
      return next
    }
    this.#beginBody(head, request)
    return next + this.#readShortBody(found, length - next)
  }

  /** A whole short body behind its head has been decoded together with it: no bytes need to be looked at again. */
  #readShortBody({ text, size }: HeadText, there: number): number {
    const handler = this.#handler
    const left = this.#remaining
    if (left === 0 || this.#chunked !== null || this.#untilClose || left > there || size + left > text.length) return 0
    if (handler === null || handler.onBodyText === undefined) return 0
    this.#remaining = 0
    handler.onBodyText(text.slice(size, size + left))
    this.onBodyEnd(null)
    return left
  }

  #becomeRaw(head: ResponseHead, handler: ResponseHandler, request: OutgoingRequest): void {
    if (request.upgrade === null || head.upgrade === null) throw new GatewayError('upstream-invalid')
    this.#phase = 'raw'
    this.#handler = null
    this.#pool.options.wheel.remove(this.#timer)
    this.#raw = new RawSocketStream(this.#socket, this.#writer, reading => {
      if (reading) this.#socket.resume()
      else this.#socket.pause()
    })
    handler.onUpgrade(head.headers, this.#raw)
  }

  #beginBody(head: ResponseHead, request: OutgoingRequest): void {
    const handler = this.#handler as ResponseHandler
    this.#phase = 'body'
    this.#untilClose = false
    this.#reusable = !head.close && (head.minorVersion === 1 || head.keepAlive)
    if (head.keepAliveSeconds >= 0)
      this.#idleLimit = Math.min(this.#pool.options.idleTimeout, Math.max(head.keepAliveSeconds * 1000 - 1000, 500))
    this.#setTimer(request.idleTimeout)
    const { contentLength, chunked, status } = head
    // RFC 9112 §6.3: these never have a body, whatever their fields say.
    if (request.method === 'HEAD' || status === 204 || status === 304) {
      if (status === 204 && (contentLength > 0 || chunked)) throw new GatewayError('upstream-invalid')
      handler.onResponse(status, head.headers, contentLength, head.lines)
      this.onBodyEnd(null)
    } else if (chunked) {
      this.#chunked = new ChunkedDecoder()
      handler.onResponse(status, head.headers, -1, head.lines)
    } else if (contentLength >= 0) {
      this.#remaining = contentLength
      handler.onResponse(status, head.headers, contentLength, head.lines)
      if (contentLength === 0) this.onBodyEnd(null)
    } else {
      this.#untilClose = true
      this.#reusable = false
      handler.onResponse(status, head.headers, -1, head.lines)
    }
  }

  #readBody(bytes: Buffer, start: number, length: number): number {
    if (this.#chunked !== null) return this.#chunked.feed(bytes, start, length, this)
    const take = this.#untilClose ? length - start : Math.min(this.#remaining, length - start)
    this.onBodyData(start === 0 && take === bytes.length ? bytes : bytes.subarray(start, start + take))
    if (!this.#untilClose) {
      this.#remaining -= take
      if (this.#remaining === 0) this.onBodyEnd(null)
    }
    return start + take
  }

  onBodyData(chunk: Buffer): void {
    if (!this.#paused) this.#setTimer(this.#request?.idleTimeout ?? this.#idleLimit)
    this.#handler?.onBodyData(chunk)
  }

  onBodyEnd(trailers: HeaderList | null): void {
    this.#complete = true
    this.#trailers = trailers
  }

  /** The response is whole. `clean` is false when more bytes came than it has: such a connection is never used again. */
  #finish(clean: boolean): void {
    const handler = this.#handler
    const trailers = this.#trailers
    this.#complete = false
    this.#trailers = null
    this.#handler = null
    this.#request = null
    this.#chunked = null
    this.#phase = 'idle'
    // A request body still under way would be read as the next request.
    if (clean && this.#reusable && this.#requestDone && !this.#socket.destroyed && this.#pool.release(this)) {
      if (this.#paused) {
        this.#paused = false
        this.#socket.resume()
      }
      this.#pool.options.wheel.set(this.#timer, this.#idleLimit)
    } else this.#close()
    handler?.onBodyEnd(trailers)
  }

  // ---- the life of the socket

  #onConnect(): void {
    if (this.#handler === null) {
      this.#close()
      return
    }
    this.#send()
  }

  #onDrain(): void {
    if (this.#phase === 'raw') this.#raw?.onDrain?.()
    else this.#handler?.onDrain()
  }

  #onEnd(): void {
    if (this.#phase === 'raw') {
      this.#raw?.onEnd?.()
      return
    }
    if (this.#phase === 'body' && this.#untilClose) {
      this.#finish(false)
      return
    }
    this.#fail(this.#closedError())
  }

  #closedError(cause?: unknown): GatewayError {
    const nothingCame = this.#responseBytes === 0
    return new GatewayError('upstream-closed', { retry: nothingCame && this.reused ? 'if-reused' : 'no', cause })
  }

  #onSocketError(error: NodeJS.ErrnoException): void {
    if (this.#phase === 'connecting') this.#fail(connectError(error))
    else this.#fail(this.#closedError(error))
  }

  #onTimeout(): void {
    if (this.#phase === 'idle') this.#close()
    else if (this.#phase === 'connecting') this.#fail(new GatewayError('upstream-timeout', notReached))
    else this.#fail(new GatewayError('upstream-timeout'))
  }

  #fail(error: GatewayError): void {
    const handler = this.#handler
    this.#handler = null
    this.#close()
    handler?.onError(error)
  }

  #onClose(): void {
    if (this.#phase === 'raw') this.#raw?.onClose?.()
    else if (this.#handler !== null) this.#fail(this.#closedError())
    this.#phase = 'closed'
    this.#pool.options.wheel.remove(this.#timer)
    this.#pool.forget(this)
  }

  /** The socket tells of its end only later; until then no request may take this connection. */
  #close(): void {
    this.#pool.forget(this)
    this.#socket.destroy()
  }

  #setTimer(ms: number): void {
    const { wheel } = this.#pool.options
    wheel.set(this.#timer, Math.max(Math.min(ms, this.#totalDeadline - wheel.now), 0))
  }
}
