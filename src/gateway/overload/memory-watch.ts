import { totalmem } from 'node:os'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { MemoryLimit } from '#config/overload-schema'

export type MemoryReading = {
  /** Resident memory of the process, and the memory it may have at most. */
  readonly resident: number
  readonly available: number
  /** JavaScript heap of this thread, and its limit. */
  readonly heap: number
  readonly heapLimit: number
}

const readMemory = (): MemoryReading => {
  // 0 or an absurd number where no control group sets a limit.
  const constrained = process.constrainedMemory()
  const total = totalmem()
  const { used_heap_size: heap, heap_size_limit: heapLimit } = getHeapStatistics()
  return {
    resident: process.memoryUsage.rss(),
    available: constrained > 0 && constrained < total ? constrained : total,
    heap,
    heapLimit,
  }
}

/** Whether memory is used up: the process by what is resident, and for a percentage also the heap of this thread. */
export const exceeds = (limit: MemoryLimit, { resident, available, heap, heapLimit }: MemoryReading): boolean =>
  'bytes' in limit
    ? resident >= limit.bytes
    : resident * 100 >= limit.percent * available || heap * 100 >= limit.percent * heapLimit

const lookEveryMs = 200
const collectEveryMs = 5_000

/**
 * Looks at memory a few times per second. While calls are refused little is allocated, so that nothing would make V8
 * collect and give memory back; therefore it is told to, now and then, as long as the limit is exceeded.
 */
export class MemoryWatch {
  exceeded = false
  #limit: MemoryLimit | null = null
  #timer: NodeJS.Timeout | null = null
  #collectedAt = Number.NEGATIVE_INFINITY

  set(limit: MemoryLimit | null): void {
    this.#limit = limit
    if (limit === null) {
      this.close()
      return
    }
    this.#timer ??= setInterval(() => this.#look(), lookEveryMs).unref()
    this.#look()
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.exceeded = false
  }

  #look(): void {
    if (this.#limit === null) return
    this.exceeded = exceeds(this.#limit, readMemory())
    const now = performance.now()
    if (!this.exceeded || now - this.#collectedAt < collectEveryMs) return
    this.#collectedAt = now
    collectGarbage()
  }
}

let collect: (() => void) | null = null

/** The flag counts for contexts made after it, and changes nothing else. (An inspector session hangs worker threads.) */
const collectGarbage = (): void => {
  if (collect === null) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
  }
  collect()
}
