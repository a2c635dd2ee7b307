import { monotonicMs, wallMs } from '#base/clock'
import type { Target } from '../target.ts'
import type { BalancedUpstream } from '../upstream.ts'
import type { HealthState } from './target-health.ts'

/** A target as an operator sees it. */
export type TargetView = {
  readonly url: string
  /** The address that its host name resolved to; null where the system resolves it at each connection. */
  readonly address: string | null
  readonly weight: number
  /** Less than `weight` while it starts slowly. */
  readonly share: number
  readonly priority: number
  readonly health: HealthState
  /** ISO 8601; null unless it is ejected. */
  readonly ejectedUntil: string | null
  readonly ejections: number
  /** Active checks so far. */
  readonly checks: number
  /** Calls under way. */
  readonly active: number
  /** What an answer is expected to take; null where no balance looks at it. */
  readonly latencyMs: number | null
}

export type UpstreamView = {
  readonly name: string
  readonly balance: string
  /** All targets are used because too few are healthy. */
  readonly panic: boolean
  readonly targets: readonly TargetView[]
}

/** Which upstreams are asked about: of the names behind `after`, in order. */
export type UpstreamQuestion = { readonly name: string | null; readonly after: string; readonly limit: number }

const targetView = (target: Target, now: number, wall: number): TargetView => {
  const { url, address, weight, share, priority, health, load } = target
  const state = health?.state ?? 'healthy'
  const out = state === 'ejected' || state === 'trial'
  const until = health === null ? now : health.slot.until
  return {
    url,
    address,
    weight,
    share: Math.round(share * 1000) / 1000,
    priority,
    health: state,
    ejectedUntil: out ? new Date(Math.round(wall + until - now)).toISOString() : null,
    ejections: health?.slot.count('ejections') ?? 0,
    checks: health?.check?.count('checks') ?? 0,
    active: load.active,
    latencyMs: load.latency === null ? null : Math.round(load.latency.at(now) * 1000) / 1000,
  }
}

export const upstreamView = (upstream: BalancedUpstream): UpstreamView => {
  const now = monotonicMs()
  const wall = wallMs()
  upstream.refresh()
  return {
    name: upstream.name,
    balance: upstream.config.balance,
    panic: upstream.panic,
    targets: upstream.targets.map(target => targetView(target, now, wall)),
  }
}

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1)

/** Answers a question about all upstreams of a worker. */
export const findUpstreams = (
  upstreams: readonly BalancedUpstream[],
  { name, after, limit }: UpstreamQuestion,
): UpstreamView[] =>
  upstreams
    .filter(upstream => upstream.name > after && (name === null || upstream.name === name))
    .sort(byName)
    .slice(0, limit)
    .map(upstreamView)

/** The most targets that metrics tell of: each is a time series for good. */
const maxMeasured = 1000

/** Those upstreams whose targets can go out, for the metrics. */
export const watchedUpstreams = (upstreams: readonly BalancedUpstream[]): UpstreamView[] => {
  const views: UpstreamView[] = []
  let room = maxMeasured
  for (const upstream of upstreams) {
    if (!upstream.watched || upstream.targets.length > room) continue
    room -= upstream.targets.length
    views.push(upstreamView(upstream))
  }
  return views
}

/** What all workers say of the same upstreams as one: health is the same for all of them, calls under way add up. */
export const mergeViews = (answers: readonly (readonly UpstreamView[])[]): UpstreamView[] => {
  const merged = new Map<string, UpstreamView>()
  for (const view of answers.flat()) {
    const known = merged.get(view.name)
    merged.set(view.name, known === undefined ? view : mergeTwo(known, view))
  }
  return [...merged.values()].sort(byName)
}

const keyOf = ({ url, address }: TargetView): string => `${url} ${address}`

const mergeTwo = (one: UpstreamView, other: UpstreamView): UpstreamView => {
  const others = new Map(other.targets.map(target => [keyOf(target), target]))
  return {
    ...one,
    targets: one.targets.map(target => {
      const same = others.get(keyOf(target))
      if (same === undefined) return target
      const latencies = [target.latencyMs, same.latencyMs].filter(value => value !== null)
      return {
        ...target,
        active: target.active + same.active,
        latencyMs: latencies.length === 0 ? null : Math.max(...latencies),
      }
    }),
  }
}
