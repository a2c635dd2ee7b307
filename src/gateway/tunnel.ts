import type { HeaderList } from '#http/headers'
import type { RawStream, ServerExchange } from '#http/message'

/** Joins two raw byte streams with back-pressure both ways; when one side ends or dies, so does the other. */
const join = (from: RawStream, to: RawStream): void => {
  from.onData = chunk => {
    if (!to.write(chunk)) from.pause()
  }
  to.onDrain = () => from.resume()
  from.onEnd = () => to.end()
  from.onClose = () => to.destroy()
}

/** Completes a protocol switch (RFC 9110 §7.8): 101 to the client, then bytes both ways until one side closes. */
export const tunnel = (exchange: ServerExchange, headers: HeaderList, requestId: string, upstream: RawStream): void => {
  if (exchange.responseEnded) {
    upstream.destroy()
    return
  }
  headers.push('x-request-id', requestId)
  const client = exchange.upgrade(101, headers)
  join(client, upstream)
  join(upstream, client)
  client.resume()
}
