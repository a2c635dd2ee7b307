import type { CallRecord } from '#storage/calls'

/** A call as the API shows it: the record with its time as ISO 8601. */
export type CallView = Omit<CallRecord, 'startedAt'> & { startedAt: string }

/** The members in the order that the documentation lists them. */
export const callView = (record: CallRecord): CallView => ({
  requestId: record.requestId,
  traceId: record.traceId,
  startedAt: new Date(record.startedAt).toISOString(),
  service: record.service,
  route: record.route,
  consumer: record.consumer,
  method: record.method,
  path: record.path,
  status: record.status,
  durationMs: record.durationMs,
  upstreamMs: record.upstreamMs,
  gatewayMs: record.gatewayMs,
  bytesIn: record.bytesIn,
  bytesOut: record.bytesOut,
  clientAddress: record.clientAddress,
  target: record.target,
  errorCode: record.errorCode,
  errorSource: record.errorSource,
  retries: record.retries,
  model: record.model,
  provider: record.provider,
  tokensIn: record.tokensIn,
  tokensOut: record.tokensOut,
  tokensCached: record.tokensCached,
  costNanoUsd: record.costNanoUsd,
  firstTokenMs: record.firstTokenMs,
  grpcStatus: record.grpcStatus,
})
