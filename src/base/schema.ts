import { z } from 'zod'

const durationUnits: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const sizeUnits: Record<string, number> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 }

/** Reads `250ms`, `5s`, `1m`, `24h`, `30d` as milliseconds; undefined when the text is none of these. */
export const parseDuration = (text: string): number | undefined => {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text)
  return match ? Number(match[1]) * (durationUnits[match[2] as string] as number) : undefined
}

/** Reads `512b`, `64kb`, `10mb`, `1gb` as bytes (powers of 1024); undefined when the text is none of these. */
export const parseSize = (text: string): number | undefined => {
  const match = /^(\d+(?:\.\d+)?)(b|kb|mb|gb)$/i.exec(text)
  return match ? Math.round(Number(match[1]) * (sizeUnits[(match[2] as string).toLowerCase()] as number)) : undefined
}

const durationPattern = '^\\d+(\\.\\d+)?(ms|s|m|h|d)$'
const sizePattern = '^\\d+(\\.\\d+)?([bB]|[kKmMgG][bB])$'

type Range = { min?: string; max?: string; doc?: string }

/** A duration in a config file (`"5s"`); the decoded value is milliseconds. */
export const duration = ({ min, max, doc }: Range = {}) =>
  z
    .string()
    .meta({ pattern: durationPattern, examples: ['250ms', '5s', '1m'], ...(doc && { description: doc }) })
    .transform((text, context) => {
      const value = parseDuration(text)
      const low = min === undefined ? 0 : (parseDuration(min) as number)
      const high = max === undefined ? Number.POSITIVE_INFINITY : (parseDuration(max) as number)
      if (value === undefined) context.addIssue(`is not a duration: write it like 250ms, 5s, 1m, 24h or 30d`)
      else if (value < low || value > high)
        context.addIssue(`is out of range: at least ${min ?? '0ms'}${max === undefined ? '' : `, at most ${max}`}`)
      return value ?? 0
    })

/** A size in a config file (`"10mb"`); the decoded value is bytes. */
export const size = ({ min, max, doc }: Range = {}) =>
  z
    .string()
    .meta({ pattern: sizePattern, examples: ['64kb', '10mb'], ...(doc && { description: doc }) })
    .transform((text, context) => {
      const value = parseSize(text)
      const low = min === undefined ? 0 : (parseSize(min) as number)
      const high = max === undefined ? Number.POSITIVE_INFINITY : (parseSize(max) as number)
      if (value === undefined) context.addIssue(`is not a size: write it like 512b, 64kb, 10mb or 1gb`)
      else if (value < low || value > high)
        context.addIssue(`is out of range: at least ${min ?? '0b'}${max === undefined ? '' : `, at most ${max}`}`)
      return value ?? 0
    })
