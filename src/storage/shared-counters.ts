import { CounterTable } from './counter-table.ts'
import type { Counters, LimitDecision, LimitRule } from './counters.ts'
import { algorithms, capacityOf, stateSize } from './limit-algorithms.ts'

export { createCountersMemory } from './counter-table.ts'

export interface SharedCounters extends Counters {
  take(rule: LimitRule, key: string, cost: number, now: number): LimitDecision
  stats(): { slots: number; evictions: number; steals: number }
}

/**
 * Counters in memory that all threads of this process share: exact across workers, gone when the process ends.
 * Call it once per thread with the memory made by `createCountersMemory`.
 */
export const sharedCounters = (memory: SharedArrayBuffer): SharedCounters => {
  const table = new CounterTable(memory)
  const fresh = new Float64Array(stateSize)

  return {
    take(rule, key, cost, now) {
      const algorithm = algorithms[rule.algorithm]
      table.hash(rule, key)
      const mark = table.lock()
      let at = table.find()
      if (at < 0) {
        // A look, a refund or a cost that never passes leaves nothing worth a place in the table.
        if (cost <= 0 || cost > capacityOf(rule)) {
          table.unlock(mark)
          return algorithm(fresh.fill(0), 0, rule, cost, now)
        }
        at = table.insert(now)
      }
      const decision = algorithm(table.state, at, rule, cost, now)
      table.unlock(mark)
      return decision
    },

    stats: () => ({ slots: table.slots, evictions: table.evictions, steals: table.steals }),
  }
}
