import type { BalanceCall, Target } from '../target.ts'
import type { UpstreamConfig } from '../upstream.ts'

/** Picks a target; `tried` holds those that already failed this call, null on the first try. */
export type Choose = (call: BalanceCall, tried: readonly Target[] | null) => Target | null

const usable = (targets: readonly Target[], tried: readonly Target[] | null): readonly Target[] => {
  if (tried === null) return targets
  const untried = targets.filter(target => !tried.includes(target))
  return untried.length > 0 ? untried : targets
}

/** Smooth weighted round robin: spreads each target's turns evenly instead of sending them in a row. */
const roundRobin = (targets: readonly Target[]): Choose => {
  const current = new Map<Target, number>(targets.map(target => [target, 0]))
  return (_, tried) => {
    const candidates = usable(targets, tried)
    let total = 0
    let best: Target | null = null
    let bestScore = Number.NEGATIVE_INFINITY
    for (const target of candidates) {
      total += target.weight
      const score = (current.get(target) as number) + target.weight
      current.set(target, score)
      if (score > bestScore) {
        bestScore = score
        best = target
      }
    }
    if (best !== null) current.set(best, bestScore - total)
    return best
  }
}

const load = (target: Target): number => (target.active + 1) / target.weight

const leastRequests =
  (targets: readonly Target[]): Choose =>
  (_, tried) => {
    const candidates = usable(targets, tried)
    let best: Target | null = null
    // Ties are broken at random, else an idle upstream would always use its first target.
    let ties = 0
    for (const target of candidates) {
      if (best === null || load(target) < load(best)) {
        best = target
        ties = 1
      } else if (load(target) === load(best) && Math.random() * ++ties < 1) best = target
    }
    return best
  }

const randomTwo =
  (targets: readonly Target[]): Choose =>
  (_, tried) => {
    const candidates = usable(targets, tried)
    const first = candidates[Math.floor(Math.random() * candidates.length)] ?? null
    const second = candidates[Math.floor(Math.random() * candidates.length)] ?? null
    if (first === null || second === null) return first
    return load(second) < load(first) ? second : first
  }

/** The balancing algorithm of an upstream over its targets of weight above zero. */
export const chooser = (balance: UpstreamConfig['balance'], all: readonly Target[]): Choose => {
  const targets = all.filter(target => target.weight > 0)
  if (targets.length === 0) return () => null
  const [only] = targets
  if (targets.length === 1 && only !== undefined) return () => only
  if (balance === 'least-requests') return leastRequests(targets)
  if (balance === 'random-two') return randomTwo(targets)
  return roundRobin(targets)
}
