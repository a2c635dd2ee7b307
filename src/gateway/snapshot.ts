import type { GatewayError } from '#base/errors'
import type { HeaderList } from '#http/headers'
import type { Call } from './call.ts'
import type { Predicate } from './conditions.ts'
import type { Consumer, Handler, ProtocolUnit, ResponseHead } from './contract.ts'
import type { LongCalls } from './long-calls.ts'
import type { Matcher } from './match.ts'
import type { RouteShaping } from './shaping/compile-shaping.ts'
import type { Upstream } from './upstream.ts'

/** Renders a gateway error in the form the callers of a route expect. */
export type ErrorRenderer = (
  error: GatewayError,
  requestId: string,
) => { status: number; headers: HeaderList; body: Buffer | string | null }

/** One compiled route: what it matches, and the closed chain of policies that ends in a handler. */
export type Route = {
  readonly id: string
  /** The path as written in the configuration, with templates; the label of logs and metrics. */
  readonly template: string
  readonly service: { readonly name: string; readonly upstream: Upstream | null; readonly handler: string }
  readonly hosts: readonly string[]
  readonly methods: readonly string[]
  readonly predicates: readonly Predicate[]
  readonly parameterNames: readonly string[]
  /** The literal prefix that is cut from the path before it is forwarded; empty for none. */
  readonly stripPrefix: string
  /** Whether `%2F` and `%5C` may stand in the path; they are data then, never separators. */
  readonly encodedSeparators: boolean
  readonly policies: readonly { readonly name: string; readonly phase: string; readonly scope: string }[]
  readonly handle: Handler
  /** Null where no policy looks at responses. */
  readonly onResponse: ((call: Call, response: ResponseHead) => void) | null
  /** Null where no policy minds what happens after a call has begun. */
  readonly recheck: ((call: Call, consumers: readonly Consumer[]) => GatewayError | null) | null
  readonly renderError: ErrorRenderer | null
  /** Null where calls are only forwarded. */
  readonly shaping: RouteShaping | null
}

/** A compiled, immutable configuration. A call keeps the one it began with. */
export type Snapshot = {
  readonly revision: number
  readonly routes: readonly Route[]
  readonly matcher: Matcher
  readonly protocols: readonly ProtocolUnit[]
  readonly consumers: readonly Consumer[]
  /** Not part of the configuration: where a call of this worker says that it may go on for long. */
  readonly longCalls: LongCalls
  /** Null when no proxy is trusted, which is the usual case and costs nothing. */
  readonly isTrusted: ((address: string) => boolean) | null
}
