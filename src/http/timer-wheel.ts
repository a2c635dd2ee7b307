/** Something that happens after a while unless it is set anew or cleared. Belongs to one wheel. */
export class Timer {
  /** Wheel time in milliseconds, or Infinity when not running. */
  deadline = Number.POSITIVE_INFINITY
  /** Tick of the slot this timer is linked into, or -1. */
  linkedTick = -1
  previous: Timer | null = null
  next: Timer | null = null
  readonly onTimeout: () => void

  constructor(onTimeout: () => void) {
    this.onTimeout = onTimeout
  }
}

const slotCount = 1024

/**
 * One coarse timer for everything a worker waits for. Moving a deadline later, which each request does, is one field
 * write: the timer is looked at when its old slot comes round, and linked again. Resolution is one tick; a timer
 * never fires early, but for one set while the event loop was behind: it reads the clock of the last tick, since a
 * fresh one for each request would cost more than all the rest of this file, and may fire earlier by that delay.
 */
export class TimerWheel {
  readonly tickMs: number
  /** Coarse monotonic milliseconds, refreshed each tick. */
  now = performance.now()
  /** Timers that are linked now; for tests and the status page. */
  size = 0
  #tick = 0
  #origin = this.now
  #slots: (Timer | null)[] = new Array(slotCount).fill(null)
  #interval: NodeJS.Timeout

  constructor(tickMs = 50) {
    this.tickMs = tickMs
    this.#interval = setInterval(() => this.#advance(), tickMs)
    this.#interval.unref()
  }

  /** Starts or moves `timer` to fire `ms` from now. */
  set(timer: Timer, ms: number): void {
    const deadline = this.now + ms + this.tickMs
    timer.deadline = deadline
    if (timer.linkedTick >= 0) {
      if (this.#tickOf(deadline) >= timer.linkedTick) return
      this.#unlink(timer)
    }
    this.#link(timer)
  }

  /** Stops `timer`; it may stay linked until its slot comes round, which costs nothing. */
  clear(timer: Timer): void {
    timer.deadline = Number.POSITIVE_INFINITY
  }

  /** Stops `timer` and forgets it at once; for timers whose owner goes away. */
  remove(timer: Timer): void {
    timer.deadline = Number.POSITIVE_INFINITY
    if (timer.linkedTick >= 0) this.#unlink(timer)
  }

  close(): void {
    clearInterval(this.#interval)
  }

  #tickOf(deadline: number): number {
    return Math.ceil((deadline - this.#origin) / this.tickMs)
  }

  #link(timer: Timer): void {
    const tick = Math.min(Math.max(this.#tickOf(timer.deadline), this.#tick + 1), this.#tick + slotCount - 1)
    const slot = tick % slotCount
    const first = this.#slots[slot] as Timer | null
    timer.linkedTick = tick
    timer.previous = null
    timer.next = first
    if (first !== null) first.previous = timer
    this.#slots[slot] = timer
    this.size++
  }

  #unlink(timer: Timer): void {
    if (timer.previous === null) this.#slots[timer.linkedTick % slotCount] = timer.next
    else timer.previous.next = timer.next
    if (timer.next !== null) timer.next.previous = timer.previous
    timer.linkedTick = -1
    timer.previous = null
    timer.next = null
    this.size--
  }

  #advance(): void {
    this.now = performance.now()
    const target = Math.floor((this.now - this.#origin) / this.tickMs)
    // After a long pause of the loop one round over all slots is enough.
    if (target - this.#tick > slotCount) this.#tick = target - slotCount
    while (this.#tick < target) {
      this.#tick++
      const slot = this.#tick % slotCount
      // Always the first one anew: a callback may remove any other timer. Nothing is ever linked into the slot of
      // the current tick, so this ends.
      let timer = this.#slots[slot] as Timer | null
      while (timer !== null) {
        this.#visit(timer)
        timer = this.#slots[slot] as Timer | null
      }
    }
  }

  #visit(timer: Timer): void {
    this.#unlink(timer)
    if (timer.deadline === Number.POSITIVE_INFINITY) return
    if (timer.deadline > this.now) this.#link(timer)
    else {
      timer.deadline = Number.POSITIVE_INFINITY
      timer.onTimeout()
    }
  }
}
