import { type AddressInfo, createServer } from 'node:net'
import { RawConnection, within } from './raw-connection.ts'
import { type RequestMessage, readRequest } from './read-message.ts'

/** The origin's side of one connection; the script reads requests from it and answers with exact bytes. */
export class OriginConnection extends RawConnection {
  readonly index: number
  /** The requests read so far. */
  readonly requests: RequestMessage[] = []
  readonly #origin: ScriptedOrigin

  constructor(socket: ConstructorParameters<typeof RawConnection>[0], index: number, origin: ScriptedOrigin) {
    super(socket)
    this.index = index
    this.#origin = origin
  }

  /** The head of the next request, its body not waited for; the bytes stay for `readRequest`. */
  readHead(milliseconds?: number): Promise<string> {
    return this.waitFor(
      () => {
        const end = this.rest.indexOf('\r\n\r\n')
        return end < 0 ? null : this.rest.toString('latin1', 0, end + 4)
      },
      'a request head at the origin',
      milliseconds,
    )
  }

  /** The next whole request; null when the gateway closed before its end. */
  async readRequest(milliseconds = 30_000): Promise<RequestMessage | null> {
    const request = await this.waitFor<RequestMessage | 'closed'>(
      () => {
        const message = readRequest(this.rest, this.ending !== 'open')
        if (message?.complete) {
          this.taken += message.length
          return message
        }
        return this.ending === 'open' ? null : 'closed'
      },
      'a request at the origin',
      milliseconds,
    )
    if (request === 'closed') return null
    this.requests.push(request)
    this.#origin.noteRequest(request, this)
    return request
  }
}

/** Plays the origin on one connection. Returning leaves the connection as it is; the script closes it if it should. */
export type OriginScript = (connection: OriginConnection) => Promise<void> | void

/** A TCP server that records every byte and answers by script. */
export class ScriptedOrigin {
  port = 0
  script: OriginScript
  readonly connections: OriginConnection[] = []
  /** All whole requests, in order of arrival. */
  readonly requests: RequestMessage[] = []
  /** Failures of scripts; `stop` throws the first one. */
  readonly failures: Error[] = []
  readonly #watchers = new Set<() => void>()
  readonly #server = createServer({ allowHalfOpen: true }, socket => {
    const connection = new OriginConnection(socket, this.connections.length, this)
    this.connections.push(connection)
    this.#notify()
    Promise.resolve(connection)
      .then(this.script)
      .catch((error: Error) => {
        this.failures.push(error)
        connection.destroy()
      })
  })

  constructor(script: OriginScript) {
    this.script = script
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Every byte of every connection, for proofs that something never arrived. */
  get bytes(): string {
    return this.connections.map(connection => connection.received.toString('latin1')).join('')
  }

  get bytesReceived(): number {
    return this.connections.reduce((sum, connection) => sum + connection.socket.bytesRead, 0)
  }

  #notify(): void {
    for (const watcher of [...this.#watchers]) watcher()
  }

  noteRequest(request: RequestMessage, _connection: OriginConnection): void {
    this.requests.push(request)
    this.#notify()
  }

  /** Waits until `take` gives something else than null; asked again at each connection and request. */
  waitFor<T>(take: () => T | null, what: string, milliseconds?: number): Promise<T> {
    let watcher = () => {}
    const work = new Promise<T>(resolve => {
      watcher = () => {
        const value = take()
        if (value !== null) resolve(value)
      }
      this.#watchers.add(watcher)
      watcher()
    })
    return within(work, () => `${what} at the origin`, milliseconds).finally(() => this.#watchers.delete(watcher))
  }

  /** The connection with this index (0 is the first), once it is there. */
  connection(index: number, milliseconds?: number): Promise<OriginConnection> {
    return this.waitFor(() => this.connections[index] ?? null, `connection ${index}`, milliseconds)
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(0, '127.0.0.1', () => {
        this.port = (this.#server.address() as AddressInfo).port
        resolve()
      })
    })
  }

  /** Forgets the past, so that one origin can serve many cases. Connections stay open. */
  forget(): void {
    this.requests.length = 0
    this.failures.length = 0
  }

  async stop(): Promise<void> {
    for (const connection of this.connections) connection.destroy()
    await new Promise<void>(resolve => this.#server.close(() => resolve()))
    if (this.failures[0]) throw this.failures[0]
  }
}

/** Starts a scripted origin on a free loopback port. */
export const scriptedOrigin = async (script: OriginScript): Promise<ScriptedOrigin> => {
  const origin = new ScriptedOrigin(script)
  await origin.listen()
  return origin
}

/** A script that answers every request of a connection, in order, until the gateway closes it. */
export const answerEach =
  (answer: (request: RequestMessage, connection: OriginConnection) => string | Buffer | Promise<string | Buffer>) =>
  async (connection: OriginConnection): Promise<void> => {
    for (;;) {
      const request = await connection.readRequest(600_000)
      if (!request) {
        connection.end()
        return
      }
      connection.send(await answer(request, connection))
    }
  }

/** A plain 200 with this body. */
export const ok = (body = 'ok', headers = ''): string =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body, 'latin1')}\r\n${headers}\r\n${body}`
