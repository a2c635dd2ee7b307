import {
  type AiSeries,
  bucketBounds,
  type CallSeries,
  type GrpcSeries,
  type Histogram,
  type MetricsSnapshot,
  mergeMetrics,
  overflow,
} from './metrics.ts'

export type Labels = Readonly<Record<string, string>>

/** One sample of a metric that is not counted per call: what the gateway, the storage or the process is at now. */
export type Gauge = {
  readonly name: string
  readonly help: string
  readonly type: 'gauge' | 'counter'
  readonly value: number
  readonly labels?: Labels
}

const escapeLabel = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')

const renderLabels = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const renderValue = (value: number): string => {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  return String(value)
}

const header = (name: string, type: string, help: string): string =>
  `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`

/** Series with equal labels become one. */
const sumBy = <Item>(items: readonly Item[], labels: (item: Item) => Labels, value: (item: Item) => number) => {
  const sums = new Map<string, number>()
  for (const item of items) {
    const key = renderLabels(labels(item))
    sums.set(key, (sums.get(key) ?? 0) + value(item))
  }
  return sums
}

const counter = <Item>(
  name: string,
  help: string,
  items: readonly Item[],
  labels: (item: Item) => Labels,
  value: (item: Item) => number,
): string => {
  let text = header(name, 'counter', help)
  for (const [key, sum] of sumBy(items, labels, value)) text += `${name}${key} ${renderValue(sum)}\n`
  return text
}

/** A histogram in seconds, made from sums in milliseconds. */
const histogram = (
  name: string,
  help: string,
  items: readonly CallSeries[],
  labels: (item: CallSeries) => Labels,
  value: (item: CallSeries) => Histogram,
): string => {
  const sums = new Map<string, { labels: Labels; sum: number; counts: number[] }>()
  for (const item of items) {
    const own = labels(item)
    const key = renderLabels(own)
    const part = value(item)
    let total = sums.get(key)
    if (!total) sums.set(key, (total = { labels: own, sum: 0, counts: part.counts.map(() => 0) }))
    total.sum += part.sum
    for (let i = 0; i < part.counts.length; i++) (total.counts[i] as number) += part.counts[i] as number
  }
  let text = header(name, 'histogram', help)
  for (const [key, { labels: own, sum, counts }] of sums) {
    if (counts.every(count => count === 0)) continue
    let count = 0
    for (let i = 0; i < counts.length; i++) {
      count += counts[i] as number
      const bound = bucketBounds[i]
      const le = bound === undefined ? '+Inf' : String(bound / 1000)
      text += `${name}_bucket${renderLabels({ ...own, le })} ${count}\n`
    }
    text += `${name}_sum${key} ${renderValue(sum / 1000)}\n${name}_count${key} ${count}\n`
  }
  return text
}

const statusText = (series: CallSeries): string =>
  series.service === overflow ? overflow : series.status === 0 ? 'none' : String(series.status)
const statusClass = (series: CallSeries): string =>
  series.service === overflow ? overflow : series.status === 0 ? 'none' : `${Math.floor(series.status / 100)}xx`

const byRoute = ({ service, route }: CallSeries): Labels => ({ service, route })

const callMetrics = (calls: readonly CallSeries[]): string =>
  counter(
    'portico_requests_total',
    'Calls that ended, also refused and failed ones.',
    calls,
    series => ({
      service: series.service,
      route: series.route,
      method: series.method,
      status: statusText(series),
      status_class: statusClass(series),
    }),
    series => series.requests,
  ) +
  histogram(
    'portico_request_duration_seconds',
    'From the first byte of a request to the last byte of its response.',
    calls,
    byRoute,
    series => series.duration,
  ) +
  histogram(
    'portico_upstream_duration_seconds',
    'The part of a call that was spent waiting for the upstream.',
    calls,
    byRoute,
    series => series.upstream,
  ) +
  counter('portico_request_bytes_total', 'Bytes received from clients.', calls, byRoute, series => series.bytesIn) +
  counter('portico_response_bytes_total', 'Bytes sent to clients.', calls, byRoute, series => series.bytesOut) +
  histogram(
    'http_server_request_duration_seconds',
    'Duration of HTTP server requests (OpenTelemetry semantic conventions).',
    calls,
    series => ({
      http_request_method: series.method,
      http_response_status_code: statusText(series),
      http_route: series.route,
    }),
    series => series.duration,
  )

const aiMetrics = (ai: readonly AiSeries[]): string => {
  const byModel = ({ provider, model }: AiSeries): Labels => ({ provider, model })
  const name = 'portico_ai_tokens_total'
  let text = header(name, 'counter', 'Tokens of AI calls as the providers report them.')
  for (const series of ai) {
    for (const kind of ['input', 'output', 'cached'] as const) {
      text += `${name}${renderLabels({ ...byModel(series), kind })} ${series[kind]}\n`
    }
  }
  return (
    counter('portico_ai_requests_total', 'AI calls.', ai, byModel, series => series.requests) +
    text +
    counter(
      'portico_ai_cost_usd_total',
      'Price of AI calls in US dollars.',
      ai,
      byModel,
      series => series.costNanoUsd / 1e9,
    )
  )
}

const grpcMetrics = (grpc: readonly GrpcSeries[]): string =>
  counter(
    'portico_grpc_requests_total',
    'Calls of gRPC that ended, by their status code.',
    grpc,
    ({ service, route, status }) => ({ service, route, grpc_status: String(status) }),
    series => series.requests,
  )

const renderGauges = (gauges: readonly Gauge[]): string => {
  const byName = new Map<string, Gauge[]>()
  for (const gauge of gauges) byName.set(gauge.name, [...(byName.get(gauge.name) ?? []), gauge])
  let text = ''
  for (const [name, samples] of byName) {
    const first = samples[0] as Gauge
    text += header(name, first.type, first.help)
    for (const { labels = {}, value } of samples) text += `${name}${renderLabels(labels)} ${renderValue(value)}\n`
  }
  return text
}

/** The media type of what `renderPrometheus` returns. */
export const prometheusType = 'text/plain; version=0.0.4; charset=utf-8'

/** The metrics page in the Prometheus text format 0.0.4. */
export const renderPrometheus = (snapshots: readonly MetricsSnapshot[], gauges: readonly Gauge[]): string => {
  const { calls, ai, grpc } = mergeMetrics(snapshots)
  return callMetrics(calls) + grpcMetrics(grpc) + aiMetrics(ai) + renderGauges(gauges)
}
