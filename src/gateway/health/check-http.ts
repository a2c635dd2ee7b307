import type { ActiveHealthDocument } from '#config/document'
import { type ClientExchange, type OutgoingRequest, Pool, type UpstreamProtocol } from '#http/client'
import { fieldLines } from '#http/field-lines'
import { healthCheckBody, healthCheckHeaders, healthCheckTarget, readHealthCheck } from '#http/grpc/health'
import type { HeaderList } from '#http/headers'
import type { TimerWheel } from '#http/timer-wheel'
import type { CheckPlace, CheckRun } from './check-target.ts'

const maxHead = 65_536
const maxFields = 256
const maxAnswer = 16_384
/** The engine's own limits come first; its clock is coarse. */
const graceMs = 250

/** What of an answer decides: null as long as it is not known yet. */
type Judge = {
  head(status: number, headers: HeaderList): Verdict | null
  end(body: Buffer, trailers: HeaderList | null): Verdict
}

type Verdict = { readonly problem: string | null }

type Question = Pick<OutgoingRequest, 'method' | 'target' | 'fields' | 'body'>

/** One request on a connection of its own. */
const ask = (
  { origin, authority }: CheckPlace,
  { timeout }: ActiveHealthDocument,
  wheel: TimerWheel,
  protocol: UpstreamProtocol,
  question: Question,
  judge: Judge,
): CheckRun => {
  const pool = new Pool({ origin, protocol, wheel, idleTimeout: 1, maxHead, maxFields })
  let exchange: ClientExchange | null = null
  const abandon = (): void => {
    exchange?.abort()
    pool.close()
  }
  const result = new Promise<string | null>(resolve => {
    // Whatever happens below, a check has an end.
    const limit = setTimeout(() => settle({ problem: 'timeout' }), timeout + graceMs)
    const settle = ({ problem }: Verdict): void => {
      clearTimeout(limit)
      resolve(problem)
      abandon()
    }
    const body: Buffer[] = []
    let size = 0
    exchange = pool.request(
      {
        ...question,
        host: authority,
        length: question.body?.length ?? 0,
        upgrade: null,
        connectTimeout: timeout,
        responseTimeout: timeout,
        idleTimeout: timeout,
        totalTimeout: timeout,
      },
      {
        onReady: () => {},
        onInformational: () => {},
        onResponse: (status, headers) => {
          const verdict = judge.head(status, headers)
          if (verdict !== null) settle(verdict)
        },
        onBodyData: chunk => {
          size += chunk.length
          if (size > maxAnswer) settle({ problem: 'too long an answer' })
          else body.push(Buffer.from(chunk))
        },
        onBodyEnd: trailers => settle(judge.end(Buffer.concat(body), trailers)),
        onPause: () => {},
        onDrain: () => {},
        onUpgrade: (_, stream) => {
          stream.destroy()
          settle({ problem: 'status 101' })
        },
        onError: ({ code }) => settle({ problem: code }),
      },
      true,
    )
  })
  return { result, abandon }
}

/** The status of an answer decides. */
export const checkHttp = (place: CheckPlace, rules: ActiveHealthDocument, wheel: TimerWheel): CheckRun => {
  const judgeHead = (status: number): Verdict => {
    const well = rules.expect.some(([from, to]) => status >= from && status <= to)
    return { problem: well ? null : `status ${status}` }
  }
  const fields = `user-agent: portico-health\r\n${fieldLines([...rules.headers])}`
  const question = { method: rules.method, target: rules.path, fields, body: null }
  return ask(place, rules, wheel, place.protocol, question, { head: judgeHead, end: () => ({ problem: null }) })
}

/** Asks the server itself by gRPC's health-checking protocol (grpc/doc/health-checking.md). */
export const checkGrpc = (place: CheckPlace, rules: ActiveHealthDocument, wheel: TimerWheel): CheckRun => {
  let status = 0
  let headers: HeaderList = []
  const seconds = Math.max(1, Math.ceil(rules.timeout / 1000))
  const fields = fieldLines(['user-agent', 'portico-health', ...healthCheckHeaders, 'grpc-timeout', `${seconds}S`])
  const question = { method: 'POST', target: healthCheckTarget, fields, body: healthCheckBody(rules.service) }
  return ask(place, rules, wheel, 'h2', question, {
    head: (given, fieldsOfHead) => {
      status = given
      headers = fieldsOfHead
      return null
    },
    end: (body, trailers) => {
      const serving = readHealthCheck({ status, headers, body, trailers })
      return { problem: serving === 'SERVING' ? null : (serving ?? `no answer to a health check (status ${status})`) }
    },
  })
}
