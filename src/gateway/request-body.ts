import { GatewayError, toGatewayError } from '#base/errors'
import type { ClientExchange } from '#http/client'
import type { HeaderList } from '#http/headers'
import type { BodySink } from '#http/message'
import type { RequestFilter } from './forward-options.ts'
import { cleanTrailers } from './forwarded-headers.ts'
import type { GatewayCall } from './gateway-call.ts'

/**
 * The body of a call on its way from the client to whatever try is under way. It is streamed; while not more than `keep`
 * bytes have been sent, they are also kept, so that another try can begin with them.
 */
export class RequestBody implements BodySink {
  readonly #call: GatewayCall
  readonly #filter: RequestFilter | null
  #keep: number
  readonly #fail: (error: GatewayError) => void
  #client: ClientExchange | null = null
  #kept: Buffer[] = []
  #received = 0
  #sent = 0
  #started = false
  #ended = false
  #trailers: HeaderList | null = null

  constructor(call: GatewayCall, filter: RequestFilter | null, keep: number, fail: (error: GatewayError) => void) {
    this.#call = call
    this.#filter = filter
    this.#keep = keep
    this.#fail = fail
  }

  /** Whether everything that was sent so far can be sent again. */
  get whole(): boolean {
    return this.#sent <= this.#keep && (this.#keep > 0 || !this.#started)
  }

  /** A connection is there: sends it what is kept, then what comes. */
  sendTo(client: ClientExchange): void {
    this.#client = client
    if (!this.#started) {
      this.#started = true
      this.#call.exchange.receive(this)
      return
    }
    for (const chunk of this.#kept) client.write(chunk)
    if (this.#ended) client.end(this.#trailers)
    else this.#call.exchange.resume()
  }

  /** The try is over: nothing more may be written to its connection. */
  detach(): void {
    this.#client = null
  }

  /** It will not be sent again: what was kept for that is let go. */
  forget(): void {
    this.#keep = 0
    this.#kept = []
  }

  /** What has not been read yet waits for the next try. */
  hold(): void {
    if (this.#started && !this.#ended) this.#call.exchange.pause()
  }

  onBodyData(chunk: Buffer): void {
    const client = this.#client
    if (client === null) return
    this.#received += chunk.length
    if (this.#received > this.#call.bodyLimit) {
      this.#fail(new GatewayError('body-too-large'))
      return
    }
    let bytes: Buffer | null = chunk
    if (this.#filter !== null) {
      try {
        bytes = this.#filter.data(chunk)
      } catch (error) {
        this.#fail(toGatewayError(error))
        return
      }
      if (bytes === null) return
    }
    this.#sent += bytes.length
    if (this.#keep > 0) this.#keepCopy(bytes)
    if (!client.write(bytes)) this.#call.exchange.pause()
  }

  onBodyEnd(trailers: HeaderList | null): void {
    this.#ended = true
    try {
      this.#filter?.end()
    } catch (error) {
      this.#fail(toGatewayError(error))
      return
    }
    this.#trailers = cleanTrailers(trailers)
    this.#client?.end(this.#trailers)
  }

  #keepCopy(bytes: Buffer): void {
    if (this.#sent <= this.#keep) this.#kept.push(Buffer.from(bytes))
    else if (this.#kept.length > 0) this.#kept = []
  }
}
