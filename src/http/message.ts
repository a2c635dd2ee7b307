import type { GatewayError } from '#base/errors'
import type { HeaderList } from './headers.ts'
import type { PeerTls } from './tls/peer-tls.ts'

/** How the end of a body is known (RFC 9112 §6.3). `close` exists for responses only. */
export type Framing = 'none' | 'length' | 'chunked' | 'close'

/** Takes a body as it arrives. A chunk is valid only during the call: what must outlive it is copied. */
export interface BodySink {
  onBodyData(chunk: Buffer): void
  /** The same with bytes that were decoded as latin1 already; a sink without it gets them as a chunk. */
  onBodyText?(text: string): void
  onBodyEnd(trailers: HeaderList | null): void
}

/** What the peer of a server sees of the transport; the same object for every request of a connection. */
export interface PeerInfo {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly encrypted: boolean
  /** What the two sides agreed on; null on cleartext. */
  readonly tls: PeerTls | null
}

/** Hears how an exchange goes on; one object instead of three closures for each request. */
export interface ExchangeListener {
  /** Once, when the client goes away, or breaks the framing of its body, before the response is complete. */
  onAbort(error: GatewayError): void
  /** The client can take more after `write` returned false. */
  onDrain(): void
  /** Once, after the last byte of the response was handed to the socket, or after `onAbort`. */
  onFinish(): void
}

/**
 * One request and its response on the server side, the same for HTTP/1.1 and HTTP/2.
 * Order: `informational`* → (`respond` | `head` → `write`* → `end`) | `upgrade` | `abort`.
 */
export interface ServerExchange {
  readonly peer: PeerInfo
  readonly method: string
  /** The request target exactly as sent, already checked to be in origin form (or `*` for OPTIONS). */
  readonly target: string
  /** Value of Host (or the authority of an absolute-form target), as sent. */
  readonly host: string
  readonly headers: HeaderList
  /** The HTTP version as Via names it (RFC 9110 §7.6.3). */
  readonly version: '1.0' | '1.1' | '2'
  readonly framing: Framing
  /** Bytes of the request body when `framing` is `length`, else -1. */
  readonly contentLength: number
  /** The protocol the request asks to switch to (RFC 9110 §7.8), or null. */
  readonly upgradeProtocol: string | null
  /** monotonicMs() when the first byte of the request arrived. */
  readonly startedMono: number
  readonly responseStarted: boolean
  /** True when nothing more can be written: the answer is complete, cut, or the client has gone. */
  readonly responseEnded: boolean
  /** Bytes of the request (head and body) and response (head and body) on the wire so far. */
  readonly bytesIn: number
  readonly bytesOut: number

  /** Who hears how the exchange goes on; set by whoever takes the exchange. */
  listener: ExchangeListener | null
  /** Set by who expects long silences in the request body, as streams of gRPC have them: HTTP/2 waits for ever then. */
  patient?: boolean

  /** Starts reading the request body into `sink`; without it the body waits (or is discarded after the response). */
  receive(sink: BodySink): void
  pause(): void
  resume(): void

  informational(status: number, headers: HeaderList): void
  /** A complete response in one write. */
  respond(status: number, headers: HeaderList, body: Buffer | string | null): void
  /** Starts a streamed response; `length` is the number of body bytes or -1 when unknown. */
  head(status: number, headers: HeaderList, length: number): void
  /** The same with fields that are lines of text already; where a protocol has no lines, there is no such method. */
  headLines?(status: number, lines: string, length: number): void
  /** Sends a head that still waits to leave together with the first body bytes. */
  flush(): void
  /** Returns false when the caller should wait for `onDrain`. The chunk may be reused after the call. */
  write(chunk: Buffer): boolean
  /** The same with bytes as latin1 text, where text is what is written. */
  writeText?(text: string): boolean
  end(trailers: HeaderList | null): void
  /** Ends the connection so that the client can see that the response is incomplete. */
  abort(): void
  /** Answers 101 with these fields (Connection and Upgrade are added) and hands the raw byte stream over. */
  upgrade(status: number, headers: HeaderList): RawStream
}

/** A raw two-way byte stream after an upgrade. */
export interface RawStream {
  onData: ((chunk: Buffer) => void) | null
  onEnd: (() => void) | null
  onClose: (() => void) | null
  onDrain: (() => void) | null
  /** Returns false when the caller should wait for `onDrain`. The chunk may be reused after the call. */
  write(chunk: Buffer): boolean
  end(): void
  pause(): void
  resume(): void
  destroy(): void
}
