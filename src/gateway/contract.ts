import type { z } from 'zod'
import type { GatewayError } from '#base/errors'
import type { HeaderList } from '#http/headers'
import type { Counters } from '#storage/counters'
import type { Call } from './call.ts'
import type { ForwardOptions } from './forward.ts'
import type { ErrorRenderer } from './snapshot.ts'
import type { Upstream, UpstreamConfig } from './upstream.ts'

/**
 * Answers a call, or lets the next one answer it. Returns a promise only when it really had to wait;
 * throws (or rejects with) a GatewayError to refuse.
 */
export type Handler = (call: Call) => void | Promise<void>

/** A response head on its way to the client. Policies may change it in place. */
export type ResponseHead = { status: number; headers: HeaderList }

/**
 * One policy of one route, built when configuration loads.
 * `request` calls `next(call)` to go on, answers with `call.respond(…)`, or throws a GatewayError.
 * `response` sees the head of every response of the route, also the gateway's own errors, in reverse policy order.
 * `recheck` is asked after a reload about a call that goes on, such as a WebSocket: the error to end it with, or null.
 */
export type Policy = {
  readonly request?: (call: Call, next: Handler) => void | Promise<void>
  readonly response?: (call: Call, response: ResponseHead) => void
  readonly recheck?: (call: Call, consumers: readonly Consumer[]) => GatewayError | null
}

/**
 * Where a policy stands on the way of a call. The order of phases is fixed; inside one phase the order of
 * the list in src/policies/index.ts decides.
 */
export const phases = ['shield', 'negotiate', 'authenticate', 'authorize', 'limit', 'transform'] as const
export type Phase = (typeof phases)[number]

export type Consumer = {
  readonly name: string
  readonly groups: readonly string[]
  /** SHA-256 of each key, lower-case hex. */
  readonly keyHashes: readonly string[]
}

/** What a policy or handler may use while it is built. */
export type UnitContext = {
  /**
   * Where the unit was declared, e.g. `orders/rate-limit`; the same after a reload. One declaration is one unit for all
   * routes below it, so its state and counters are theirs together; what is a route's own is found by `call.route`.
   */
  readonly scope: string
  readonly consumers: readonly Consumer[]
  readonly counters: Counters
  /** Makes (or finds again after a reload) an upstream with its connection pools. */
  readonly upstream: (config: UpstreamConfig) => Upstream
  /** Sends a call to an upstream and streams the answer back; see ForwardOptions. */
  readonly forward: (call: Call, options: ForwardOptions) => void
}

export interface PolicyUnit<Schema extends z.ZodType = z.ZodType> {
  readonly name: string
  readonly phase: Phase
  /** One sentence for the docs page. */
  readonly summary: string
  /** The config this policy takes under `policies: { <name>: … }`; the decoded value reaches `create`. */
  readonly schema: Schema
  create(config: z.output<Schema>, context: UnitContext): Policy
}

/** Keeps the types of schema and `create` together without naming them twice. */
export const definePolicy = <Schema extends z.ZodType>(unit: PolicyUnit<Schema>): PolicyUnit<Schema> => unit

export interface HandlerUnit<Schema extends z.ZodType = z.ZodType> {
  readonly name: string
  readonly schema: Schema
  create(config: z.output<Schema>, context: UnitContext): Handler
  /** How errors of its routes look, where callers expect another form than problem details. */
  readonly renderError?: ErrorRenderer
}

/** A protocol on top of HTTP whose calls are forwarded, and refused, in its own way. */
export interface ProtocolUnit {
  readonly name: string
  /** Forwards a call that speaks the protocol; false leaves it to plain forwarding. Asked where the upstream allows it. */
  forward(call: Call, upstream: Upstream, forward: UnitContext['forward']): boolean
  /** How an error looks to a caller that speaks the protocol; null for all others. Asked for failed calls only. */
  renderError(call: Call, error: GatewayError): ReturnType<ErrorRenderer> | null
}
