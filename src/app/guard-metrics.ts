import type { Gauge } from '#analytics/render-prometheus'
import type { GuardState } from '#gateway/guard'
import type { WorkerReport } from './worker-messages.ts'

const circuits = { closed: 0, 'half-open': 1, open: 2 } as const

type Metric = Pick<Gauge, 'name' | 'help' | 'type'> & {
  readonly value: (state: GuardState) => number | null
  /** `same`: all workers see one number. */
  readonly over: 'sum' | 'same'
}

const metrics: readonly Metric[] = [
  {
    name: 'portico_upstream_circuit',
    help: 'Circuit breaker of an upstream: 0 closed, 1 half-open, 2 open.',
    type: 'gauge',
    over: 'same',
    value: ({ circuit }) => (circuit === null ? null : circuits[circuit]),
  },
  {
    name: 'portico_upstream_circuit_opened_total',
    help: 'How often the circuit breaker of an upstream opened.',
    type: 'counter',
    over: 'same',
    value: ({ circuit, circuitOpened }) => (circuit === null ? null : circuitOpened),
  },
  {
    name: 'portico_upstream_in_flight',
    help: 'Tries under way at an upstream with limits.',
    type: 'gauge',
    over: 'sum',
    value: ({ inFlight }) => inFlight,
  },
  {
    name: 'portico_upstream_waiting',
    help: 'Calls that wait for a target of an upstream with limits.',
    type: 'gauge',
    over: 'sum',
    value: ({ waiting }) => waiting,
  },
  {
    name: 'portico_upstream_adaptive_limit',
    help: 'Calls in flight that adaptive concurrency allows, over all workers.',
    type: 'gauge',
    over: 'sum',
    value: ({ adaptiveLimit }) => adaptiveLimit,
  },
  {
    name: 'portico_upstream_refused_total',
    help: 'Calls refused because an upstream was at its limits.',
    type: 'counter',
    over: 'sum',
    value: ({ inFlight, refusals }) => (inFlight === null ? null : refusals),
  },
  {
    name: 'portico_upstream_repetitions_total',
    help: 'Retries and hedges that the budget of an upstream allowed.',
    type: 'counter',
    over: 'sum',
    value: ({ retries }) => retries,
  },
  {
    name: 'portico_upstream_repetitions_refused_total',
    help: 'Retries and hedges that the budget of an upstream refused.',
    type: 'counter',
    over: 'sum',
    value: ({ retriesRefused }) => retriesRefused,
  },
]

/** What stands between calls and upstreams, for those upstreams where something does. */
export const guardMetrics = (reports: readonly WorkerReport[]): Gauge[] => {
  const states = reports.flatMap(({ load }) => load.upstreams)
  const names = [...new Set(states.map(({ upstream }) => upstream))]
  const samples = metrics.flatMap(({ name, help, type, over, value }) =>
    names.flatMap(upstream => {
      const values = states
        .filter(state => state.upstream === upstream)
        .map(value)
        .filter(one => one !== null)
      if (values.length === 0) return []
      const total = over === 'sum' ? values.reduce((sum, one) => sum + one, 0) : Math.max(...values)
      return [{ name, help, type, value: total, labels: { upstream } }]
    }),
  )
  const refused = reports.reduce((sum, { load }) => sum + load.refusals, 0)
  return [
    ...samples,
    {
      name: 'portico_overload_refused_total',
      help: 'Calls refused because of limits of the whole gateway.',
      type: 'counter',
      value: refused,
    },
  ]
}
