import { GatewayError } from '#base/errors'
import type { HeaderList } from '#http/headers'
import type { BodySink, ServerExchange } from '#http/message'

/** Collects a whole request body in memory, up to a limit. */
export class BodyReader implements BodySink {
  readonly #exchange: ServerExchange
  readonly #limit: number
  readonly #chunks: Buffer[] = []
  #length = 0
  #resolve: (body: Buffer) => void = () => {}
  #reject: (error: GatewayError) => void = () => {}

  constructor(exchange: ServerExchange, limit: number) {
    this.#exchange = exchange
    this.#limit = limit
  }

  /** `watch` receives a function to call when the client goes away. */
  read(watch: (listener: (error: GatewayError) => void) => void): Promise<Buffer> {
    if (this.#exchange.framing === 'none') return Promise.resolve(Buffer.alloc(0))
    if (this.#exchange.contentLength > this.#limit) return Promise.reject(new GatewayError('body-too-large'))
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      watch(reject)
      this.#exchange.receive(this)
    })
  }

  onBodyData(chunk: Buffer): void {
    this.#length += chunk.length
    if (this.#length > this.#limit) {
      this.#exchange.pause()
      this.#chunks.length = 0
      this.#reject(new GatewayError('body-too-large'))
      return
    }
    this.#chunks.push(Buffer.from(chunk))
  }

  onBodyEnd(_trailers: HeaderList | null): void {
    this.#resolve(this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks))
  }
}
