import assert from 'node:assert/strict'
import { type OriginConnection, type RawClient, rawClient, type ScriptedOrigin } from '../harness.ts'
import { acceptFor, opcodes, readSocketFrames, type SocketFrame } from '../raw-websocket.ts'
import { headerOf, headersOf } from '../read-message.ts'
import type { WebSocketCase } from './cases/websocket.ts'
import type { Play } from './dispatch-origin.ts'

/** Where the origin plays its side of a case. */
export const socketPathOf = (entry: WebSocketCase): string => `/${entry.id}`

/** Answers the handshake; what comes after it is left on the connection for the judge. */
export const playSocket =
  (entry: WebSocketCase): Play =>
  async (request, connection: OriginConnection) => {
    const accept = acceptFor(headerOf(request, 'sec-websocket-key') ?? '')
    connection.send(Buffer.concat([Buffer.from(entry.answer.replace('{accept}', accept)), entry.fromOrigin]))
    // No request follows on a connection that was switched.
    if (entry.answer.startsWith('HTTP/1.1 101')) await new Promise(() => {})
  }

const names = new Map<number, string>(Object.entries(opcodes).map(([name, code]) => [code, name]))

const tell = ({ opcode, reserved, payload }: SocketFrame): string => {
  const name = `${names.get(opcode) ?? opcode}${reserved > 0 ? `(${reserved})` : ''}`
  if (opcode !== opcodes.close) return `${name} ${payload}`
  return payload.length === 0 ? name : `${name} ${payload.readUInt16BE(0)} ${payload.subarray(2)}`
}

/** Frames as text, the fragments of a message joined at the place of the last one. */
const told = (frames: readonly SocketFrame[]): string[] => {
  const list: string[] = []
  let open: SocketFrame | null = null
  for (const frame of frames) {
    const joined: SocketFrame =
      frame.opcode === opcodes.continuation && open !== null
        ? { ...open, fin: frame.fin, payload: Buffer.concat([open.payload, frame.payload]) }
        : frame
    if (joined.fin) list.push(tell(joined))
    if (frame.opcode < 8) open = joined.fin ? null : joined
  }
  return list
}

const handshake = (entry: WebSocketCase): string => {
  const usual = [
    'Host: a.test',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
  ]
  const nameOf = (line: string): string => line.slice(0, line.indexOf(':')).toLowerCase()
  const replaced = new Set(entry.fields.map(nameOf))
  return `${[`GET ${socketPathOf(entry)} HTTP/1.1`, ...usual.filter(line => !replaced.has(nameOf(line))), ...entry.fields].join('\r\n')}\r\n\r\n`
}

/** Waits for the frames on one side, at most four seconds. */
const arrives = async (
  side: RawClient | OriginConnection,
  wanted: readonly string[],
  what: string,
  masked: boolean,
): Promise<void> => {
  const frames = (): SocketFrame[] => readSocketFrames(side.rest)
  await side.waitFor(() => (told(frames()).length >= wanted.length ? true : null), what, 4000).catch(() => {})
  assert.deepEqual(told(frames()), wanted, what)
  assert.ok(
    frames().every(frame => frame.masked === masked),
    masked ? 'a frame to the server is not masked' : 'a frame to the client is masked',
  )
}

const opened = async (client: RawClient, origin: ScriptedOrigin, entry: WebSocketCase): Promise<void> => {
  const { atOrigin, atClient } = entry.expect
  const connection = origin.connections.findLast(one =>
    one.requests.some(({ target }) => target === socketPathOf(entry)),
  )
  assert.ok(connection, 'the handshake did not reach the origin')
  client.send(entry.fromClient)
  if (atOrigin !== undefined) await arrives(connection, atOrigin, 'frames at the origin', true)
  if (atClient !== undefined) await arrives(client, atClient, 'frames at the client', false)
}

const staysHttp = async (client: RawClient, origin: ScriptedOrigin): Promise<void> => {
  if (client.ending !== 'open') return
  client.send('GET /smuggled HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n')
  await client.readFinalResponse({ milliseconds: 1000 }).catch(() => {})
  const seen = origin.requests.find(({ target }) => target === '/smuggled')
  // Through a tunnel it would arrive as it was sent; each of the proxies adds the address of the client.
  if (seen !== undefined)
    assert.notEqual(headersOf(seen, 'x-forwarded-for').join(), '192.0.2.1', 'the connection became a tunnel')
}

/** Plays a case; the reason why it fails, or null. */
export const playWebSocket = async (
  port: number,
  origin: ScriptedOrigin,
  entry: WebSocketCase,
): Promise<string | null> => {
  origin.forget()
  const client = await rawClient(port)
  try {
    client.send(handshake(entry))
    const response = await client.readResponse()
    assert.equal(response.status, entry.expect.status, 'status')
    for (const line of entry.expect.fields ?? []) {
      const [name = '', value = ''] = line.split(/: (.*)/)
      assert.equal(headerOf(response, name)?.toLowerCase(), value.toLowerCase(), name)
    }
    if (response.status === 101) await opened(client, origin, entry)
    if (entry.expect.staysHttp === true) await staysHttp(client, origin)
    return null
  } catch (error) {
    return (error as Error).message.split('\n')[0] as string
  } finally {
    client.destroy()
  }
}
