import type { GatewayError } from '#base/errors'
import type { Call, CallOutcome } from '#gateway/call'
import type { CallRecord } from '#storage/calls'

/** Takes what it needs from a record at once: the object is used again for the next call. */
export type CallSink = (record: CallRecord) => void

/** What is known of a request that was refused before it became a call. */
export type RefusedRequest = { requestId: string; startedAt: number; clientAddress: string; durationMs: number }

export type CallRecorder = {
  /** For every call after its reply. */
  onCall(call: Call, outcome: CallOutcome): void
  /** For every request that never became a call. */
  onRefused(error: GatewayError, request: RefusedRequest): void
}

const microseconds = (ms: number): number => Math.round(ms * 1000) / 1000

/** Makes records of ended calls and hands each to all sinks; one per gateway worker. */
export const createCallRecorder = (sinks: readonly CallSink[]): CallRecorder => {
  // One object for all calls: no allocation per call, and one shape for whoever reads it.
  const record = emptyRecord()
  const send = (): void => {
    for (const sink of sinks) sink(record)
  }
  return {
    onCall(call, outcome) {
      fillCall(record, call, outcome)
      send()
    },
    onRefused(error, request) {
      Object.assign(record, emptyRecord())
      record.requestId = request.requestId
      record.startedAt = request.startedAt
      record.clientAddress = request.clientAddress
      record.durationMs = microseconds(request.durationMs)
      record.gatewayMs = record.durationMs
      record.status = error.status
      record.errorCode = error.code
      record.errorSource = error.source
      send()
    },
  }
}

const fillCall = (record: CallRecord, call: Call, outcome: CallOutcome): void => {
  const { route, consumer, ai } = call
  record.requestId = call.requestId
  record.traceId = call.traceId
  record.startedAt = call.startedAt
  record.service = route === null ? '' : route.service.name
  record.route = route === null ? '' : route.template
  record.consumer = consumer === null ? '' : consumer.name
  record.method = call.method
  record.path = call.path
  record.status = outcome.status
  record.durationMs = microseconds(outcome.durationMs)
  record.upstreamMs = microseconds(outcome.upstreamMs)
  record.gatewayMs = microseconds(Math.max(0, outcome.durationMs - outcome.upstreamMs))
  record.bytesIn = outcome.bytesIn
  record.bytesOut = outcome.bytesOut
  record.clientAddress = call.clientAddress
  record.target = outcome.target
  record.errorCode = outcome.errorCode
  record.errorSource = outcome.errorSource
  record.retries = outcome.retries
  record.model = ai === null ? '' : ai.model
  record.provider = ai === null ? '' : ai.provider
  record.tokensIn = ai === null ? null : ai.tokensIn
  record.tokensOut = ai === null ? null : ai.tokensOut
  record.tokensCached = ai === null ? null : ai.tokensCached
  record.costNanoUsd = ai === null ? null : ai.costNanoUsd
  record.grpcStatus = call.grpcStatus
  const firstTokenAt = ai === null ? null : ai.firstTokenAt
  record.firstTokenMs = firstTokenAt === null ? null : microseconds(firstTokenAt - call.startedMono)
}

/** A record in which nothing is known. */
export const emptyRecord = (): CallRecord => ({
  requestId: '',
  traceId: '',
  startedAt: 0,
  service: '',
  route: '',
  consumer: '',
  method: '',
  path: '',
  status: 0,
  durationMs: 0,
  upstreamMs: 0,
  gatewayMs: 0,
  bytesIn: 0,
  bytesOut: 0,
  clientAddress: '',
  target: '',
  errorCode: '',
  errorSource: '',
  retries: 0,
  model: '',
  provider: '',
  tokensIn: null,
  tokensOut: null,
  tokensCached: null,
  costNanoUsd: null,
  firstTokenMs: null,
  grpcStatus: null,
})
