import { connect } from 'node:net'
import type { ActiveHealthDocument } from '#config/document'
import type { Origin, UpstreamProtocol } from '#http/client'
import type { TimerWheel } from '#http/timer-wheel'
import { checkGrpc, checkHttp } from './check-http.ts'

/** How one check of one address is made. */
export type CheckPlace = {
  readonly origin: Origin
  readonly authority: string
  readonly protocol: UpstreamProtocol
}

/** Ends with null when the target is well, else with what was wrong. */
export type CheckRun = { readonly result: Promise<string | null>; abandon(): void }

/** A connection that stands is enough. */
const checkTcp = ({ origin }: CheckPlace, rules: ActiveHealthDocument): CheckRun => {
  const { host, port, socketPath } = origin
  const socket = connect(typeof socketPath === 'string' ? { path: socketPath } : { host, port })
  const result = new Promise<string | null>(resolve => {
    const settle = (problem: string | null): void => {
      resolve(problem)
      socket.destroy()
    }
    socket.setTimeout(rules.timeout, () => settle('timeout'))
    socket.once('connect', () => settle(null))
    socket.once('error', error => settle((error as NodeJS.ErrnoException).code ?? error.message))
    socket.once('close', () => resolve('closed'))
  })
  return { result, abandon: () => socket.destroy() }
}

/** Asks one address once. */
export const checkTarget = (place: CheckPlace, rules: ActiveHealthDocument, wheel: TimerWheel): CheckRun => {
  const { origin } = place
  const at = rules.port === null ? place : { ...place, origin: { ...origin, port: rules.port } }
  if (rules.type === 'tcp') return checkTcp(at, rules)
  return rules.type === 'grpc' ? checkGrpc(at, rules, wheel) : checkHttp(at, rules, wheel)
}
