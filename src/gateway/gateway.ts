import { setTimeout } from 'node:timers/promises'
import { monotonicMs, wallMs } from '#base/clock'
import type { GatewayError } from '#base/errors'
import { uuidv7 } from '#base/ids'
import { runSteps, runStepsInTurns } from '#base/steps'
import type { Document } from '#config/document'
import type { PeerInfo, ServerExchange } from '#http/message'
import { createHttpServer, type HttpServer } from '#http/server'
import { TimerWheel } from '#http/timer-wheel'
import type { Counters } from '#storage/counters'
import { type CompileContext, compile, compileSteps, type Units } from './compile.ts'
import type { ResolvedAddress } from './endpoint.ts'
import { enter, refuse } from './entry.ts'
import type { CallObserver } from './gateway-call.ts'
import { alone, GuardRegistry, type GuardState, type WorkerPlace } from './guard.ts'
import type { HealthTable } from './health/health-table.ts'
import { findUpstreams, type UpstreamQuestion, type UpstreamView, watchedUpstreams } from './health/upstream-view.ts'
import { LongCalls } from './long-calls.ts'
import { ProcessLimits } from './overload/process-limits.ts'
import { renderProblem } from './respond-error.ts'
import { type MirrorCounts, type MirrorReport, noMirrorCounts, sparingly } from './shaping/mirror.ts'
import type { Snapshot } from './snapshot.ts'
import { createTlsPort, type TlsPort, type TlsSecrets } from './tls-port.ts'
import { type UpstreamEvent, UpstreamRegistry } from './upstream-registry.ts'

/** What is known of a request that was refused before it became a call. */
export type InvalidRequest = { requestId: string; startedAt: number; clientAddress: string; durationMs: number }

export type GatewayOptions = {
  readonly units: Units
  readonly counters: Counters
  /** Memory for the health of targets; without it all are taken for healthy. */
  readonly health?: HealthTable
  /** What host names stand for, by `discoveryKey`. */
  readonly addresses?: ReadonlyMap<string, readonly ResolvedAddress[]>
  readonly onUpstream?: (event: UpstreamEvent) => void
  readonly observer: CallObserver
  /** Hears of requests that were refused before they became calls. */
  readonly onInvalid: (error: GatewayError, request: InvalidRequest) => void
  /** Where this worker stands among others; alone unless given. */
  readonly place?: WorkerPlace
  /** What a TLS listener needs beside the configuration; null where there is none. */
  readonly tls?: TlsSecrets | null
  /** False reads sockets by the documented way only; for tests and as a last resort. */
  readonly directAccept?: boolean
  /** Hears of calls whose copy in a mirror was answered differently; not of every one when there are many. */
  readonly onMirrorDifference?: (text: string) => void
}

export type GatewayLoad = {
  connections: number
  activeCalls: number
  upstreamConnections: number
  upstreamIdle: number
  timers: number
  requests: number
  /** TLS handshakes that failed, by the code of the reason. */
  tlsFailures: Record<string, number>
  /** Calls refused because of limits of the whole process. */
  refusals: number
  upstreams: GuardState[]
}

/** The data path of one worker: a listener, the current snapshot, and the pools behind it. */
export type Gateway = {
  /** Compiles and swaps in one step; throws and keeps the old snapshot when the document does not compile. */
  apply(document: Document, revision: number): void
  /** The same in turns of a few milliseconds while calls go on; one at a time. */
  applyInTurns(document: Document, revision: number): Promise<void>
  /** Other addresses of host names: calls under way are not touched. */
  resolve(addresses: ReadonlyMap<string, readonly ResolvedAddress[]>): void
  listen(options: { host: string; port: number; reusePort: boolean }): Promise<number>
  /** The same for TLS, where the gateway was made with secrets for it. */
  listenTls(options: { host: string; port: number; reusePort: boolean }): Promise<number>
  /** New ticket keys, certificates and challenges. */
  renewTls(secrets: TlsSecrets): void
  /**
   * Serves on for `delayMs` while clients are asked to go elsewhere, then stops listening, says goodbye to WebSockets
   * and event streams, and gives calls in flight `deadlineMs` to end.
   */
  drain(times: { delayMs: number; deadlineMs: number }): Promise<void>
  close(): void
  load(): GatewayLoad
  /** The upstreams that a question is about. */
  findUpstreams(question: UpstreamQuestion): UpstreamView[]
  /** Those whose targets can go out. */
  watchedUpstreams(): UpstreamView[]
  readonly snapshot: Snapshot
  readonly mirrors: MirrorCounts
}

/** Makes the data path; it refuses everything with 404 until the first `apply`. */
export const createGateway = (options: GatewayOptions, document: Document, revision: number): Gateway => {
  const wheel = new TimerWheel()
  const place = options.place ?? alone()
  const guards = new GuardRegistry(place)
  const processLimits = new ProcessLimits(place)
  const upstreams = new UpstreamRegistry(wheel, guards, {
    ...(options.health && { table: options.health }),
    ...(options.onUpstream && { onEvent: options.onUpstream }),
  })
  if (options.addresses !== undefined) upstreams.resolve(options.addresses)
  const longCalls = new LongCalls(wheel)
  const { units, counters } = options
  const mirrors: MirrorReport = {
    counts: noMirrorCounts(),
    onDifference: sparingly(options.onMirrorDifference ?? (() => {})),
  }
  const compileContext = (of: number): CompileContext => ({
    ...{ units, counters, upstreams, longCalls, mirrors },
    revision: of,
  })
  let snapshot = compile(document, compileContext(revision))
  let activeCalls = 0
  const observer: CallObserver = (call, outcome) => {
    activeCalls--
    options.observer(call, outcome)
  }
  const countedObserver: CallObserver = (call, outcome) => {
    processLimits.leave()
    observer(call, outcome)
  }
  /** Under limits of the whole process calls are asked for before anything is done for them. */
  const admit = (exchange: ServerExchange): void => {
    const admitted = processLimits.enter()
    if (admitted === 'counted') enter(exchange, snapshot, countedObserver)
    else if (admitted === 'uncounted') enter(exchange, snapshot, observer)
    else refuse(exchange, snapshot, observer, admitted)
  }
  const renderInvalid = (error: GatewayError, peer: PeerInfo, startedMono: number) => {
    const requestId = uuidv7()
    const durationMs = startedMono === 0 ? 0 : monotonicMs() - startedMono
    options.onInvalid(error, {
      requestId,
      startedAt: wallMs() - Math.round(durationMs),
      clientAddress: peer.remoteAddress,
      durationMs,
    })
    const rendered = renderProblem(error, requestId, '')
    rendered.headers.push('x-request-id', requestId)
    return rendered
  }
  const { limits, timeouts, minimumRate } = document.settings
  processLimits.apply(limits, minimumRate)
  // While a certificate is being got: the server that issues it looks for answers of ours (RFC 8555 §8.3).
  let challenged: TlsPort | null = null
  const server: HttpServer = createHttpServer({
    wheel,
    limits: { ...limits },
    connections: processLimits.connections,
    timeouts: { requestHead: timeouts.requestHead, idle: timeouts.idle },
    direct: options.directAccept ?? true,
    onExchange: exchange => {
      if (challenged?.answers(exchange)) return
      activeCalls++
      if (processLimits.active) admit(exchange)
      else enter(exchange, snapshot, observer)
    },
    onInvalid: renderInvalid,
  })
  const tls = options.tls ? createTlsPort(server, document.settings.tls, options.tls) : null
  const serve = (next: Snapshot, settings: Document['settings']): void => {
    tls?.serve(settings.tls)
    snapshot = next
    server.context.limits = { ...settings.limits }
    server.context.timeouts = { requestHead: settings.timeouts.requestHead, idle: settings.timeouts.idle }
    processLimits.apply(settings.limits, settings.minimumRate)
    longCalls.recheck(next)
  }
  return {
    get snapshot() {
      return snapshot
    },
    mirrors: mirrors.counts,
    apply: (next, nextRevision) => serve(runSteps(compileSteps(next, compileContext(nextRevision))), next.settings),
    applyInTurns: async (next, nextRevision) =>
      serve(await runStepsInTurns(compileSteps(next, compileContext(nextRevision))), next.settings),
    findUpstreams: question => findUpstreams(upstreams.upstreams, question),
    watchedUpstreams: () => watchedUpstreams(upstreams.upstreams),
    resolve: addresses => upstreams.resolve(addresses),
    listen: where => server.listen(where),
    listenTls: where => {
      if (tls === null) throw new Error('This gateway was made without TLS')
      return tls.listen(where)
    },
    renewTls: secrets => {
      tls?.renew(secrets)
      challenged = tls?.challenged === true ? tls : null
    },
    drain: async ({ delayMs, deadlineMs }) => {
      server.announce()
      if (delayMs > 0) await setTimeout(delayMs)
      await server.stopListening()
      longCalls.goAway()
      await server.drain(deadlineMs)
    },
    close: () => {
      server.close()
      processLimits.close()
      wheel.close()
    },
    load: () => {
      let upstreamConnections = 0
      let upstreamIdle = 0
      for (const pool of upstreams.pools) {
        upstreamConnections += pool.connections.size
        upstreamIdle += pool.idleCount
      }
      return {
        connections: server.context.connections.size,
        activeCalls,
        upstreamConnections,
        upstreamIdle,
        timers: wheel.size,
        requests: server.context.requests,
        tlsFailures: Object.fromEntries(tls?.failures ?? []),
        refusals: processLimits.refusals,
        upstreams: guards.states(),
      }
    },
  }
}
