import { z } from 'zod'
import { duration, size } from '#base/schema'
import { definePolicy } from '#gateway/contract'

const forever = Number.POSITIVE_INFINITY

const schema = z.strictObject({
  maxMessage: size({
    min: '1b',
    doc: 'Largest message in either direction, all its fragments together, as it is sent (compressed, where both sides agreed on that). A larger one closes the connection with 1009.',
  }).optional(),
  rate: z
    .strictObject({
      limit: z.int().min(1).max(1_000_000).meta({ description: 'Messages that may come in one window, or at once.' }),
      window: duration({ min: '1ms', max: '24h', doc: 'The span of time.' }).prefault('1s'),
    })
    .optional()
    .meta({
      description: 'How many messages one client may send on one connection; more close the connection with 1008.',
    }),
  idle: duration({
    min: '100ms',
    max: '30d',
    doc: 'A connection without a message in either direction for this long is closed with 1001; pings do not count.',
  }).optional(),
  ping: duration({
    min: '100ms',
    max: '24h',
    doc: 'Client or service gets a ping after this long without a byte from it, and is given up after as long again; the other side is closed with 1001 (the client is gone) or 1011 (the service does not answer).',
  }).optional(),
})

export const webSocket = definePolicy({
  name: 'websocket',
  phase: 'limit',
  summary: 'Limits what WebSocket connections may do: message size, message rate, idle time, silence.',
  schema,
  create: ({ maxMessage = forever, rate = null, idle = forever, ping = forever }) => {
    const limits = { maxMessage, rate, idle, ping }
    return {
      request(call, next) {
        call.webSocket = limits
        return next(call)
      },
    }
  },
})
