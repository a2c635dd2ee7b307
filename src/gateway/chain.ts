import type { PolicyUse } from '#config/document'
import type { Call } from './call.ts'
import { type Handler, type Policy, type PolicyUnit, phases, type ResponseHead, type UnitContext } from './contract.ts'
import type { Route } from './snapshot.ts'

/** Policies run by phase; inside a phase in the order of the list of units. */
const inOrder = (uses: readonly PolicyUse[], units: readonly PolicyUnit[]) =>
  uses
    .map(use => {
      const index = units.findIndex(unit => unit.name === use.name)
      const unit = units[index]
      if (unit === undefined) throw new Error(`There is no policy called ${use.name}`)
      return { use, unit, index, phase: phases.indexOf(unit.phase) }
    })
    .sort((a, b) => a.phase - b.phase || a.index - b.index)

/** Closes the chain over its units once, so that a call runs plain function calls and nothing else. */
const link = (policies: readonly Policy[], last: Handler): Handler => {
  let next = last
  for (let i = policies.length - 1; i >= 0; i--) {
    const request = policies[i]?.request
    if (request === undefined) continue
    const following = next
    next = call => request(call, following)
  }
  return next
}

const linkResponses = (policies: readonly Policy[]): Route['onResponse'] => {
  const hooks = policies.flatMap(policy => (policy.response === undefined ? [] : [policy.response])).reverse()
  if (hooks.length === 0) return null
  if (hooks.length === 1) return hooks[0] as (call: Call, response: ResponseHead) => void
  return (call, response) => {
    for (const hook of hooks) hook(call, response)
  }
}

const linkRechecks = (policies: readonly Policy[]): Route['recheck'] => {
  const hooks = policies.flatMap(policy => (policy.recheck === undefined ? [] : [policy.recheck]))
  if (hooks.length === 0) return null
  return (call, consumers) => {
    for (const hook of hooks) {
      const error = hook(call, consumers)
      if (error !== null) return error
    }
    return null
  }
}

/** What routes that have the same policies and the same answer share: the chain is closed once for all of them. */
export type Chain = Pick<Route, 'policies' | 'handle' | 'onResponse' | 'recheck'>

/** Makes the chains of one configuration; one declaration of a policy is one unit in all of them. */
export const createChains = (units: readonly PolicyUnit[], contextOf: (scope: string) => UnitContext) => {
  const made = new Map<PolicyUse, Policy>()
  const chains = new Map<Handler, Map<readonly PolicyUse[], Chain>>()

  const policyOf = (use: PolicyUse, unit: PolicyUnit): Policy => {
    let policy = made.get(use)
    if (policy === undefined) {
      policy = unit.create(use.config, contextOf(`${use.scope}/${use.name}`))
      made.set(use, policy)
    }
    return policy
  }

  const build = (uses: readonly PolicyUse[], answer: Handler): Chain => {
    const ordered = inOrder(uses, units)
    const policies = ordered.map(({ use, unit }) => policyOf(use, unit))
    return {
      policies: ordered.map(({ use, unit }) => ({ name: use.name, phase: unit.phase, scope: use.scope })),
      handle: link(policies, answer),
      onResponse: linkResponses(policies),
      recheck: linkRechecks(policies),
    }
  }

  return (uses: readonly PolicyUse[], answer: Handler): Chain => {
    let ofAnswer = chains.get(answer)
    if (ofAnswer === undefined) chains.set(answer, (ofAnswer = new Map()))
    let chain = ofAnswer.get(uses)
    if (chain === undefined) ofAnswer.set(uses, (chain = build(uses, answer)))
    return chain
  }
}
