import type { GatewayError } from '#base/errors'
import type { HeaderList } from '#http/headers'
import type { Upstream } from './upstream.ts'

/** Sees, and may change, the body of a response on its way to the client. */
export interface ResponseFilter {
  /** False promises that every byte passes unchanged, so that Content-Length is kept. */
  readonly rewrites: boolean
  /** Returns what is sent instead (often the chunk itself; null for nothing). The chunk is valid only during the call. */
  data(chunk: Buffer): Buffer | null
  /** True takes the trailers: they are handed to `end` and go no further. */
  readonly takesTrailers?: boolean
  /** Called after the last chunk; may return a last piece. */
  end(trailers: HeaderList | null): Buffer | null
  /** After `end`: the HTTP status that says how the call went for its target, where that of the head does not. */
  readonly verdict?: number
  /** Called instead of `end` when the response broke off or the client left. */
  abort?(): void
}

/** Sees, and may change, the body of a request on its way to the upstream, which is not told its length then. */
export interface RequestFilter {
  /** True promises that every byte passes unchanged, so that Content-Length is kept. */
  readonly keepsLength?: boolean
  /** Returns what is sent instead; null for nothing. The chunk is valid only during the call. */
  data(chunk: Buffer): Buffer | null
  /** Called after the last chunk; throws when the body is not whole. */
  end(): void
}

export type ForwardOptions = {
  readonly upstream: Upstream
  readonly method?: string
  /** Path with query for the upstream; the call's own when absent. */
  readonly target?: string
  /** Host for the upstream, instead of the target's or the client's. */
  readonly host?: string
  /** Headers for the upstream instead of the call's (hop-by-hop, framing, tracing and forwarding fields are added by the gateway). */
  readonly headers?: HeaderList
  /** A complete body to send instead of the client's stream. */
  readonly body?: Buffer
  /** Changes the client's stream; not together with `body`. */
  readonly requestFilter?: RequestFilter
  /**
   * Chooses a filter when the response head is known; null lets the bytes pass. May change `headers` in place, or throw
   * a GatewayError that becomes the answer instead.
   */
  readonly filter?: (status: number, headers: HeaderList) => ResponseFilter | null
  /** An upstream of somebody else: it is not told who the caller is (no X-Forwarded-*, no X-Consumer). */
  readonly foreign?: boolean
  /** Whether a failed try may be repeated though the method is not idempotent (default false). */
  readonly idempotent?: boolean
  /**
   * monotonicMs() when the caller gives up; counts where it is before the end of the upstream's total timeout, and is no
   * failure of the target then.
   */
  readonly deadline?: number
  /** Messages of this call may be far apart: only a deadline ends it, silence does not. */
  readonly patient?: boolean
  /** Ends a response that broke off after its head in a way the caller understands; false when there is none. */
  readonly conclude?: (error: GatewayError) => boolean
}
