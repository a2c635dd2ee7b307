import { createServer, type IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'

export type NodeVerdict =
  | { accepted: true; method: string; target: string; fields: string[] }
  | { accepted: false; code: string }

/** What Node's own HTTP parser (strict) makes of a request head; one parser per head, no sockets. */
export const nodeVerdict = (() => {
  let settle: (verdict: NodeVerdict) => void = () => {}
  const accept = (request: IncomingMessage) =>
    settle({ accepted: true, method: request.method ?? '', target: request.url ?? '', fields: request.rawHeaders })
  const server = createServer({ insecureHTTPParser: false, requireHostHeader: true }, (request, response) => {
    accept(request)
    response.destroy()
  })
  server.on('checkContinue', accept)
  server.on('checkExpectation', accept)
  server.on('upgrade', (request, socket) => {
    accept(request)
    socket.destroy()
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    settle({ accepted: false, code: error.code ?? error.message })
    socket.destroy()
  })
  return (text: string): Promise<NodeVerdict> =>
    new Promise(resolve => {
      const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
      settle = verdict => {
        settle = () => {}
        stream.destroy()
        resolve(verdict)
      }
      stream.on('error', () => {})
      server.emit('connection', stream)
      stream.push(Buffer.from(text, 'latin1'))
      // A head that Node does not consider complete is not accepted.
      setImmediate(() => setImmediate(() => setImmediate(() => settle({ accepted: false, code: 'incomplete' }))))
    })
})()
