import { monotonicMs } from '#base/clock'
import type { BalanceDocument } from '#config/document'
import type { BalanceCall, Target } from '../target.ts'
import { consistentHash } from './consistent-hash.ts'

/**
 * Picks one of `candidates`, which are never empty. On the first try these are the same list each time until the set of
 * usable targets changes; `even` says that all their shares are equal.
 */
export type Pick = (call: BalanceCall, candidates: readonly Target[], even: boolean) => Target

const roundRobin = (): Pick => {
  let next = -1
  return (_, candidates, even) => {
    if (even) {
      next = next + 1 < candidates.length ? next + 1 : 0
      return candidates[next] as Target
    }
    return smoothTurn(candidates)
  }
}

/** Smooth weighted round robin: spreads each target's turns evenly instead of sending them in a row. */
const smoothTurn = (candidates: readonly Target[]): Target => {
  let total = 0
  let best = candidates[0] as Target
  let bestTurn = Number.NEGATIVE_INFINITY
  for (const target of candidates) {
    total += target.share
    target.turn += target.share
    if (target.turn > bestTurn) {
      bestTurn = target.turn
      best = target
    }
  }
  best.turn -= total
  return best
}

const busyness = (target: Target): number => (target.load.active + 1) / target.share

const leastRequests: Pick = (_, candidates) => {
  let best = candidates[0] as Target
  let least = Number.POSITIVE_INFINITY
  // Ties are broken at random, else an idle upstream would always use its first target.
  let ties = 0
  for (const target of candidates) {
    const load = busyness(target)
    if (load < least) {
      best = target
      least = load
      ties = 1
    } else if (load === least && Math.random() * ++ties < 1) best = target
  }
  return best
}

/** One of two candidates drawn at random, which are never the same one twice while there are others. */
const betterOfTwo = (candidates: readonly Target[], cost: (target: Target) => number): Target => {
  const count = candidates.length
  const at = Math.floor(Math.random() * count)
  const first = candidates[at] as Target
  if (count === 1) return first
  const second = candidates[(at + 1 + Math.floor(Math.random() * (count - 1))) % count] as Target
  return cost(second) < cost(first) ? second : first
}

const randomTwo: Pick = (_, candidates) => betterOfTwo(candidates, busyness)

const peakEwma: Pick = (_, candidates) => {
  const now = monotonicMs()
  return betterOfTwo(
    candidates,
    ({ load, share }) => ((load.latency?.cost(now, load.active) ?? 0) + 1e-6 * (load.active + 1)) / share,
  )
}

export type PickerConfig = { readonly balance: BalanceDocument['balance']; readonly hash: BalanceDocument['hash'] }

/** The balancing algorithm of an upstream. `all` are its targets, also those that are out at the moment. */
export const picker = ({ balance, hash }: PickerConfig, all: readonly Target[]): Pick => {
  if (balance === 'least-requests') return leastRequests
  if (balance === 'random-two') return randomTwo
  if (balance === 'peak-ewma') return peakEwma
  if (balance === 'consistent-hash') return consistentHash(hash, all)
  return roundRobin()
}
