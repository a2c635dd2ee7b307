import { closePayload, opcodes, socketFrame } from '../../raw-websocket.ts'
import { type Level, type Source, sourceOf } from './case.ts'

/** A WebSocket through the gateway: its handshake, and what both sides send when it is open. */
export type WebSocketCase = {
  readonly id: string
  readonly section: string
  readonly level: Level
  /** Field lines of the handshake, in the place of the usual ones where they have the same name. */
  readonly fields: readonly string[]
  /** The answer of the origin; `{accept}` stands for what its key asks for. */
  readonly answer: string
  /** What the origin sends with its answer, in the same segment. */
  readonly fromOrigin: Buffer
  /** What the client sends when it has the answer. */
  readonly fromClient: Buffer
  readonly expect: {
    readonly status: number
    /** Messages and control frames as `text hello`, in order; fragments are joined, since a proxy may cut anew (§5.4). */
    readonly atOrigin?: readonly string[]
    readonly atClient?: readonly string[]
    /** Field lines of the response that must be there. */
    readonly fields?: readonly string[]
    /** Both connections end after that. */
    readonly ends?: boolean
    /** An HTTP request on the same connection is one of HTTP again: it does not pass through as if there were a tunnel. */
    readonly staysHttp?: boolean
  }
  /** Whether others are held to it. */
  readonly judged: boolean
}

export const switching = [
  ...['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket'],
  'Sec-WebSocket-Accept: {accept}\r\n\r\n',
].join('\r\n')

const made = (id: string, source: Source, expect: WebSocketCase['expect'], more: Partial<WebSocketCase> = {}) => {
  const { section, level } = sourceOf(source)
  const empty = { fields: [], answer: switching, fromOrigin: Buffer.alloc(0), fromClient: Buffer.alloc(0) }
  return { id: `ws-${id}`, section, level, ...empty, expect, judged: level !== 'engine', ...more }
}

const key = Buffer.from([0x12, 0x34, 0x56, 0x78])
/** A frame as a client sends it. */
const sent = (
  opcode: number,
  payload: Buffer | string = '',
  options: { fin?: boolean; reserved?: number } = {},
): Buffer => socketFrame(opcode, payload, { ...options, mask: key })

const { text, binary, continuation, close, ping, pong } = opcodes

const fromClient = (id: string, source: Source, bytes: Buffer, atOrigin: readonly string[]): WebSocketCase =>
  made(id, source, { status: 101, atOrigin }, { fromClient: bytes })
const fromOrigin = (id: string, source: Source, bytes: Buffer, atClient: readonly string[]): WebSocketCase =>
  made(id, source, { status: 101, atClient }, { fromOrigin: bytes })

/** Of this length, so that the frame has another form of length. */
const sized = (length: number): WebSocketCase[] => [
  fromClient(`length-${length}-up`, 'RFC 6455 §5.2 MUST', sent(binary, 'x'.repeat(length)), [
    `binary ${'x'.repeat(length)}`,
  ]),
  fromOrigin(`length-${length}-down`, 'RFC 6455 §5.2 MUST', socketFrame(binary, 'x'.repeat(length)), [
    `binary ${'x'.repeat(length)}`,
  ]),
]

const messages: WebSocketCase[] = [
  fromClient('text', 'RFC 6455 §5.6 MUST', sent(text, 'hello'), ['text hello']),
  fromOrigin('text-with-the-answer', 'RFC 6455 §4.2.2 MUST', socketFrame(text, 'hello'), ['text hello']),
  fromClient('binary', 'RFC 6455 §5.6 MUST', sent(binary, '\x00\x01\xff'), ['binary \x00\x01\xff']),
  fromClient('empty-message', 'RFC 6455 §5.6 MUST', sent(text), ['text ']),
  fromClient('two-in-one-segment', 'RFC 6455 §5.6 MUST', Buffer.concat([sent(text, '1'), sent(text, '2')]), [
    'text 1',
    'text 2',
  ]),
  fromClient(
    'fragments',
    'RFC 6455 §5.4 MUST',
    Buffer.concat([
      sent(text, 'he', { fin: false }),
      sent(continuation, 'l', { fin: false }),
      sent(continuation, 'lo'),
    ]),
    ['text hello'],
  ),
  fromOrigin(
    'fragments-down',
    'RFC 6455 §5.4 MUST',
    Buffer.concat([socketFrame(text, 'he', { fin: false }), socketFrame(continuation, 'llo')]),
    ['text hello'],
  ),
  fromClient(
    'ping-between-fragments',
    'RFC 6455 §5.4 MUST',
    Buffer.concat([sent(text, 'he', { fin: false }), sent(ping, 'p'), sent(continuation, 'llo')]),
    ['ping p', 'text hello'],
  ),
  ...[125, 126, 65_535, 65_536].flatMap(sized),
]

const control: WebSocketCase[] = [
  fromClient('ping', 'RFC 6455 §5.5.2 MUST', sent(ping, 'are you there'), ['ping are you there']),
  fromClient('pong-unasked', 'RFC 6455 §5.5.3 MUST', sent(pong, 'here'), ['pong here']),
  fromOrigin('ping-down', 'RFC 6455 §5.5.2 MUST', socketFrame(ping, 'are you there'), ['ping are you there']),
  fromClient('close', 'RFC 6455 §5.5.1 MUST', sent(close, closePayload(1000)), ['close 1000 ']),
  fromClient('close-private-code', 'RFC 6455 §7.4.2 MUST', sent(close, closePayload(4001, 'bye')), ['close 4001 bye']),
  fromClient('close-without-code', 'RFC 6455 §5.5.1 MUST', sent(close), ['close']),
  fromOrigin('close-down', 'RFC 6455 §5.5.1 MUST', socketFrame(close, closePayload(1001, 'away')), ['close 1001 away']),
  fromClient(
    'message-then-close',
    'RFC 6455 §7.1.2 MUST',
    Buffer.concat([sent(text, 'last'), sent(close, closePayload(1000))]),
    ['text last', 'close 1000 '],
  ),
]

const refusal = (status: string, ...fields: string[]): string =>
  [`HTTP/1.1 ${status}`, ...fields, 'Content-Length: 2\r\n\r\nno'].join('\r\n')

const handshakes: WebSocketCase[] = [
  made('handshake', 'RFC 6455 §4.2.2 MUST', { status: 101, fields: ['upgrade: websocket', 'connection: upgrade'] }),
  made(
    'handshake-any-case',
    'RFC 6455 §4.2.1 MUST',
    { status: 101 },
    { fields: ['Upgrade: WebSocket', 'Connection: UPGRADE'] },
  ),
  made(
    'handshake-among-options',
    'RFC 6455 §4.2.1 MUST',
    { status: 101 },
    { fields: ['Connection: keep-alive, Upgrade'] },
  ),
  made(
    'subprotocol',
    'RFC 6455 §4.2.2 MUST',
    { status: 101, fields: ['sec-websocket-protocol: chat'] },
    {
      fields: ['Sec-WebSocket-Protocol: chat, other'],
      answer: switching.replace('{accept}', '{accept}\r\nSec-WebSocket-Protocol: chat'),
    },
  ),
  made(
    'extension',
    'RFC 7692 §7 MUST',
    { status: 101, atOrigin: ['text(4) zip'], fields: ['sec-websocket-extensions: permessage-deflate'] },
    {
      fields: ['Sec-WebSocket-Extensions: permessage-deflate'],
      answer: switching.replace('{accept}', '{accept}\r\nSec-WebSocket-Extensions: permessage-deflate'),
      fromClient: sent(text, 'zip', { reserved: 4 }),
    },
  ),
  made(
    'refused-by-origin',
    'RFC 6455 §4.2.2 MUST',
    { status: 403, staysHttp: true },
    { answer: refusal('403 Forbidden') },
  ),
  made(
    'credentials-asked',
    'RFC 6455 §4.2.2 MUST',
    { status: 401, fields: ['www-authenticate: Basic realm="a"'], staysHttp: true },
    { answer: refusal('401 Unauthorized', 'WWW-Authenticate: Basic realm="a"') },
  ),
  made('answered-as-http', 'RFC 9110 §7.8 MUST', { status: 200, staysHttp: true }, { answer: refusal('200 OK') }),
  made(
    'version-refused',
    'RFC 6455 §4.4 MUST',
    { status: 426, staysHttp: true },
    // Who takes the request alone for a switch lets whatever follows pass by.
    { answer: refusal('426 Upgrade Required', 'Sec-WebSocket-Version: 13'), fields: ['Sec-WebSocket-Version: 13'] },
  ),
]

/** What we end with a code of our own, so that neither side has to be robust against it. */
const guarded: WebSocketCase[] = [
  made(
    'accept-wrong',
    'RFC 6455 §4.1 engine',
    { status: 502 },
    { answer: switching.replace('{accept}', 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=') },
  ),
  made(
    'accept-missing',
    'RFC 6455 §4.1 engine',
    { status: 502 },
    { answer: switching.replace(/Sec-WebSocket-Accept.*\r\n\r\n/, '\r\n') },
  ),
  made('key-missing', 'RFC 6455 §4.2.1 engine', { status: 400 }, { fields: ['Sec-WebSocket-Key:'] }),
]

export const webSocketCases: readonly WebSocketCase[] = [...messages, ...control, ...handshakes, ...guarded]
