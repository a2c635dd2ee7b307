import type { LogLevel } from '#base/log'
import type { UpstreamEvent } from '#gateway/upstream-registry'

const words = {
  ejected: ['warn', 'A target is left out because its calls fail'],
  returned: ['info', 'A target is back'],
  unhealthy: ['warn', 'A target is left out because its health checks fail'],
  healthy: ['info', 'A target passes its health checks'],
  panic: ['error', 'Too few targets are healthy: all of them are used'],
  'no-room': ['warn', 'There is no room to watch over a target: it is taken for healthy'],
  tls: ['error', 'A TLS connection to a target failed'],
  calm: ['info', 'Enough targets are healthy again'],
} as const satisfies Record<string, readonly [LogLevel, string]>

/** The log line about targets that go or come back. */
export const upstreamLine = ({ kind, upstream, target, details }: UpstreamEvent) => ({
  level: words[kind][0],
  message: words[kind][1],
  details: { upstream, ...(target !== '' && { target }), ...details },
})
