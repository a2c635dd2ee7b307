import type { GatewayError } from '#base/errors'
import type { HeaderList } from '#http/headers'
import type { ServerExchange } from '#http/message'
import type { Consumer } from './contract.ts'
import type { Route, Snapshot } from './snapshot.ts'
import type { WebSocketLimits } from './tunnel.ts'

/** Usage of an AI call, filled in by the ai handler. */
export type AiUsage = {
  provider: string
  model: string
  tokensIn: number | null
  tokensOut: number | null
  tokensCached: number | null
  costNanoUsd: number | null
  /** monotonicMs() of the first generated token. */
  firstTokenAt: number | null
}

/** How a call ended: what the call log and the metrics are made from. Times in milliseconds, sizes in bytes. */
export type CallOutcome = {
  status: number
  durationMs: number
  upstreamMs: number
  bytesIn: number
  bytesOut: number
  target: string
  errorCode: string
  errorSource: string
  retries: number
}

/**
 * One request on its way through the gateway. Lives from the parsed head to the call record.
 * Policies read and change the request fields; what reaches the upstream is built from them.
 */
export interface Call {
  readonly exchange: ServerExchange
  /** The configuration this call was matched with; a reload meanwhile does not change it (but see LongCalls.recheck). */
  readonly snapshot: Snapshot
  readonly route: Route | null
  /** What stands for the templates of the route's path: raw, still percent-encoded, never holding a slash. */
  readonly params: Readonly<Record<string, string>>
  readonly method: string
  /** Normalised path as matched; policies may rewrite what is forwarded in `forwardPath`. */
  readonly path: string
  /** The path sent upstream: normalised, prefix stripped, rewritten. */
  forwardPath: string
  /** The query without `?`, as sent; empty when there is none. Policies may rewrite it. */
  query: string
  /** Lower-case host name without port. */
  readonly host: string
  /** Headers that will be forwarded; policies may change them in place (src/http/headers.ts). */
  headers: HeaderList
  /** Address of the client behind trusted proxies; plain text form, IPv4-mapped addresses as IPv4. */
  readonly clientAddress: string
  readonly requestId: string
  readonly traceId: string
  /** Wall clock, integer milliseconds. */
  readonly startedAt: number
  /** monotonicMs() at the first byte of the head. */
  readonly startedMono: number
  consumer: Consumer | null
  /** What the caller was recognised by, for the policy that did so to recognise it again (`Policy.recheck`). */
  credential: string | null
  /** What the call may do once it has become a WebSocket; null for no limits. */
  webSocket: WebSocketLimits | null
  /** Milliseconds without a byte after which a stream of server-sent events gets a comment; Infinity for never. */
  heartbeat: number
  ai: AiUsage | null
  /** Status code of a call of gRPC, for the record; null for all others. */
  grpcStatus: number | null

  /** Adds a field to whatever response this call gets. */
  addResponseHeader(name: string, value: string): void
  /** Adds fields that are lines of text already, each with its CRLF (`fieldLines`): for what each call of a route gets. */
  addResponseLines(lines: string): void
  /** Refuses bodies above `bytes` with 413: at once by Content-Length, else while they stream. The lowest limit wins. */
  limitBody(bytes: number): void
  /** Reads the whole request body, at most `limit` bytes (413 above). Rejects when the client goes away. */
  readBody(limit: number): Promise<Buffer>
  /** Answers the call here. `headers` is a flat list; content-length is set by the engine. */
  respond(status: number, headers: HeaderList, body: Buffer | string | null): void
  /** Starts a streamed answer of this handler; `length` is -1 when unknown. Then `write`/`end` of the exchange. */
  startResponse(status: number, headers: HeaderList, length: number): void
  /** Registers work to stop when the client goes away; at most one, the latest wins. */
  onClientAbort(listener: (error: GatewayError) => void): void
}
