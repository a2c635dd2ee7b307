import { GatewayError } from '#base/errors'
import { getHeader, setHeader } from '#http/headers'
import type { GatewayCall } from './gateway-call.ts'
import type { Snapshot } from './snapshot.ts'

/**
 * Counts `Max-Forwards` of OPTIONS and TRACE down (RFC 9110 §7.6.2). At zero the gateway is the final recipient: true means
 * that the call is answered.
 */
export const endsHere = (call: GatewayCall, snapshot: Snapshot): boolean => {
  const field = getHeader(call.headers, 'max-forwards')
  if (field === undefined || !/^\d{1,9}$/.test(field)) return false
  const left = Number(field)
  if (left > 0) {
    setHeader(call.headers, 'max-forwards', String(left - 1))
    return false
  }
  const allow = ['allow', snapshot.matcher.allowedMethods(call).join(', ') || call.method]
  if (call.method === 'TRACE') throw new GatewayError('method-not-allowed', { headers: allow })
  call.respond(204, allow, null)
  return true
}
