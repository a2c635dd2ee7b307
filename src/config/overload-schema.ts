import { z } from 'zod'
import { duration, parseSize, size } from '#base/schema'
import { count } from './schema-parts.ts'

export type MemoryLimit = { readonly percent: number } | { readonly bytes: number }

const memory = z
  .string()
  .meta({
    pattern: '^\\d+(\\.\\d+)?(%|[bB]|[kKmMgG][bB])$',
    examples: ['80%', '512mb'],
    description:
      'Memory of the process above which new calls are refused (503): a size, or a percentage of what the machine or ' +
      'its control group has (and of the JavaScript heap of a worker)',
  })
  .transform((text, context): MemoryLimit => {
    const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)
    const value = percent === null ? parseSize(text) : Number(percent[1])
    if (value === undefined || value <= 0 || (percent !== null && value > 100)) {
      context.addIssue('is neither a percentage such as 80% nor a size such as 512mb')
      return z.NEVER
    }
    return percent === null ? { bytes: value } : { percent: value }
  })

/** The parts of `settings.limits` that hold for all workers together. */
export const processLimitsShape = {
  requests: count(1, 10_000_000, 'Number of calls in flight, over all workers; no limit unless set').optional(),
  memory: memory.optional(),
  buffered: size({
    min: '1mb',
    doc: 'Bytes in all that wait for clients that read slowly; each connection may have 256 kB unless set',
  }).optional(),
}

export type ProcessLimitsConfig = {
  readonly requests?: number | undefined
  readonly memory?: MemoryLimit | undefined
  readonly buffered?: number | undefined
}

/** `settings.minimumRate`. */
export const minimumRateSchema = z
  .strictObject({
    request: size({ doc: 'Bytes per second of a request body; a slower one is refused (408)' }).optional(),
    response: size({ doc: 'Bytes per second of what waits for a client; a slower one is disconnected' }).optional(),
    grace: duration({ min: '1s', max: '1h', doc: 'Over how long the rate is an average' }).prefault('10s'),
  })
  .prefault({})
  .transform(({ request = 0, response = 0, grace }) => ({ request, response, grace }))
  .meta({
    description: 'How slow clients may be at least while the gateway waits for them; nothing is asked unless set',
  })
