import { close, open, write } from 'node:fs'
import type { CallRecord } from '#storage/calls'
import { accessLine } from './access-line.ts'

const flushMs = 100
/** A write begins when this much has gathered, and lines are dropped above the other while one is under way. */
const writeBytes = 64 * 1024
const maxBytes = 4 * 1024 * 1024

export type AccessLog = {
  /** Lines that were given up because the disk, or whoever reads stdout, was too slow or failed. */
  readonly dropped: number
  write(record: CallRecord): void
  /** Opens the file anew after it was moved by log rotation. */
  reopen(): void
  /** Resolves when all lines so far are written or dropped. */
  flush(): Promise<void>
  close(): Promise<void>
}

/** Where whole lines go; `done` is called once per write. */
type Output = {
  write(text: string, done: (error: Error | null) => void): void
  reopen(): void
  close(done: () => void): void
}

export type AccessLogOptions = { log?: (message: string) => void }

/** Writes one JSON line per call to stdout or, appending, to a file (made with mode 0600); null when switched off. */
export const openAccessLog = (
  target: 'off' | 'stdout' | (string & {}),
  options: AccessLogOptions = {},
): AccessLog | null => {
  if (target === 'off') return null
  const log = options.log ?? (message => console.error(message))
  return new BufferedAccessLog(target === 'stdout' ? stdoutOutput() : fileOutput(target), log)
}

class BufferedAccessLog implements AccessLog {
  dropped = 0
  readonly #output: Output
  readonly #log: (message: string) => void
  #text = ''
  #lines = 0
  #busy = false
  #failing = false
  #timer: NodeJS.Timeout | null = null
  #idle: (() => void)[] = []

  constructor(output: Output, log: (message: string) => void) {
    this.#output = output
    this.#log = log
  }

  write(record: CallRecord): void {
    if (this.#text.length > maxBytes) {
      this.dropped++
      return
    }
    this.#text += accessLine(record)
    this.#lines++
    if (this.#text.length >= writeBytes) this.#send()
    else if (this.#timer === null) {
      this.#timer = setTimeout(() => {
        this.#timer = null
        this.#send()
      }, flushMs)
      this.#timer.unref()
    }
  }

  reopen(): void {
    this.#output.reopen()
  }

  flush(): Promise<void> {
    return new Promise(resolve => {
      this.#idle.push(resolve)
      this.#send()
    })
  }

  async close(): Promise<void> {
    await this.flush()
    await new Promise<void>(resolve => this.#output.close(resolve))
  }

  /** One write at a time; what comes meanwhile goes with the next. */
  #send(): void {
    if (this.#busy) return
    if (this.#text === '') {
      for (const done of this.#idle) done()
      this.#idle = []
      return
    }
    const lines = this.#lines
    const text = this.#text
    this.#text = ''
    this.#lines = 0
    this.#busy = true
    this.#output.write(text, error => {
      this.#busy = false
      if (error) this.dropped += lines
      // One line per trouble: a full disk refuses every write.
      if (error && !this.#failing) this.#log(`access log: lines are dropped: ${error.message}`)
      this.#failing = error !== null
      if (this.#text.length >= writeBytes || this.#idle.length > 0) this.#send()
    })
  }
}

/**
 * In a worker, stdout is a stream to the main thread, which keeps the lines of several workers whole; a direct write
 * to the descriptor could be cut in the middle of a line when a pipe is full.
 */
const stdoutOutput = (): Output => ({
  write: (text, done) => {
    process.stdout.write(text, error => done(error ?? null))
  },
  reopen: () => {},
  close: done => done(),
})

const fileOutput = (path: string): Output => {
  let descriptor: number | null = null

  const writeAll = (fd: number, bytes: Buffer, done: (error: Error | null) => void): void => {
    write(fd, bytes, (error, written) => {
      if (error || written === bytes.length) done(error)
      else writeAll(fd, bytes.subarray(written), done)
    })
  }
  const closeFile = (done: () => void): void => {
    const fd = descriptor
    descriptor = null
    if (fd === null) done()
    else close(fd, () => done())
  }
  let stale = false

  return {
    write: (text, done) => {
      const bytes = Buffer.from(text)
      const append = (): void => {
        if (descriptor !== null) {
          writeAll(descriptor, bytes, done)
          return
        }
        open(path, 'a', 0o600, (error, fd) => {
          if (error) {
            done(error)
            return
          }
          descriptor = fd
          writeAll(fd, bytes, done)
        })
      }
      if (!stale) append()
      else {
        stale = false
        closeFile(append)
      }
    },
    // Done before the next write, so that no write is under way when the descriptor is closed.
    reopen: () => {
      stale = true
    },
    close: closeFile,
  }
}
