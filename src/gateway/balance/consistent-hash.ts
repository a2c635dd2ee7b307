import type { HashDocument } from '#config/document'
import type { Target } from '../target.ts'
import type { Pick } from './choose.ts'
import { hashOf, hashText } from './hash-key.ts'

/** Points of a target of average weight: the shares of equal targets differ by some percent then. */
const pointsPerTarget = 160
const maxPoints = 65_536

type Ring = { readonly points: Float64Array; readonly targets: readonly Target[] }

/**
 * Each target owns points of a circle by its weight; their places depend on nothing but the target itself, so that no
 * call moves between two targets that stay when a third one comes or goes.
 */
const makeRing = (targets: readonly Target[]): Ring => {
  const weight = targets.reduce((sum, target) => sum + target.weight, 0)
  const total = Math.min(maxPoints, pointsPerTarget * targets.length)
  const points: number[] = []
  for (const [index, target] of targets.entries()) {
    const own = Math.max(1, Math.round((total * target.weight) / weight))
    // The owner stands in the low digits, so that sorting numbers sorts both.
    for (let i = 0; i < own; i++) points.push(hashText(`${target.key}#${i}`) * 0x1_0000 + index)
  }
  return { points: Float64Array.from(points).sort(), targets }
}

/** Index of the first point at or behind `hash`, going round. */
const firstAt = (points: Float64Array, hash: number): number => {
  const wanted = hash * 0x1_0000
  let low = 0
  let high = points.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((points[middle] as number) < wanted) low = middle + 1
    else high = middle
  }
  return low === points.length ? 0 : low
}

/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016): calls of one key go to one target,
 * unless that one has more than `loadFactor` times its share to do; then they go to the next on the circle.
 */
export const consistentHash = ({ by, loadFactor }: HashDocument, all: readonly Target[]): Pick => {
  let ring: Ring | null = null
  return (call, candidates) => {
    if (candidates.length === 1) return candidates[0] as Target
    ring ??= makeRing(all.filter(target => target.weight > 0))
    let active = 1
    let weight = 0
    for (const target of candidates) {
      active += target.load.active
      weight += target.share
    }
    const { points, targets } = ring
    const bound = (loadFactor * active) / weight
    const start = firstAt(points, hashOf(call, by))
    let allowed: Target | null = null
    for (let i = 0; i < points.length; i++) {
      const point = points[start + i < points.length ? start + i : start + i - points.length] as number
      const target = targets[point % 0x1_0000] as Target
      if (!candidates.includes(target)) continue
      if (target.load.active + 1 <= Math.ceil(bound * target.share)) return target
      allowed ??= target
    }
    return allowed ?? (candidates[0] as Target)
  }
}
