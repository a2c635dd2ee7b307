/**
 * One event of a stream of server-sent events (WHATWG HTML §9.2), still in its bytes.
 * Valid only until the splitter is called again.
 */
export type SseEvent = {
  /** Every byte of the event with its closing blank line; all `raw` together are the stream. */
  readonly raw: Buffer
  /** The value of its `data` lines, joined with line feeds; null when there is none. */
  readonly data: Buffer | null
  /** Where `data` begins in `raw` when it is one line and so stands there in one piece, else -1. */
  readonly dataAt: number
}

const lineFeed = 0x0a
const carriageReturn = 0x0d
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf])
const dataField = Buffer.from('data')

/** Finds the next byte that ends a line, or the end of the bytes; asked with growing positions, it looks at each byte once. */
const lineEnds = (bytes: Buffer, from: number): ((at: number) => number) => {
  const find = (byte: number, at: number): number => {
    const found = bytes.indexOf(byte, at)
    return found < 0 ? bytes.length : found
  }
  let feed = find(lineFeed, from)
  let carriage = find(carriageReturn, from)
  return at => {
    if (feed < at) feed = find(lineFeed, at)
    if (carriage < at) carriage = find(carriageReturn, at)
    return Math.min(feed, carriage)
  }
}

/** The data value of one line as `[start, end]`, or null when the line is another field or a comment. */
const dataOfLine = (raw: Buffer, start: number, end: number): readonly [number, number] | null => {
  const afterName = start + dataField.length
  if (afterName > end || raw.compare(dataField, 0, dataField.length, start, afterName) !== 0) return null
  if (afterName === end) return [end, end]
  if (raw[afterName] !== 0x3a) return null
  return [raw[afterName + 1] === 0x20 && afterName + 1 < end ? afterName + 2 : afterName + 1, end]
}

const readEvent = (raw: Buffer, first: boolean): SseEvent => {
  const values: (readonly [number, number])[] = []
  let start = first && raw.subarray(0, 3).equals(byteOrderMark) ? 3 : 0
  const lineEnd = lineEnds(raw, start)
  while (start < raw.length) {
    const end = lineEnd(start)
    const value = dataOfLine(raw, start, end)
    if (value) values.push(value)
    start = end + 1
  }
  if (values.length === 0) return { raw, data: null, dataAt: -1 }
  const pieces = values.map(([from, to]) => raw.subarray(from, to))
  if (pieces.length === 1)
    return { raw, data: pieces[0] as Buffer, dataAt: (values[0] as readonly [number, number])[0] }
  const data = Buffer.concat(pieces.flatMap((piece, index) => (index === 0 ? [piece] : [Buffer.from('\n'), piece])))
  return { raw, data, dataAt: -1 }
}

/** What is known at one byte about the event it belongs to. */
type Position = {
  lineEmpty: boolean
  /** A carriage return was the last byte: a line feed after it belongs to the same line end. */
  carriage: 'none' | 'line' | 'blank'
  /** A line of this event ended with a carriage return alone, so the next one is not waited with for a line feed. */
  bare: boolean
  /** A line feed as the first byte still belongs to the event before. */
  skipLineFeed: boolean
}

const beginning = (skipLineFeed = false): Position => ({ lineEmpty: true, carriage: 'none', bare: false, skipLineFeed })

/**
 * Cuts a byte stream into its events, whatever the pieces it comes in: lines end with LF, CR or CRLF, and any split
 * of the bytes gives the same events. An event above `maxEvent` bytes is not held: from there on the bytes
 * come out as they come in, as events without data.
 */
export class SseSplitter {
  readonly #maxEvent: number
  #held: Buffer = Buffer.alloc(0)
  #length = 0
  #position = beginning()
  #first = true
  #gaveUp = false

  constructor(maxEvent = 8 * 1024 * 1024) {
    this.#maxEvent = maxEvent
  }

  /** The events that are complete with this chunk. */
  push(chunk: Buffer): SseEvent[] {
    if (this.#gaveUp) return [{ raw: chunk, data: null, dataAt: -1 }]
    const scanned = this.#length
    const bytes = scanned === 0 ? chunk : this.#append(chunk)
    const events: SseEvent[] = []
    let start = 0
    const lineEnd = lineEnds(bytes, scanned)
    for (let i = scanned; i < bytes.length; ) {
      const next = this.#skipText(i, lineEnd)
      if (next > i) {
        i = next
        continue
      }
      const end = this.#step(bytes[i] as number, i)
      if (end >= 0) {
        events.push(this.#take(bytes.subarray(start, end)))
        start = end
      }
      // A byte that only proved the event before it complete is looked at again, as the first of the next.
      i = end >= 0 ? end : i + 1
    }
    this.#keep(bytes, start)
    if (this.#length > this.#maxEvent) {
      events.push({ raw: this.#held.subarray(0, this.#length), data: null, dataAt: -1 })
      this.#gaveUp = true
      this.#length = 0
    }
    return events
  }

  /** What came after the last complete event; null when there is nothing. */
  end(): SseEvent | null {
    if (this.#length === 0) return null
    const raw = this.#held.subarray(0, this.#length)
    this.#length = 0
    return this.#take(raw)
  }

  #take(raw: Buffer): SseEvent {
    const event = readEvent(raw, this.#first)
    this.#first = false
    return event
  }

  /** Where the next byte is that can change anything but that its line is not empty. */
  #skipText(index: number, lineEnd: (at: number) => number): number {
    const position = this.#position
    if (position.carriage !== 'none' || position.skipLineFeed) return index
    const next = lineEnd(index)
    if (next > index) position.lineEmpty = false
    return next
  }

  /** Looks at the byte at `index`; returns where the event ends (exclusive), or -1. */
  #step(byte: number, index: number): number {
    const position = this.#position
    const { carriage } = position
    const skip = position.skipLineFeed && byte === lineFeed
    position.carriage = 'none'
    position.skipLineFeed = false
    if (skip) return -1
    if (carriage === 'blank') {
      this.#position = beginning()
      return byte === lineFeed ? index + 1 : index
    }
    if (carriage === 'line') {
      if (byte === lineFeed) return -1
      position.bare = true
    }
    if (byte !== lineFeed && byte !== carriageReturn) {
      position.lineEmpty = false
      return -1
    }
    if (!position.lineEmpty) {
      position.lineEmpty = true
      if (byte === carriageReturn) position.carriage = 'line'
      return -1
    }
    if (byte === carriageReturn && !position.bare) {
      position.carriage = 'blank'
      return -1
    }
    this.#position = beginning(byte === carriageReturn)
    return index + 1
  }

  /** Adds to what is held and returns all of it; room doubles, so that many small pieces cost no more than few. */
  #append(chunk: Buffer): Buffer {
    const length = this.#length + chunk.length
    if (length > this.#held.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, this.#held.length * 2, 4096))
      this.#held.copy(larger, 0, 0, this.#length)
      this.#held = larger
    }
    chunk.copy(this.#held, this.#length)
    this.#length = length
    return this.#held.subarray(0, length)
  }

  /** Holds the bytes from `start` on: they belong to an event that is not complete. */
  #keep(bytes: Buffer, start: number): void {
    const rest = bytes.subarray(start)
    const holdsThem = this.#length > 0
    if (holdsThem && start === 0) return
    // The events just found are views of what was held: they must stay readable until the next call.
    this.#length = 0
    if (holdsThem) this.#held = Buffer.alloc(0)
    if (rest.length > 0) this.#append(rest)
  }
}
