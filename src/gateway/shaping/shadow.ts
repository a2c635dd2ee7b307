import { createHash, type Hash } from 'node:crypto'
import { monotonicMs } from '#base/clock'
import { type GatewayError, toGatewayError } from '#base/errors'
import type { ClientExchange, OutgoingRequest, ResponseHandler } from '#http/client'
import type { HeaderList } from '#http/headers'
import type { RawStream } from '#http/message'
import type { GatewayCall } from '../gateway-call.ts'
import { type Outcome, outcomeOf, type Target } from '../target.ts'
import type { Upstream } from '../upstream.ts'

export type ShadowRequest = {
  readonly method: string
  /** Path with query. */
  readonly path: string
  readonly fields: string
  /** Null asks for the target's own. */
  readonly host: string | null
  readonly body: Buffer
}

/** `digest` is the SHA-256 of the body in hex, or empty when nobody asked. */
export type ShadowAnswer = { readonly status: number; readonly headers: HeaderList; readonly digest: string }

/** Reads an answer to its end and keeps nothing of it but what is compared. */
class Shadow implements ResponseHandler {
  readonly #target: Target
  readonly #startedAt = monotonicMs()
  readonly #hash: Hash | null
  readonly #done: (answer: ShadowAnswer | null) => void
  #status = 0
  #headers: HeaderList = []
  #headAt = 0

  constructor(target: Target, hashes: boolean, done: (answer: ShadowAnswer | null) => void) {
    this.#target = target
    this.#hash = hashes ? createHash('sha256') : null
    this.#done = done
    target.begin()
  }

  onReady(_exchange: ClientExchange): void {}
  onInformational(_status: number, _headers: HeaderList): void {}
  onPause(): void {}
  onDrain(): void {}

  onResponse(status: number, headers: HeaderList, _length: number): void {
    this.#status = status
    this.#headers = headers
    this.#headAt = monotonicMs()
  }

  onBodyData(chunk: Buffer): void {
    this.#hash?.update(chunk)
  }

  onBodyEnd(_trailers: HeaderList | null): void {
    this.#end('ok', { status: this.#status, headers: this.#headers, digest: this.#hash?.digest('hex') ?? '' })
  }

  onUpgrade(_headers: HeaderList, stream: RawStream): void {
    stream.destroy()
    this.#end('error', null)
  }

  onError(error: GatewayError): void {
    this.#end(outcomeOf(error, undefined), null)
  }

  #end(outcome: Outcome, answer: ShadowAnswer | null): void {
    const until = this.#headAt === 0 ? monotonicMs() : this.#headAt
    this.#target.end(outcome, until - this.#startedAt, this.#status)
    this.#done(answer)
  }
}

/** Sends a copy of a call, once; `done` hears the answer, or null when there was none. Never throws. */
export const sendShadow = (
  upstream: Upstream,
  call: GatewayCall,
  request: ShadowRequest,
  timeout: number,
  hashes: boolean,
  done: (answer: ShadowAnswer | null) => void,
): void => {
  const target = upstream.choose(call, null)
  if (target === null) {
    done(null)
    return
  }
  const { timeouts } = upstream.config
  const { method, path, fields, host, body } = request
  const shadow = new Shadow(target, hashes, done)
  const outgoing: OutgoingRequest = {
    method,
    target: target.basePath + path,
    host: host ?? target.authority,
    fields,
    length: body.length,
    body: body.length === 0 ? null : body,
    upgrade: null,
    connectTimeout: Math.min(timeouts.connect, timeout),
    responseTimeout: Math.min(timeouts.response, timeout),
    idleTimeout: timeout,
    totalTimeout: timeout,
  }
  try {
    target.pool.request(outgoing, shadow)
  } catch (error) {
    shadow.onError(toGatewayError(error))
  }
}
