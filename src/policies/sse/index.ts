import { z } from 'zod'
import { duration } from '#base/schema'
import { definePolicy } from '#gateway/contract'

const schema = z.strictObject({
  heartbeat: duration({
    min: '100ms',
    max: '24h',
    doc: 'How long nothing may be sent before the client gets a comment (`:`), which EventSource ignores and proxies take for life.',
  }).prefault('15s'),
})

export const sse = definePolicy({
  name: 'sse',
  phase: 'limit',
  summary: 'Keeps streams of server-sent events alive with comments between two events.',
  schema,
  create: ({ heartbeat }) => ({
    request(call, next) {
      call.heartbeat = heartbeat
      return next(call)
    },
  }),
})
