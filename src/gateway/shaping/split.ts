import type { SplitDocument } from '#config/document'
import { getHeader } from '#http/headers'
import type { Call } from '../call.ts'
import { cookieValues, holds, type Predicate, predicateOf } from '../conditions.ts'

type Caller = Pick<Call, 'headers' | 'query' | 'consumer' | 'clientAddress'>

export type Split = {
  /** The index of the branch a call belongs to, or -1 for the main upstream. */
  choose(call: Caller): number
  /** The same where it is certain, by a condition or a key; undefined where shares decide. Counts nothing. */
  foresee(call: Caller): number | undefined
}

/** Shares are counted in hundredths of a percent. */
const whole = 10_000

const conditionsOf = (when: SplitDocument['to'][number]['when']): ((call: Caller) => boolean) | null => {
  if (when === undefined) return null
  const { groups } = when
  const predicates: Predicate[] = (['header', 'cookie', 'query'] as const).flatMap(kind => {
    const named = kind === 'header' ? when.headers : kind === 'cookie' ? when.cookies : when.query
    return Object.entries(named).map(([name, condition]) => predicateOf(kind, name, condition))
  })
  if (predicates.length === 0 && groups.length === 0) return null
  return call => {
    for (const predicate of predicates) if (holds(predicate, call)) return true
    return call.consumer?.groups.some(group => groups.includes(group)) ?? false
  }
}

/** FNV-1a with a final mix (murmur3's), so that names that differ in their last character fall far apart. */
const hash = (text: string): number => {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}

/** What a call is recognised by; undefined when it has nothing of the kind. */
const keyOf = (stickyBy: string): ((call: Caller) => string | undefined) => {
  const address = (call: Caller) => call.clientAddress || undefined
  if (stickyBy === 'ip') return address
  if (stickyBy === 'consumer') return call => call.consumer?.name ?? address(call)
  const name = stickyBy.slice(stickyBy.indexOf(':') + 1)
  if (stickyBy.startsWith('cookie:')) return call => cookieValues(call.headers, name)[0]
  const field = name.toLowerCase()
  return call => getHeader(call.headers, field)
}

/**
 * Chooses branches by their conditions first and by their shares then. Shares are exact, not random: of any 10,000
 * calls in a row each branch gets its part, evenly spread (smooth weighted round robin). `salt` keeps the
 * halves of one split independent of those of another.
 */
export const compileSplit = ({ to, stickyBy }: SplitDocument, salt: string): Split => {
  const conditions = to.map(({ when }) => conditionsOf(when))
  const conditional = conditions.some(one => one !== null)
  const shares = to.map(({ percent }) => Math.round(percent * 100))
  const weights = [...shares, whole - shares.reduce((sum, share) => sum + share, 0)]
  const scores = weights.map(() => 0)
  const key = stickyBy === null ? null : keyOf(stickyBy)

  const inTurn = (): number => {
    let best = 0
    for (let i = 0; i < weights.length; i++) {
      scores[i] = (scores[i] as number) + (weights[i] as number)
      if ((scores[i] as number) > (scores[best] as number)) best = i
    }
    scores[best] = (scores[best] as number) - whole
    return best
  }
  const byKey = (text: string): number => {
    let point = hash(salt + text) % whole
    let branch = 0
    while (branch < shares.length && point >= (shares[branch] as number)) point -= shares[branch++] as number
    return branch
  }

  const foresee = (call: Caller): number | undefined => {
    if (conditional) for (let i = 0; i < conditions.length; i++) if (conditions[i]?.(call) === true) return i
    const text = key?.(call)
    return text === undefined ? undefined : byKey(text)
  }
  const indexOf = (branch: number): number => (branch === to.length ? -1 : branch)

  return {
    choose: call => indexOf(foresee(call) ?? inTurn()),
    foresee: call => {
      const branch = foresee(call)
      return branch === undefined ? undefined : indexOf(branch)
    },
  }
}
