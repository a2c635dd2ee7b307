import type { LimitDecision, LimitRule } from './counters.ts'

/**
 * One counter is four numbers in a Float64Array, from `at` on: the time from which it equals a fresh one, then three
 * of the algorithm's own. Four zeros are a fresh counter for each algorithm.
 */
export const stateSize = 4

/** Fractions of units that rounding may add or take; far below one unit, far above the error of a double. */
const tolerance = 1e-6

type Algorithm = (state: Float64Array, at: number, rule: LimitRule, cost: number, now: number) => LimitDecision

/**
 * The generic cell rate algorithm in its leaky bucket form (ITU-T I.371 Annex A shows both to be equal): a level that
 * drains at limit/windowMs and may rise to `burst`. The level counts whole units, so a fixed clock makes it exact,
 * which sums of fractional arrival times would not be.
 */
const takeGcra: Algorithm = (state, at, rule, cost, now) => {
  const rate = rule.limit / rule.windowMs
  const last = state[at + 2] as number
  const time = Math.max(now, last)
  let level = Math.max(0, (state[at + 1] as number) - (time - last) * rate)
  const room = rule.burst + tolerance - level
  const allowed = cost < 0 || (cost === 0 ? room >= 1 : room >= cost)
  if (allowed && cost !== 0) {
    level = Math.max(0, level + cost)
    state[at] = time + level / rate
    state[at + 1] = level
    state[at + 2] = time
  }
  const resetMs = level / rate
  const wanted = allowed ? 1 : Math.max(1, cost)
  const missing = level + wanted - rule.burst
  return {
    allowed,
    remaining: Math.max(0, Math.floor(rule.burst + tolerance - level)),
    retryAfterMs: wanted > rule.burst ? resetMs : missing > tolerance ? missing / rate : 0,
    resetMs,
  }
}

/** Windows that follow each other from the clock's zero; what the last one left over is not carried. */
const takeFixedWindow: Algorithm = (state, at, rule, cost, now) => {
  const index = Math.max(Math.floor(now / rule.windowMs), state[at + 2] as number)
  let used = index === state[at + 2] ? (state[at + 1] as number) : 0
  const end = (index + 1) * rule.windowMs
  const room = rule.limit + tolerance - used
  const allowed = cost < 0 || (cost === 0 ? room >= 1 : room >= cost)
  if (allowed && cost !== 0) {
    used = Math.max(0, used + cost)
    state[at] = end
    state[at + 1] = used
    state[at + 2] = index
  }
  const resetMs = used > 0 ? end - now : 0
  const wanted = allowed ? 1 : Math.max(1, cost)
  return {
    allowed,
    remaining: Math.max(0, Math.floor(rule.limit + tolerance - used)),
    retryAfterMs: used + wanted > rule.limit + tolerance ? resetMs : 0,
    resetMs,
  }
}

/**
 * Two counters: the window before counts with the share of it that a window ending now still covers. It errs by how
 * unevenly the calls of the window before were spread, and needs no list of times.
 */
const takeSlidingWindow: Algorithm = (state, at, rule, cost, now) => {
  const { limit, windowMs } = rule
  const lastIndex = state[at + 3] as number
  const index = Math.max(Math.floor(now / windowMs), lastIndex)
  let used = index === lastIndex ? (state[at + 1] as number) : 0
  let before = index === lastIndex ? (state[at + 2] as number) : index === lastIndex + 1 ? (state[at + 1] as number) : 0
  const start = index * windowMs
  const into = Math.max(0, now - start)
  const left = (windowMs - into) / windowMs
  const room = limit + tolerance - used - before * left
  const allowed = cost < 0 || (cost === 0 ? room >= 1 : room >= cost)
  if (allowed && cost !== 0) {
    used += cost
    // What is given back after its window has passed can only be taken from the window before.
    if (used < 0) {
      before = Math.max(0, before + (left > 0 ? used / left : 0))
      used = 0
    }
    state[at] = start + 2 * windowMs
    state[at + 1] = used
    state[at + 2] = before
    state[at + 3] = index
  }
  const resetMs = used > 0 ? 2 * windowMs - into : before > 0 ? windowMs - into : 0
  const wanted = allowed ? 1 : Math.max(1, cost)
  return {
    allowed,
    remaining: Math.max(0, Math.floor(limit + tolerance - used - before * left)),
    retryAfterMs: slidingWait(used, before, wanted, limit, windowMs, into) ?? resetMs,
    resetMs,
  }
}

/** Milliseconds until `wanted` more units fit, null when they never will. */
const slidingWait = (
  used: number,
  before: number,
  wanted: number,
  limit: number,
  windowMs: number,
  into: number,
): number | null => {
  if (wanted > limit) return null
  const room = limit - used - wanted
  if (room + tolerance >= (before * (windowMs - into)) / windowMs) return 0
  if (room >= 0) return windowMs * (1 - room / before) - into
  return windowMs - into + windowMs * Math.max(0, 1 - (limit - wanted) / used)
}

export const algorithms: Readonly<Record<LimitRule['algorithm'], Algorithm>> = {
  gcra: takeGcra,
  'fixed-window': takeFixedWindow,
  'sliding-window': takeSlidingWindow,
}

/** The most units a rule can let through at once. */
export const capacityOf = (rule: LimitRule): number => (rule.algorithm === 'gcra' ? rule.burst : rule.limit)
