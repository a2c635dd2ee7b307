import { z } from 'zod'
import { GatewayError } from '#base/errors'
import { definePolicy } from '#gateway/contract'
import { type AddressRange, inRange, parseAddress, parseRange } from './address.ts'

const range = z.string().superRefine((text, context) => {
  const parsed = parseRange(text)
  if (typeof parsed === 'string') context.addIssue(parsed)
})

const schema = z.strictObject({
  allow: z
    .array(range)
    .min(1, 'is empty: name at least one range; 0.0.0.0/0 and ::/0 are all addresses')
    .meta({ description: 'Addresses and ranges that may call, like `10.0.0.0/8`, `2001:db8::/32` or `192.0.2.7`.' }),
  deny: z.array(range).default([]).meta({ description: 'Exceptions that may not call; they win over `allow`.' }),
})

const mostRemembered = 4096

const isRange = (parsed: AddressRange | string): parsed is AddressRange => typeof parsed !== 'string'

export const ipAllow = definePolicy({
  name: 'ip-allow',
  phase: 'shield',
  summary: 'Lets only clients with certain addresses pass.',
  schema,
  create(config) {
    const allow = config.allow.map(parseRange).filter(isRange)
    const deny = config.deny.map(parseRange).filter(isRange)
    const judge = (text: string): boolean => {
      const address = parseAddress(text)
      if (address === null) return false
      return allow.some(range => inRange(address, range)) && !deny.some(range => inRange(address, range))
    }
    // Clients come back: most calls cost one look-up however many ranges there are.
    const verdicts = new Map<string, boolean>()
    const isAllowed = (text: string): boolean => {
      const known = verdicts.get(text)
      if (known !== undefined) return known
      if (verdicts.size >= mostRemembered) verdicts.clear()
      const verdict = judge(text)
      verdicts.set(text, verdict)
      return verdict
    }
    const refused = () =>
      new GatewayError('address-not-allowed', { detail: 'Calls from this address are not allowed.' })
    return {
      request(call, next) {
        if (!isAllowed(call.clientAddress)) throw refused()
        return next(call)
      },
      recheck: call => (isAllowed(call.clientAddress) ? null : refused()),
    }
  },
})
