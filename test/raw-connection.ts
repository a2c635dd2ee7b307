import { connect, type Socket } from 'node:net'
import { type ResponseMessage, readResponse } from './read-message.ts'

const patience = 5000

/** A promise that fails with what was waited for, and what is known, instead of hanging the suite. */
export const within = <T>(work: Promise<T>, what: () => string, milliseconds = patience): Promise<T> => {
  let timer: NodeJS.Timeout
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${milliseconds} ms for ${what()}`)), milliseconds)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** How the peer ended its direction: an orderly end, a reset, or not yet. */
export type Ending = 'open' | 'end' | 'reset'

/** One TCP connection of which a test sees and controls every byte. */
export class RawConnection {
  readonly socket: Socket
  /** Every byte that came in. */
  received: Buffer = Buffer.alloc(0)
  ending: Ending = 'open'
  /** Bytes of `received` that were already taken by a read. */
  taken = 0
  readonly #pieces: Buffer[] = []
  readonly #waiters = new Set<() => void>()

  constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.#pieces.push(chunk)
      this.#wake()
    })
    socket.on('end', () => {
      if (this.ending === 'open') this.ending = 'end'
      this.#wake()
    })
    socket.on('error', () => {
      this.ending = 'reset'
      this.#wake()
    })
    socket.on('close', () => {
      if (this.ending === 'open') this.ending = 'reset'
      this.#wake()
    })
  }

  #wake(): void {
    if (this.#pieces.length > 0) this.received = Buffer.concat([this.received, ...this.#pieces.splice(0)])
    for (const waiter of [...this.#waiters]) waiter()
  }

  /** The bytes that no read has taken yet. */
  get rest(): Buffer {
    return this.received.subarray(this.taken)
  }

  send(bytes: string | Buffer): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  /** Sends `bytes` in pieces of the given sizes (the last size repeats), each in its own write and turn. */
  async sendSlowly(bytes: string | Buffer, sizes: readonly number[]): Promise<void> {
    const buffer = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
    let at = 0
    for (let i = 0; at < buffer.length && !this.socket.destroyed; i++) {
      const size = Math.max(1, sizes[Math.min(i, sizes.length - 1)] ?? 1)
      const piece = buffer.subarray(at, at + size)
      await new Promise<void>(resolve => this.socket.write(piece, () => setImmediate(resolve)))
      at += size
    }
  }

  /** Waits until `take` gives something else than null; it is asked again whenever bytes or the end arrive. */
  waitFor<T>(take: () => T | null, what: string, milliseconds = patience): Promise<T> {
    let waiter = () => {}
    const work = new Promise<T>((resolve, reject) => {
      waiter = () => {
        try {
          const value = take()
          if (value !== null) resolve(value)
          else if (this.ending !== 'open')
            reject(new Error(`${what}: the connection is closed (${this.ending}); ${this.describe()}`))
        } catch (error) {
          reject(new Error(`${what}: ${(error as Error).message}; ${this.describe()}`, { cause: error }))
        }
      }
      this.#waiters.add(waiter)
      waiter()
    })
    return within(work, () => `${what}; ${this.describe()}`, milliseconds).finally(() => this.#waiters.delete(waiter))
  }

  /** Waits for `text` in the bytes not yet taken, takes everything up to its end. */
  readUntil(text: string | Buffer, milliseconds?: number): Promise<Buffer> {
    return this.waitFor(
      () => {
        const index = this.rest.indexOf(text)
        if (index < 0) return null
        const part = this.rest.subarray(0, index + Buffer.byteLength(text))
        this.taken += part.length
        return part
      },
      `the bytes ${JSON.stringify(String(text))}`,
      milliseconds,
    )
  }

  /** Takes exactly `count` bytes. */
  readBytes(count: number, milliseconds?: number): Promise<Buffer> {
    return this.waitFor(
      () => {
        if (this.rest.length < count) return null
        const part = this.rest.subarray(0, count)
        this.taken += count
        return part
      },
      `${count} bytes`,
      milliseconds,
    )
  }

  /** Waits until the peer has closed; gives how, and the bytes that nobody took. */
  async waitClose(milliseconds?: number): Promise<{ ending: Ending; rest: Buffer }> {
    await this.waitFor(() => (this.ending === 'open' ? null : true), 'the peer to close', milliseconds)
    return { ending: this.ending, rest: this.rest }
  }

  /** Sends FIN: no more bytes from this side. */
  end(): void {
    this.socket.end()
  }

  /** Closes with RST, as a crashed peer does. */
  reset(): void {
    this.socket.resetAndDestroy()
  }

  destroy(): void {
    this.socket.destroy()
  }

  describe(): string {
    const tail = this.rest.toString('latin1', 0, 400)
    return `${this.rest.length} bytes not taken ${JSON.stringify(tail)}, connection ${this.ending}`
  }
}

/** The client side: a raw connection that can read responses. */
export class RawClient extends RawConnection {
  /** The next response, also an interim one (1xx). `method` is that of the request it answers. */
  readResponse(options: { method?: string; milliseconds?: number } = {}): Promise<ResponseMessage> {
    return this.waitFor(
      () => {
        const response = readResponse(this.rest, options.method ?? 'GET', this.ending !== 'open')
        if (response) this.taken += response.length
        return response
      },
      'a response',
      options.milliseconds,
    )
  }

  /** The next response that is not interim (1xx). */
  async readFinalResponse(options: { method?: string; milliseconds?: number } = {}): Promise<ResponseMessage> {
    for (;;) {
      const response = await this.readResponse(options)
      if (response.status >= 200) return response
    }
  }
}

/** Connects to a loopback port; half-open is allowed, so that the test decides when its side ends. */
export const rawClient = (port: number, options: { localAddress?: string } = {}): Promise<RawClient> => {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true, ...options })
  const connected = new Promise<RawClient>((resolve, reject) => {
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.removeListener('error', reject)
      resolve(new RawClient(socket))
    })
  })
  return within(connected, () => `a connection to port ${port}`)
}

/** One call on a connection of its own. */
export const rawCall = async (port: number, bytes: string | Buffer, method = 'GET'): Promise<ResponseMessage> => {
  const client = await rawClient(port)
  client.send(bytes)
  try {
    return await client.readFinalResponse({ method })
  } finally {
    client.destroy()
  }
}
