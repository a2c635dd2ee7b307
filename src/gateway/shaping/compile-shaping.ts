import type { RouteDocument, ShapingDocument } from '#config/document'
import type { Call } from '../call.ts'
import type { Handler } from '../contract.ts'
import { forward } from '../forward.ts'
import type { ForwardOptions } from '../forward-options.ts'
import type { Upstream } from '../upstream.ts'
import { type MirrorReport, mirroring } from './mirror.ts'
import type { TemplateInput } from './path-template.ts'
import { compilePlace, httpsPlace, httpsStatus, redirectHandler, toHttps } from './redirect.ts'
import { compileRewrite, type Rewrite } from './rewrite.ts'
import { compileSplit, type Split } from './split.ts'

/** What a route does with its calls beside forwarding them, for `explain`. */
export type RouteShaping = {
  readonly rewrite: Rewrite | null
  /** `always` is false where calls with TLS pass. */
  readonly redirect: { readonly status: number; readonly always: boolean; place(input: TemplateInput): string } | null
  /** The upstream of a call where a split decides it for certain; undefined where shares do. Null without a split. */
  readonly foresee: ((call: Parameters<Split['foresee']>[0]) => Upstream | undefined) | null
  /** In words, each with the key of the configuration. */
  readonly notes: readonly (readonly [key: string, text: string])[]
}

/** How calls reach an upstream; the last argument is what sends them. */
export type ForwardTo = (upstream: Upstream, send: (call: Call, options: ForwardOptions) => void) => Handler

export type ShapingContext = {
  readonly service: string
  readonly main: Upstream | null
  /** One of the further upstreams of the service. */
  readonly named: (name: string) => Upstream
  readonly forwardTo: ForwardTo
  readonly mirrors: MirrorReport
}

export type Shaped = {
  /** What answers behind the policies. */
  readonly answer: Handler
  readonly handler: string
  /** Wraps the whole chain; null where nothing comes before the policies. */
  readonly before: ((chain: Handler) => Handler) | null
  readonly shaping: RouteShaping
}

const listed = (conditions: Readonly<Record<string, unknown>>, kind: string): string[] =>
  Object.keys(conditions).map(name => `${kind} ${name}`)

const splitNote = ({ to, stickyBy }: NonNullable<ShapingDocument['split']>): string => {
  const branches = to.map(({ upstream, percent, when }) => {
    const conditions = when && [
      ...listed(when.headers, 'header'),
      ...listed(when.cookies, 'cookie'),
      ...listed(when.query, 'query'),
      ...when.groups.map(group => `group ${group}`),
    ]
    return `${percent} % to ${upstream}${conditions && conditions.length > 0 ? `, and by ${conditions.join(' or ')}` : ''}`
  })
  return `${branches.join('; ')}${stickyBy === null ? '' : ` (sticky by ${stickyBy})`}`
}

const answerOf = (
  { split, mirror, redirect, respond, rewrite }: ShapingDocument,
  route: RouteDocument,
  { service, main, named, forwardTo, mirrors }: ShapingContext,
): Pick<Shaped, 'answer' | 'handler'> & Pick<RouteShaping, 'foresee'> => {
  if (respond !== undefined) {
    const { status, headers } = respond
    const body = respond.body === null ? null : Buffer.from(respond.body)
    return { answer: call => call.respond(status, [...headers], body), handler: 'respond', foresee: null }
  }
  if (redirect !== undefined && redirect !== 'https') {
    const place = compilePlace(redirect.to, redirect.keepQuery, route.path)
    return { answer: redirectHandler(redirect, place), handler: 'redirect', foresee: null }
  }
  if (main === null) throw new Error(`Service ${service} has no upstream`)
  const host = rewrite?.host ?? null
  const withHost =
    host === null ? forward : (call: Call, options: ForwardOptions) => forward(call, { ...options, host })
  const send = mirror === undefined ? withHost : mirroring(mirror, named(mirror.upstream), mirrors, withHost)
  const straight = forwardTo(main, send)
  if (split === undefined) return { answer: straight, handler: 'forward', foresee: null }
  const { choose, foresee } = compileSplit(split, service)
  const upstreams = split.to.map(({ upstream }) => named(upstream))
  const branches = upstreams.map(upstream => forwardTo(upstream, send))
  return {
    answer: call => (branches[choose(call)] ?? straight)(call),
    handler: 'forward',
    foresee: call => {
      const branch = foresee(call)
      return branch === undefined ? undefined : (upstreams[branch] ?? main)
    },
  }
}

const redirectOf = ({ redirect }: ShapingDocument, path: string): RouteShaping['redirect'] => {
  if (redirect === undefined) return null
  if (redirect === 'https') return { status: httpsStatus, always: false, place: httpsPlace(path) }
  return { status: redirect.status, always: true, place: compilePlace(redirect.to, redirect.keepQuery, path) }
}

/** Compiles what a route does beside forwarding. Routes without any of it never come here. */
export const compileShaping = (shaping: ShapingDocument, route: RouteDocument, context: ShapingContext): Shaped => {
  const rewrite =
    shaping.rewrite === undefined ? null : compileRewrite(shaping.rewrite, route.path, route.encodedSlashes === 'keep')
  const redirect = redirectOf(shaping, route.path)
  const before = (chain: Handler): Handler => {
    const rewriting: Handler =
      rewrite === null
        ? chain
        : call => {
            const { path, query } = rewrite(call)
            call.forwardPath = path
            call.query = query
            return chain(call)
          }
    return shaping.redirect === 'https' && redirect !== null ? toHttps(redirect.place, rewriting) : rewriting
  }
  const notes: [string, string][] = []
  if (shaping.rewrite?.host) notes.push(['rewrite', `host ${shaping.rewrite.host}`])
  if (shaping.split) notes.push(['split', splitNote(shaping.split)])
  if (shaping.mirror) {
    const { upstream, percent, compare } = shaping.mirror
    notes.push(['mirror', `${percent} % to ${upstream}${compare ? ', answers compared' : ''}`])
  }
  if (shaping.respond)
    notes.push(['respond', `${shaping.respond.status} with ${Buffer.byteLength(shaping.respond.body ?? '')} bytes`])
  const { answer, handler, foresee } = answerOf(shaping, route, context)
  return {
    answer,
    handler,
    before: rewrite !== null || shaping.redirect === 'https' ? before : null,
    shaping: { rewrite, redirect, foresee, notes },
  }
}
