import { createHash } from 'node:crypto'
import type { Consumer } from '#gateway/contract'

const longestKey = 512
const mostRemembered = 4096

export type KeyIndex = {
  readonly byHash: ReadonlyMap<string, Consumer>
  /** Keys seen and found valid: the way of an ordinary call does not hash. Wrong keys are never kept. */
  readonly remembered: Map<string, Consumer>
}

/** One index for all routes of a configuration, which share its list of consumers. */
const indexes = new WeakMap<readonly Consumer[], KeyIndex>()

/** Finds consumers by the hash of their keys; throws when two consumers hold the same key. */
export const keyIndex = (consumers: readonly Consumer[]): KeyIndex => {
  const known = indexes.get(consumers)
  if (known) return known
  const byHash = new Map<string, Consumer>()
  for (const consumer of consumers)
    for (const hash of consumer.keyHashes) {
      const other = byHash.get(hash)
      if (other && other !== consumer)
        throw new Error(`the consumers ${other.name} and ${consumer.name} have the same key`)
      byHash.set(hash, consumer)
    }
  const index = { byHash, remembered: new Map<string, Consumer>() }
  indexes.set(consumers, index)
  return index
}

/** The owner of `key` (a byte string, as it came on the wire), or null. */
export const findConsumer = ({ byHash, remembered }: KeyIndex, key: string): Consumer | null => {
  const seen = remembered.get(key)
  if (seen) return seen
  if (key.length > longestKey) return null
  const consumer = byHash.get(createHash('sha256').update(key, 'latin1').digest('hex'))
  if (!consumer) return null
  if (remembered.size >= mostRemembered) remembered.clear()
  remembered.set(key, consumer)
  return consumer
}
