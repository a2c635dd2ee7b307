import { type SharedSlot, word } from './shared-state.ts'

/** A number of permits that all workers take from: exact, since taking is one compare-and-swap. */
export class Permits {
  readonly #words: Int32Array
  readonly #worker: number

  constructor({ words, worker }: SharedSlot) {
    this.#words = words
    this.#worker = worker
  }

  /** Permits that are out, over all workers. */
  get held(): number {
    return Atomics.load(this.#words, word.held)
  }

  /** Takes one unless `limit` are out. */
  take(limit: number): boolean {
    const words = this.#words
    for (;;) {
      const held = Atomics.load(words, word.held)
      if (held >= limit) return false
      if (Atomics.compareExchange(words, word.held, held, held + 1) !== held) continue
      Atomics.add(words, word.heldBy + this.#worker, 1)
      return true
    }
  }

  give(): void {
    Atomics.sub(this.#words, word.heldBy + this.#worker, 1)
    Atomics.sub(this.#words, word.held, 1)
  }
}
