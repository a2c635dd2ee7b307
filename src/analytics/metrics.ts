import type { CallRecord } from '#storage/calls'

/** Upper bounds of the duration histograms in milliseconds: those that OpenTelemetry advises for HTTP, and finer below. */
export const bucketBounds: readonly number[] = [
  1, 2.5, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000, 30_000, 60_000,
]

/** Methods that get a label of their own; clients may send any token. */
export const knownMethods: readonly string[] = [
  'GET',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'CONNECT',
]
export const otherMethod = '_OTHER'
export const overflow = '_overflow'
/** Combinations of labels that are counted apart; all others share one series. */
export const maxSeries = 2000

export type Histogram = { sum: number; counts: number[] }

/** Everything counted of one service, route, method and status. Times in milliseconds. */
export type CallSeries = {
  service: string
  route: string
  method: string
  status: number
  requests: number
  bytesIn: number
  bytesOut: number
  duration: Histogram
  upstream: Histogram
}

export type AiSeries = {
  provider: string
  model: string
  requests: number
  input: number
  output: number
  cached: number
  costNanoUsd: number
}

/** Calls of gRPC by their own status. */
export type GrpcSeries = { service: string; route: string; status: number; requests: number }

/** A plain copy of what one worker has counted since its start; can be sent between threads. */
export type MetricsSnapshot = { calls: CallSeries[]; ai: AiSeries[]; grpc: GrpcSeries[] }

export type WorkerMetrics = {
  observe(record: CallRecord): void
  snapshot(): MetricsSnapshot
}

const newHistogram = (): Histogram => ({ sum: 0, counts: new Array<number>(bucketBounds.length + 1).fill(0) })

const newCallSeries = (service: string, route: string, method: string, status: number): CallSeries => ({
  service,
  route,
  method,
  status,
  requests: 0,
  bytesIn: 0,
  bytesOut: 0,
  duration: newHistogram(),
  upstream: newHistogram(),
})

const newAiSeries = (provider: string, model: string): AiSeries => ({
  provider,
  model,
  requests: 0,
  input: 0,
  output: 0,
  cached: 0,
  costNanoUsd: 0,
})

const addTime = (histogram: Histogram, ms: number): void => {
  histogram.sum += ms
  let bucket = 0
  while (bucket < bucketBounds.length && ms > (bucketBounds[bucket] as number)) bucket++
  ;(histogram.counts[bucket] as number)++
}

type Tree<Leaf> = Map<string, Map<string, Leaf>>

/** The inner map of two names; made when missing. */
const branch = <Leaf>(tree: Tree<Leaf>, first: string): Map<string, Leaf> => {
  let inner = tree.get(first)
  if (inner === undefined) tree.set(first, (inner = new Map()))
  return inner
}

/** Series found by their labels, at most `maxSeries` and one for the rest. */
class SeriesSet {
  readonly calls: CallSeries[] = []
  readonly ai: AiSeries[] = []
  readonly grpc: GrpcSeries[] = []
  readonly #byRoute: Tree<Map<number, CallSeries>> = new Map()
  readonly #byModel: Tree<AiSeries> = new Map()
  readonly #byGrpcRoute: Tree<Map<number, GrpcSeries>> = new Map()
  readonly #methods = new Map(knownMethods.map((method, index) => [method, index]))

  call(service: string, route: string, method: string, status: number): CallSeries {
    const known = this.#methods.get(method) ?? knownMethods.length
    const code = known * 1000 + (status >= 100 && status <= 999 ? status : 0)
    const found = this.#byRoute.get(service)?.get(route)?.get(code)
    if (found !== undefined) return found
    if (this.calls.length >= maxSeries && service !== overflow) return this.call(overflow, overflow, otherMethod, 0)
    const series = newCallSeries(service, route, knownMethods[known] ?? otherMethod, code % 1000)
    const routes = branch(this.#byRoute, service)
    let codes = routes.get(route)
    if (codes === undefined) routes.set(route, (codes = new Map()))
    codes.set(code, series)
    this.calls.push(series)
    return series
  }

  model(provider: string, model: string): AiSeries {
    const found = this.#byModel.get(provider)?.get(model)
    if (found !== undefined) return found
    if (this.ai.length >= maxSeries && provider !== overflow) return this.model(overflow, overflow)
    const series = newAiSeries(provider, model)
    branch(this.#byModel, provider).set(model, series)
    this.ai.push(series)
    return series
  }

  grpcCall(service: string, route: string, status: number): GrpcSeries {
    const found = this.#byGrpcRoute.get(service)?.get(route)?.get(status)
    if (found !== undefined) return found
    if (this.grpc.length >= maxSeries && service !== overflow) return this.grpcCall(overflow, overflow, status)
    const series = { service, route, status, requests: 0 }
    const routes = branch(this.#byGrpcRoute, service)
    let statuses = routes.get(route)
    if (statuses === undefined) routes.set(route, (statuses = new Map()))
    statuses.set(status, series)
    this.grpc.push(series)
    return series
  }
}

/** Counts the calls of one worker by route, method and status: sums only, nothing per call is kept. */
export const createWorkerMetrics = (): WorkerMetrics => {
  const set = new SeriesSet()
  return {
    observe(record) {
      const series = set.call(record.service, record.route, record.method, record.status)
      series.requests++
      series.bytesIn += record.bytesIn
      series.bytesOut += record.bytesOut
      addTime(series.duration, record.durationMs)
      // A call that never reached an upstream says nothing about the upstream's speed.
      if (record.target !== '') addTime(series.upstream, record.upstreamMs)
      if (record.grpcStatus !== null) set.grpcCall(record.service, record.route, record.grpcStatus).requests++
      if (record.provider === '') return
      const ai = set.model(record.provider, record.model)
      ai.requests++
      ai.input += record.tokensIn ?? 0
      ai.output += record.tokensOut ?? 0
      ai.cached += record.tokensCached ?? 0
      ai.costNanoUsd += record.costNanoUsd ?? 0
    },
    snapshot: () => structuredClone({ calls: set.calls, ai: set.ai, grpc: set.grpc }),
  }
}

const addHistogram = (sum: Histogram, part: Histogram): void => {
  sum.sum += part.sum
  for (let i = 0; i < sum.counts.length; i++) (sum.counts[i] as number) += part.counts[i] ?? 0
}

/**
 * Adds up what several workers counted. The last snapshot of a worker that is gone belongs in here too, or the sums
 * would fall.
 */
export const mergeMetrics = (snapshots: readonly MetricsSnapshot[]): MetricsSnapshot => {
  const set = new SeriesSet()
  for (const snapshot of snapshots) {
    for (const part of snapshot.calls) {
      const sum = set.call(part.service, part.route, part.method, part.status)
      sum.requests += part.requests
      sum.bytesIn += part.bytesIn
      sum.bytesOut += part.bytesOut
      addHistogram(sum.duration, part.duration)
      addHistogram(sum.upstream, part.upstream)
    }
    for (const part of snapshot.grpc) set.grpcCall(part.service, part.route, part.status).requests += part.requests
    for (const part of snapshot.ai) {
      const sum = set.model(part.provider, part.model)
      sum.requests += part.requests
      sum.input += part.input
      sum.output += part.output
      sum.cached += part.cached
      sum.costNanoUsd += part.costNanoUsd
    }
  }
  return { calls: set.calls, ai: set.ai, grpc: set.grpc }
}
