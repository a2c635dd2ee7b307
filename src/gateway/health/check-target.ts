import { connect } from 'node:net'
import type { ActiveHealthDocument } from '#config/document'
import { type ClientExchange, type Origin, Pool } from '#http/client'
import { fieldLines } from '#http/field-lines'
import type { TimerWheel } from '#http/timer-wheel'

/** How one check of one address is made. */
export type CheckPlace = { readonly origin: Origin; readonly authority: string }

/** Ends with null when the target is well, else with what was wrong. */
export type CheckRun = { readonly result: Promise<string | null>; abandon(): void }

const maxHead = 65_536
const maxFields = 256

const isExpected = (status: number, { expect }: ActiveHealthDocument): boolean =>
  expect.some(([from, to]) => status >= from && status <= to)

/** One request on a connection of its own; the head of the answer decides. */
const checkHttp = (place: CheckPlace, rules: ActiveHealthDocument, wheel: TimerWheel): CheckRun => {
  const pool = new Pool({ origin: place.origin, wheel, idleTimeout: 1, maxHead, maxFields })
  let exchange: ClientExchange | null = null
  let settle: (problem: string | null) => void = () => {}
  const abandon = (): void => {
    exchange?.abort()
    pool.close()
  }
  const result = new Promise<string | null>(resolve => {
    settle = problem => {
      resolve(problem)
      abandon()
    }
    const { timeout } = rules
    exchange = pool.request(
      {
        method: rules.method,
        target: rules.path,
        host: place.authority,
        fields: `user-agent: portico-health\r\n${fieldLines([...rules.headers])}`,
        length: 0,
        body: null,
        upgrade: null,
        connectTimeout: timeout,
        responseTimeout: timeout,
        idleTimeout: timeout,
        totalTimeout: timeout,
      },
      {
        onReady: () => {},
        onInformational: () => {},
        onResponse: status => settle(isExpected(status, rules) ? null : `status ${status}`),
        onBodyData: () => {},
        onBodyEnd: () => {},
        onPause: () => {},
        onDrain: () => {},
        onUpgrade: (_, stream) => {
          stream.destroy()
          settle('status 101')
        },
        onError: ({ code }) => settle(code),
      },
      true,
    )
  })
  return { result, abandon }
}

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
  return rules.type === 'tcp' ? checkTcp(at, rules) : checkHttp(at, rules, wheel)
}
