import { createHash, type Hash } from 'node:crypto'
import { monotonicMs } from '#base/clock'
import type { MirrorDocument } from '#config/document'
import { getHeaders, type HeaderList } from '#http/headers'
import type { Call } from '../call.ts'
import type { ForwardOptions, RequestFilter, ResponseFilter } from '../forward-options.ts'
import type { GatewayCall } from '../gateway-call.ts'
import type { Upstream } from '../upstream.ts'
import { upstreamFields } from '../upstream-fields.ts'
import { type ShadowAnswer, sendShadow } from './shadow.ts'

/** How many copies ended how, in this worker. `answered` were not compared; `skipped` were not sent. */
export type MirrorCounts = { answered: number; same: number; different: number; failed: number; skipped: number }

export type MirrorReport = {
  readonly counts: MirrorCounts
  /** Hears of calls whose answers differ. */
  readonly onDifference: (text: string) => void
}

/** How an answer looked: what is compared. */
type Answer = ShadowAnswer

const differences = (real: Answer, shadow: Answer, names: readonly string[]): string[] => {
  const found: string[] = []
  if (real.status !== shadow.status) found.push(`status ${real.status} and ${shadow.status}`)
  for (const name of names) {
    const [ours, theirs] = [real, shadow].map(({ headers }) => getHeaders(headers, name).join(', '))
    if (ours !== theirs) found.push(`header ${name}`)
  }
  if (real.digest !== shadow.digest) found.push('body')
  return found
}

/** Watches the answer that the client gets, without holding it up. */
class RealAnswer implements ResponseFilter {
  readonly rewrites = false
  readonly #hash: Hash = createHash('sha256')
  readonly #status: number
  readonly #headers: HeaderList
  readonly #done: (answer: Answer | null) => void

  constructor(status: number, headers: HeaderList, done: (answer: Answer | null) => void) {
    this.#status = status
    this.#headers = headers.slice()
    this.#done = done
  }

  data(chunk: Buffer): Buffer {
    this.#hash.update(chunk)
    return chunk
  }

  end(): null {
    this.#done({ status: this.#status, headers: this.#headers, digest: this.#hash.digest('hex') })
    return null
  }

  abort(): void {
    this.#done(null)
  }
}

/** Keeps what passes, up to a bound, and hands it over at the end. */
class BodyCopy implements RequestFilter {
  readonly keepsLength = true
  readonly #limit: number
  readonly #done: (body: Buffer | null) => void
  #chunks: Buffer[] = []
  #length = 0

  constructor(limit: number, done: (body: Buffer | null) => void) {
    this.#limit = limit
    this.#done = done
  }

  data(chunk: Buffer): Buffer {
    this.#length += chunk.length
    if (this.#length <= this.#limit) this.#chunks.push(Buffer.from(chunk))
    else this.#chunks = []
    return chunk
  }

  end(): void {
    this.#done(this.#length <= this.#limit ? Buffer.concat(this.#chunks) : null)
  }
}

/** Counts to a share exactly, spread evenly. */
const everySo = (percent: number): (() => boolean) => {
  let sum = 0
  return () => {
    sum += Math.round(percent * 100)
    if (sum < 10_000) return false
    sum -= 10_000
    return true
  }
}

type Forward = (call: Call, options: ForwardOptions) => void

/**
 * Forwards calls as `forward` does, and sends a copy of them to `shadow`. Whatever becomes of the copy, the call does
 * not see it: it is sent when the call is on its way and its body is known, and no one waits for it.
 */
export const mirroring = (
  mirror: MirrorDocument,
  shadow: Upstream,
  { counts, onDifference }: MirrorReport,
  forward: Forward,
): Forward => {
  const isTurn = everySo(mirror.percent)
  let active = 0

  const compare = (call: GatewayCall, real: Answer | null, copy: Answer | null): void => {
    if (real === null || copy === null) {
      counts.failed++
      return
    }
    const found = differences(real, copy, mirror.headers)
    if (found.length === 0) {
      counts.same++
      return
    }
    counts.different++
    onDifference(
      `The mirror ${shadow.name} answered differently: ${found.join(', ')} (route ${call.route?.id}, request ${call.requestId})`,
    )
  }

  return (passing, options) => {
    const call = passing as GatewayCall
    const { exchange } = call
    const unfit =
      exchange.upgradeProtocol !== null ||
      options.requestFilter !== undefined ||
      exchange.contentLength > mirror.maxBody ||
      active >= mirror.concurrency
    if (!isTurn()) {
      forward(call, options)
      return
    }
    if (unfit) {
      counts.skipped++
      forward(call, options)
      return
    }
    const compares = mirror.compare && options.filter === undefined
    let real: Answer | null | undefined
    let copy: Answer | null | undefined
    const settle = (): void => {
      if (!compares && copy !== undefined) counts[copy === null ? 'failed' : 'answered']++
      else if (real !== undefined && copy !== undefined) compare(call, real, copy)
    }
    const request = {
      method: options.method ?? call.method,
      path: options.target ?? call.forwardPath + (call.query === '' ? '' : `?${call.query}`),
      fields: upstreamFields(call, options.headers ?? call.headers, { ...options, upstream: shadow }),
      host: shadow.config.preserveHost && exchange.host !== '' ? exchange.host : (options.host ?? null),
    }
    const send = (body: Buffer | null): void => {
      if (body === null || active >= mirror.concurrency) {
        counts.skipped++
        return
      }
      active++
      sendShadow(shadow, call, { ...request, body }, mirror.timeout, compares, answer => {
        active--
        copy = answer
        settle()
      })
    }
    const streams = options.body === undefined && exchange.framing !== 'none'
    forward(call, {
      ...options,
      ...(streams && { requestFilter: new BodyCopy(mirror.maxBody, send) }),
      ...(compares && {
        filter: (status: number, headers: HeaderList) =>
          new RealAnswer(status, headers, answer => {
            real = answer
            settle()
          }),
      }),
    })
    if (!streams) send(options.body ?? Buffer.alloc(0))
  }
}

/** For a compilation that nobody watches. */
export const silentMirrors = (): MirrorReport => ({ counts: noMirrorCounts(), onDifference: () => {} })

/** Counts of a worker in which nothing happened yet. */
export const noMirrorCounts = (): MirrorCounts => ({ answered: 0, same: 0, different: 0, failed: 0, skipped: 0 })

/** Lines about differences in a row, and the milliseconds until there may be one more; others are counted only. */
const burst = 20
const refill = 100

/** Lets so many lines through as somebody could read. */
export const sparingly = (write: (text: string) => void): ((text: string) => void) => {
  let left = burst
  let last = monotonicMs()
  return text => {
    const now = monotonicMs()
    left = Math.min(burst, left + (now - last) / refill)
    last = now
    if (left < 1) return
    left--
    write(text)
  }
}
