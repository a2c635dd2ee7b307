import type { OutgoingRequest } from '../client.ts'
import { contentLengthLine } from './head-text.ts'

let latestHost = ''
let latestText = ''

/** Each piece of a head costs when it is sent, and most requests of a while go to one host. */
const lineEndAndHost = (host: string): string => {
  if (host !== latestHost) {
    latestText = ` HTTP/1.1\r\nhost: ${host}\r\n`
    latestHost = host
  }
  return latestText
}

/** The head of an outgoing request with its framing and connection fields, up to and with the empty line. */
export const requestHeadText = (request: OutgoingRequest): string => {
  let text = `${request.method} ${request.target}${lineEndAndHost(request.host)}${request.fields}`
  if (request.length > 0) text += contentLengthLine(request.length)
  else if (request.length < 0) text += 'transfer-encoding: chunked\r\n'
  // RFC 9110 §8.6: methods that define a meaning for content say so also when there is none.
  else if (request.method === 'POST' || request.method === 'PUT' || request.method === 'PATCH')
    text += 'content-length: 0\r\n'
  if (request.upgrade !== null) text += `connection: upgrade\r\nupgrade: ${request.upgrade}\r\n`
  return `${text}\r\n`
}
