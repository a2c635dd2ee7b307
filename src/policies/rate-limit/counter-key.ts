import type { Call } from '#gateway/call'
import type { Consumer, UnitContext } from '#gateway/contract'
import { getHeader } from '#http/headers'

/**
 * The name of the count a call belongs to. Each kind has its own prefix, so that no header value or consumer name
 * can use up the count of somebody else; the scope keeps declarations apart.
 */
export const counterKey = (by: string, context: UnitContext): ((call: Call) => string) => {
  const scope = context.scope
  const address = `${scope}|address|`
  const byAddress = (call: Call): string => address + call.clientAddress
  if (by === 'ip') return byAddress
  if (by === 'route') {
    const prefix = `${scope}|route|`
    return call => prefix + (call.route?.id ?? '')
  }
  if (by === 'service') {
    const prefix = `${scope}|service|`
    return call => prefix + (call.route?.service.name ?? '')
  }
  if (by === 'consumer') {
    const prefix = `${scope}|consumer|`
    // Put together once for each consumer: a joined text would be flattened anew for each call.
    const known = new Map<Consumer, string>()
    return call => {
      const { consumer } = call
      if (consumer === null) return byAddress(call)
      let key = known.get(consumer)
      if (key === undefined) known.set(consumer, (key = prefix + consumer.name))
      return key
    }
  }
  const header = by.slice('header:'.length).toLowerCase()
  const prefix = `${scope}|header|${header}|`
  return call => {
    const value = getHeader(call.headers, header)
    return value === undefined ? byAddress(call) : prefix + value
  }
}
