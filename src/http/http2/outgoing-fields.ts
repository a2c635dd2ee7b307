import type { OutgoingRequest } from '../client.ts'
import { splitFieldLines } from '../field-lines.ts'
import type { HeaderList } from '../headers.ts'
import { blockBound, staticPair } from './hpack-encoder.ts'
import type { Session } from './session.ts'

/** Bytes of a request head beside its target, host and fields. */
const headOverhead = 128

/** What HTTP/2 says in its own way, or must not say (RFC 8441 §5, RFC 9113 §8.2.2). */
const webSocketFields = (fields: HeaderList): HeaderList =>
  fields.filter((_, index) => fields[index & ~1] !== 'sec-websocket-key')

/** Sends the head of a request (RFC 9113 §8.3.1); a request to switch becomes an extended CONNECT (RFC 8441 §4). */
export const sendRequestHead = (
  session: Session,
  streamId: number,
  request: OutgoingRequest,
  scheme: 'http' | 'https',
  endStream: boolean,
): void => {
  const { method, target, host, length, upgrade } = request
  const split = splitFieldLines(request.fields)
  const fields = upgrade === null ? split : webSocketFields(split)
  const { frames } = session
  const { encoder } = frames
  const pseudo = (name: string, value: string): void => {
    const index = staticPair(name, value)
    if (index > 0) encoder.indexed(index)
    else encoder.field(name, value)
  }
  frames.beginBlock(blockBound(fields) + method.length + target.length + host.length + headOverhead)
  pseudo(':method', upgrade === null ? method : 'CONNECT')
  pseudo(':scheme', scheme)
  pseudo(':path', target)
  encoder.field(':authority', host)
  if (upgrade !== null) encoder.field(':protocol', upgrade)
  encoder.fields(fields)
  // RFC 9110 §8.6: methods that define a meaning for content say so also when there is none.
  if (length > 0 || (length === 0 && (method === 'POST' || method === 'PUT' || method === 'PATCH')))
    encoder.field('content-length', String(length))
  frames.endBlock(streamId, endStream)
}
