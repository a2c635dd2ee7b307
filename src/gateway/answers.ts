import type { RouteDocument, ServiceDocument, ShapingDocument, UpstreamDocument } from '#config/document'
import type { Handler, HandlerUnit, ProtocolUnit, UnitContext } from './contract.ts'
import { forward } from './forward.ts'
import { compileShaping, type RouteShaping, type Shaped } from './shaping/compile-shaping.ts'
import type { MirrorReport } from './shaping/mirror.ts'
import type { ErrorRenderer, Route } from './snapshot.ts'
import type { Upstream } from './upstream.ts'

type Units = { readonly handlers: readonly HandlerUnit[]; readonly protocols?: readonly ProtocolUnit[] }

type Forward = UnitContext['forward']

const mayUseHttp2 = ({ config: { protocol, targets } }: Upstream): boolean =>
  protocol === 'h2' || (protocol === 'auto' && targets.some(({ url }) => url.startsWith('https:')))

/** What sends calls to an upstream, each in the way of its protocol; `send` is what forwards in the end. */
const forwardTo = (upstream: Upstream, protocols: readonly ProtocolUnit[], send: Forward): Handler => {
  const options = { upstream }
  const plain: Handler = call => send(call, options)
  // Elsewhere no call is asked what it speaks.
  if (!mayUseHttp2(upstream)) return plain
  return protocols.reduce<Handler>(
    (next, protocol) => call => (protocol.forward(call, upstream, send) ? undefined : next(call)),
    plain,
  )
}

/** What stands at the end of the chain of a route. */
export type Answer = {
  readonly answer: Handler
  readonly owner: Route['service']
  /** Wraps the whole chain; null where nothing comes before the policies. */
  readonly before: Shaped['before']
  readonly shaping: RouteShaping | null
  readonly renderError: ErrorRenderer | null
}

const handlerAnswer = ({ handler, name }: ServiceDocument, context: UnitContext, units: Units): Answer | null => {
  if (handler === null) return null
  const unit = units.handlers.find(candidate => candidate.name === handler.type)
  if (unit === undefined) throw new Error(`There is no handler called ${handler.type}`)
  return {
    answer: unit.create(handler.config, context),
    owner: { name, upstream: null, handler: handler.type },
    before: null,
    shaping: null,
    renderError: unit.renderError ?? null,
  }
}

/** Makes what answers the routes of one service; routes that are answered in the same way share it. */
export const createAnswers = (
  service: ServiceDocument,
  context: UnitContext,
  units: Units,
  mirrors: MirrorReport,
): ((route: RouteDocument) => Answer) => {
  const { name } = service
  const own = handlerAnswer(service, context, units)
  if (own !== null) return () => own
  const protocols = units.protocols ?? []
  const upstreamOf = (called: string, { headers, ...config }: UpstreamDocument): Upstream =>
    context.upstream({ ...config, name: called, headers: [...headers] })
  const main = service.upstream === null ? null : upstreamOf(name, service.upstream)
  const plain: Answer | null =
    main === null
      ? null
      : {
          answer: forwardTo(main, protocols, forward),
          owner: { name, upstream: main, handler: 'forward' },
          before: null,
          shaping: null,
          renderError: null,
        }

  const further = new Map<string, Upstream>()
  const named = (called: string): Upstream => {
    const known = further.get(called)
    if (known !== undefined) return known
    const document = service.upstreams?.[called]
    if (document === undefined) throw new Error(`Service ${name} has no upstream called ${called}`)
    const upstream = upstreamOf(`${name}/${called}`, document)
    further.set(called, upstream)
    return upstream
  }
  // A split is one for all routes that say nothing else, so that its shares hold over all of them.
  const shared = new Map<ShapingDocument, Answer>()

  return route => {
    const document = route.shaping
    if (document === undefined) {
      if (plain === null) throw new Error(`Service ${name} has neither an upstream nor a handler`)
      return plain
    }
    const known = shared.get(document)
    if (known !== undefined) return known
    const { answer, handler, before, shaping } = compileShaping(document, route, {
      service: name,
      main,
      named,
      forwardTo: (upstream, send) => forwardTo(upstream, protocols, send),
      mirrors,
    })
    const upstream = handler === 'forward' ? main : null
    const shaped = { answer, owner: { name, upstream, handler }, before, shaping, renderError: null }
    if (document.rewrite === undefined && document.redirect === undefined) shared.set(document, shaped)
    return shaped
  }
}
