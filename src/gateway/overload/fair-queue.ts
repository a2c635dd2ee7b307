/**
 * Takes turns over the keys that have something waiting; first come, first served within a key. So that one who sends
 * a thousand calls and one who sends one wait for each other only once.
 */
export class FairQueue<Item> {
  /** In order of their turns. */
  readonly #lanes = new Map<string, Set<Item>>()
  /** All items by age, with their keys. */
  readonly #keys = new Map<Item, string>()

  get size(): number {
    return this.#keys.size
  }

  push(key: string, item: Item): void {
    const lane = this.#lanes.get(key)
    if (lane === undefined) this.#lanes.set(key, new Set([item]))
    else lane.add(item)
    this.#keys.set(item, key)
  }

  /** Whose turn it is; undefined when nobody waits. */
  first(): Item | undefined {
    const [lane] = this.#lanes.values()
    return lane?.values().next().value
  }

  /** Who has waited longest. */
  oldest(): Item | undefined {
    return this.#keys.keys().next().value
  }

  /** Takes the first one out; its key waits for its next turn behind the others. */
  shift(): Item | undefined {
    const item = this.first()
    if (item === undefined) return undefined
    const key = this.#keys.get(item) as string
    const lane = this.#lanes.get(key) as Set<Item>
    this.remove(item)
    if (lane.size > 0) {
      this.#lanes.delete(key)
      this.#lanes.set(key, lane)
    }
    return item
  }

  /** Takes out somebody who does not want to wait any more. */
  remove(item: Item): boolean {
    const key = this.#keys.get(item)
    if (key === undefined) return false
    this.#keys.delete(item)
    const lane = this.#lanes.get(key) as Set<Item>
    lane.delete(item)
    if (lane.size === 0) this.#lanes.delete(key)
    return true
  }
}
