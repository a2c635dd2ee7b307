import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CallRecord } from '#storage/calls'
import { gatewayGauges, processGauges } from './gauges.ts'
import { createWorkerMetrics, maxSeries, mergeMetrics } from './metrics.ts'
import { emptyRecord } from './record-call.ts'
import { renderPrometheus } from './render-prometheus.ts'

const record = (changes: Partial<CallRecord> = {}): CallRecord => ({
  ...emptyRecord(),
  service: 'orders',
  route: '/orders/{id}',
  method: 'GET',
  path: '/orders/7',
  status: 200,
  durationMs: 12,
  upstreamMs: 8,
  bytesIn: 100,
  bytesOut: 1000,
  target: 'http://127.0.0.1:9000',
  ...changes,
})

type Sample = { name: string; labels: Record<string, string>; value: number }

/** Reads the text format 0.0.4 strictly: what it does not allow, or a metric without its head, fails the test. */
const parse = (text: string): { samples: Sample[]; types: Map<string, string> } => {
  const types = new Map<string, string>()
  const samples: Sample[] = []
  const seen = new Set<string>()
  let family = ''
  assert.ok(text.endsWith('\n'))
  for (const line of text.slice(0, -1).split('\n')) {
    const head = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line)
    if (head) {
      const [, kind, name, rest] = head as unknown as [string, string, string, string]
      if (kind === 'HELP') {
        assert.ok(!types.has(name), `${name} appears in two places`)
        family = name
      } else {
        assert.equal(name, family)
        assert.match(rest, /^(counter|gauge|histogram)$/)
        types.set(name, rest)
      }
      continue
    }
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line)
    assert.ok(sample, `not a sample: ${line}`)
    const [, name, labelText = '', value] = sample as unknown as [string, string, string | undefined, string]
    assert.ok(name === family || (types.get(family) === 'histogram' && name.startsWith(`${family}_`)), line)
    const labels: Record<string, string> = {}
    const rest = labelText.replace(
      /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/g,
      (_, label: string, text: string) => {
        labels[label] = text.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))
        return ''
      },
    )
    assert.equal(rest, '', `labels of ${line}`)
    assert.ok(!seen.has(name + labelText), `twice: ${line}`)
    seen.add(name + labelText)
    samples.push({ name, labels, value: Number(value.replace('+Inf', 'Infinity')) })
  }
  return { samples, types }
}

const render = (...records: CallRecord[]) => {
  const metrics = createWorkerMetrics()
  for (const item of records) metrics.observe(item)
  return parse(renderPrometheus([metrics.snapshot()], []))
}

const sampleValue = (samples: Sample[], name: string, labels: Record<string, string>): number => {
  const found = samples.filter(
    sample => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  )
  assert.equal(found.length, 1, `${name} ${JSON.stringify(labels)} found ${found.length} times`)
  return (found[0] as Sample).value
}

describe('metrics', () => {
  it('count calls by service, route, method and status', () => {
    const { samples } = render(
      record(),
      record({ path: '/orders/8' }),
      record({ status: 404 }),
      record({ method: 'POST' }),
    )
    const name = 'portico_requests_total'
    const labels = { service: 'orders', route: '/orders/{id}' }
    assert.equal(sampleValue(samples, name, { ...labels, method: 'GET', status: '200' }), 2)
    assert.equal(sampleValue(samples, name, { ...labels, method: 'GET', status: '404', status_class: '4xx' }), 1)
    assert.equal(sampleValue(samples, name, { ...labels, method: 'POST' }), 1)
    assert.equal(sampleValue(samples, 'portico_request_bytes_total', labels), 400)
    assert.equal(sampleValue(samples, 'portico_response_bytes_total', labels), 4000)
  })

  it('carry the template of the route and never the path', () => {
    const metrics = createWorkerMetrics()
    metrics.observe(record({ path: '/orders/secret-7' }))
    metrics.observe(record({ service: '', route: '', path: '/secret-8', status: 404 }))
    assert.doesNotMatch(renderPrometheus([metrics.snapshot()], []), /secret/)
  })

  it('have histograms in seconds whose buckets add up', () => {
    const { samples, types } = render(
      record({ durationMs: 1 }),
      record({ durationMs: 1.001 }),
      record({ durationMs: 700 }),
      record({ durationMs: 100_000 }),
    )
    const name = 'portico_request_duration_seconds'
    assert.equal(types.get(name), 'histogram')
    assert.equal(sampleValue(samples, `${name}_bucket`, { le: '0.001' }), 1)
    assert.equal(sampleValue(samples, `${name}_bucket`, { le: '0.0025' }), 2)
    assert.equal(sampleValue(samples, `${name}_bucket`, { le: '0.75' }), 3)
    assert.equal(sampleValue(samples, `${name}_bucket`, { le: '60' }), 3)
    assert.equal(sampleValue(samples, `${name}_bucket`, { le: '+Inf' }), 4)
    assert.equal(sampleValue(samples, `${name}_count`, {}), 4)
    assert.ok(Math.abs(sampleValue(samples, `${name}_sum`, {}) - 100.702001) < 1e-9)
    const semantic = 'http_server_request_duration_seconds_count'
    const labels = { http_request_method: 'GET', http_response_status_code: '200', http_route: '/orders/{id}' }
    assert.equal(sampleValue(samples, semantic, labels), 4)
  })

  it('time the upstream only of calls that reached one', () => {
    const { samples } = render(record(), record({ target: '', upstreamMs: 0, status: 401 }))
    assert.equal(sampleValue(samples, 'portico_upstream_duration_seconds_count', {}), 1)
    assert.equal(sampleValue(samples, 'portico_request_duration_seconds_count', {}), 2)
  })

  it('know only the methods of HTTP, whatever clients send', () => {
    const { samples } = render(record({ method: 'BREW' }), record({ method: 'get' }), record({ method: '' }))
    assert.equal(sampleValue(samples, 'portico_requests_total', { method: '_OTHER' }), 3)
  })

  it('escape what a label cannot hold', () => {
    const route = '/a"b\\c\nd{x="1"}'
    const { samples } = render(record({ route }))
    assert.equal(sampleValue(samples, 'portico_requests_total', {}), 1)
    assert.equal(samples.find(sample => sample.name === 'portico_requests_total')?.labels['route'], route)
  })

  it('count calls of gRPC by their own status, and no others', () => {
    const { samples } = render(
      record({ grpcStatus: 0 }),
      record({ grpcStatus: 14 }),
      record({ grpcStatus: 14 }),
      record(),
    )
    const name = 'portico_grpc_requests_total'
    const labels = { service: 'orders', route: '/orders/{id}' }
    assert.equal(sampleValue(samples, name, { ...labels, grpc_status: '0' }), 1)
    assert.equal(sampleValue(samples, name, { ...labels, grpc_status: '14' }), 2)
    assert.equal(samples.filter(sample => sample.name === name).length, 2)
  })

  it('count tokens, calls and cost by provider and model', () => {
    const ai = { provider: 'demo', model: 'echo', tokensIn: 10, tokensOut: 20, costNanoUsd: 1_500_000_000 }
    const { samples } = render(record(ai), record({ ...ai, tokensCached: 4 }), record())
    const labels = { provider: 'demo', model: 'echo' }
    assert.equal(sampleValue(samples, 'portico_ai_tokens_total', { ...labels, kind: 'input' }), 20)
    assert.equal(sampleValue(samples, 'portico_ai_tokens_total', { ...labels, kind: 'output' }), 40)
    assert.equal(sampleValue(samples, 'portico_ai_tokens_total', { ...labels, kind: 'cached' }), 4)
    assert.equal(sampleValue(samples, 'portico_ai_requests_total', labels), 2)
    assert.equal(sampleValue(samples, 'portico_ai_cost_usd_total', labels), 3)
  })

  it('stay bounded however many routes, statuses and models there are, and lose no count', () => {
    const workers = [createWorkerMetrics(), createWorkerMetrics()]
    for (let i = 0; i < maxSeries + 500; i++) {
      workers.forEach((metrics, worker) => {
        metrics.observe(record({ route: `/${worker}/${i}`, provider: 'p', model: `${worker}-${i}` }))
      })
    }
    const snapshots = workers.map(metrics => metrics.snapshot())
    for (const snapshot of [...snapshots, mergeMetrics(snapshots)]) {
      assert.equal(snapshot.calls.length, maxSeries + 1)
      assert.equal(snapshot.ai.length, maxSeries + 1)
    }
    const { samples } = parse(renderPrometheus(snapshots, []))
    const requests = samples.filter(sample => sample.name === 'portico_requests_total')
    const sum = requests.reduce((total, sample) => total + sample.value, 0)
    assert.equal(sum, 2 * (maxSeries + 500))
    assert.ok(sampleValue(requests, 'portico_requests_total', { route: '_overflow', status: '_overflow' }) > 0)
  })

  it('are summed over workers', () => {
    const a = createWorkerMetrics()
    const b = createWorkerMetrics()
    a.observe(record())
    b.observe(record())
    b.observe(record({ status: 500 }))
    const { samples } = parse(renderPrometheus([a.snapshot(), b.snapshot()], []))
    assert.equal(sampleValue(samples, 'portico_requests_total', { status: '200' }), 2)
    assert.equal(sampleValue(samples, 'portico_requests_total', { status: '500' }), 1)
  })

  it('give a snapshot that later calls do not change', () => {
    const metrics = createWorkerMetrics()
    metrics.observe(record())
    const snapshot = metrics.snapshot()
    metrics.observe(record())
    assert.equal(snapshot.calls[0]?.requests, 1)
  })

  it('come with the state of gateway and process', () => {
    const state = {
      activeRequests: 3,
      connections: 4,
      upstreamConnections: 5,
      workers: 2,
      callsWritten: 100,
      callsDropped: 7,
      accessLogDropped: 0,
      counterEvictions: 0,
      snapshotRevision: 12,
      reloadFailed: true,
    }
    const { samples, types } = parse(renderPrometheus([], [...gatewayGauges(state), ...processGauges()]))
    assert.equal(sampleValue(samples, 'portico_active_requests', {}), 3)
    assert.equal(sampleValue(samples, 'portico_calls_dropped_total', {}), 7)
    assert.equal(sampleValue(samples, 'portico_snapshot_revision', {}), 12)
    assert.equal(sampleValue(samples, 'portico_reload_failed', {}), 1)
    assert.equal(types.get('portico_calls_dropped_total'), 'counter')
    assert.ok(sampleValue(samples, 'process_resident_memory_bytes', {}) > 1e6)
    assert.ok(sampleValue(samples, 'process_start_time_seconds', {}) < Date.now() / 1000)
  })
})
