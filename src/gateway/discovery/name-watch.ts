import { type Discovery, discoveryKey, type ResolvedAddress } from '../endpoint.ts'
import { type DnsSettings, NameResolver, type Resolution } from './resolve-name.ts'

/** A name that targets are called by. */
export type WatchedName = { readonly discovery: Discovery; readonly queryName: string }

export type NameEvent =
  | { readonly kind: 'changed'; readonly name: string; readonly addresses: readonly string[] }
  | { readonly kind: 'failed'; readonly name: string; readonly reason: string }

export type NameWatchOptions = {
  readonly settings: DnsSettings
  /** Gets all addresses of all names, by `discoveryKey`, whenever some have changed. */
  readonly onAddresses: (addresses: ReadonlyMap<string, readonly ResolvedAddress[]>) => void
  readonly onEvent: (event: NameEvent) => void
}

/** Changes within so many milliseconds are published as one. */
const gatherMs = 10
/** The longest wait after failures, each of which doubles it. */
const maxWaitMs = 30_000

type Watched = {
  readonly name: WatchedName
  timer: NodeJS.Timeout | undefined
  /** What was published last, as text; null before the first answer. */
  known: string | null
  /** Failures in a row. */
  failures: number
  asked: boolean
}

const textOf = ({ address, port }: ResolvedAddress): string => (port === null ? address : `${address} port ${port}`)

/** Asks for names again and again, as often as their answers say; after a failure the last good answer stays. */
export class NameWatch {
  readonly #options: NameWatchOptions
  #settings: DnsSettings
  #resolver: NameResolver
  readonly #names = new Map<string, Watched>()
  readonly #addresses = new Map<string, readonly ResolvedAddress[]>()
  #waiting: (() => void)[] = []
  #publishing: NodeJS.Timeout | null = null
  #closed = false

  constructor(options: NameWatchOptions) {
    this.#options = options
    this.#settings = options.settings
    this.#resolver = new NameResolver(options.settings)
  }

  get addresses(): ReadonlyMap<string, readonly ResolvedAddress[]> {
    return this.#addresses
  }

  configure(settings: DnsSettings): void {
    const same = JSON.stringify(settings) === JSON.stringify(this.#settings)
    this.#settings = settings
    if (same) return
    this.#resolver.cancel()
    this.#resolver = new NameResolver(settings)
    for (const watched of this.#names.values()) this.#ask(watched)
  }

  /** Begins to watch new names, and stops watching those that are not among `names`. */
  update(names: readonly WatchedName[]): void {
    const wanted = new Map(
      names.filter(({ discovery }) => discovery !== 'none').map(name => [discoveryKey(name), name]),
    )
    let gone = false
    for (const [key, { timer }] of this.#names) {
      if (wanted.has(key)) continue
      clearTimeout(timer)
      this.#names.delete(key)
      gone = this.#addresses.delete(key) || gone
    }
    for (const [key, name] of wanted) {
      if (this.#names.has(key)) continue
      const watched: Watched = { name, timer: undefined, known: null, failures: 0, asked: false }
      this.#names.set(key, watched)
      this.#ask(watched)
    }
    if (gone) this.#publishSoon()
  }

  /** Resolves when every name was asked for once, whatever came out, or after `milliseconds`. */
  ready(milliseconds: number): Promise<void> {
    if ([...this.#names.values()].every(({ asked }) => asked)) return Promise.resolve()
    return new Promise(resolve => {
      const timer = setTimeout(resolve, milliseconds)
      this.#waiting.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  close(): void {
    this.#closed = true
    if (this.#publishing !== null) clearTimeout(this.#publishing)
    this.#resolver.cancel()
    for (const { timer } of this.#names.values()) clearTimeout(timer)
    this.#names.clear()
  }

  #ask(watched: Watched): void {
    clearTimeout(watched.timer)
    const resolver = this.#resolver
    const { discovery, queryName } = watched.name
    const work = discovery === 'srv' ? resolver.services(queryName) : resolver.addresses(queryName)
    const stale = (): boolean => resolver !== this.#resolver || !this.#isWatched(watched)
    work.then(
      resolution => {
        if (!stale()) this.#found(watched, resolution)
      },
      (error: NodeJS.ErrnoException) => {
        if (!stale()) this.#failed(watched, error.code ?? error.message)
      },
    )
  }

  #isWatched(watched: Watched): boolean {
    return !this.#closed && this.#names.get(discoveryKey(watched.name)) === watched
  }

  #found(watched: Watched, { addresses, ttlMs }: Resolution): void {
    const key = discoveryKey(watched.name)
    // Servers rotate their answers; the order means nothing.
    const sorted = addresses === null ? null : [...addresses].sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1))
    const text = JSON.stringify(sorted)
    watched.failures = 0
    if (text !== watched.known) {
      watched.known = text
      if (sorted === null) this.#addresses.delete(key)
      else this.#addresses.set(key, sorted)
      this.#publishSoon()
      if (sorted !== null)
        this.#options.onEvent({ kind: 'changed', name: watched.name.queryName, addresses: sorted.map(textOf) })
    }
    this.#again(watched, ttlMs)
  }

  /** Many names change together at a start: each change alone would be work for all workers. */
  #publishSoon(): void {
    this.#publishing ??= setTimeout(() => this.#publish(), gatherMs)
  }

  #publish(): void {
    if (this.#publishing === null) return
    clearTimeout(this.#publishing)
    this.#publishing = null
    this.#options.onAddresses(this.#addresses)
  }

  #failed(watched: Watched, reason: string): void {
    if (watched.failures === 0) this.#options.onEvent({ kind: 'failed', name: watched.name.queryName, reason })
    // A resolver in trouble is not helped by questions, nor is this thread by lookups that hang.
    this.#again(watched, Math.min(maxWaitMs, this.#settings.minTtl * 2 ** Math.min(watched.failures++, 10)))
  }

  #again(watched: Watched, ttlMs: number): void {
    const { minTtl, maxTtl } = this.#settings
    watched.asked = true
    watched.timer = setTimeout(() => this.#ask(watched), Math.max(minTtl, Math.min(maxTtl, ttlMs)))
    watched.timer.unref()
    if (this.#waiting.length === 0 || ![...this.#names.values()].every(({ asked }) => asked)) return
    this.#publish()
    for (const wake of this.#waiting.splice(0)) wake()
  }
}
