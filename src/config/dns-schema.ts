import { isIP } from 'node:net'
import { z } from 'zod'
import { duration } from '#base/schema'
import type { Fault } from './paths.ts'
import { checked } from './schema-parts.ts'

const checkServer = (text: string): Fault | null => {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^[\]]+?))(?::(\d{1,5}))?$/.exec(text) ?? []
  const wholeIPv6 = isIP(text) === 6
  const family = isIP(bracketed ?? plain ?? '')
  const portFits = port === undefined || (Number(port) > 0 && Number(port) < 65_536)
  if (wholeIPv6 || (family !== 0 && portFits)) return null
  return { message: 'must be the address of a DNS server such as 10.0.0.2 or 10.0.0.2:5353', suggestion: null }
}

/** `settings.dns`: how the host names of targets are resolved. */
export const dnsSchema = z
  .strictObject({
    servers: z
      .array(checked(checkServer, 'Address of a DNS server, with a port if it is not 53'))
      .max(8)
      .default([])
      .meta({ description: 'DNS servers that are asked; those of the system unless set' }),
    minTtl: duration({ min: '10ms', max: '1h', doc: 'Answers hold at least this long' }).prefault('1s'),
    maxTtl: duration({ min: '10ms', max: '24h', doc: 'Answers hold at most this long' }).prefault('5m'),
  })
  .superRefine(({ minTtl, maxTtl }, context) => {
    if (maxTtl < minTtl) context.addIssue({ code: 'custom', message: 'is less than minTtl', path: ['maxTtl'] })
  })
  .prefault({})
  .meta({ description: 'How host names of targets are resolved' })
