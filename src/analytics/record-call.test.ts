import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { GatewayError } from '#base/errors'
import type { Call, CallOutcome } from '#gateway/call'
import type { CallRecord } from '#storage/calls'
import { createCallRecorder } from './record-call.ts'

/** The part of a call that a record is made from. */
const call = (changes: Record<string, unknown> = {}): Call =>
  ({
    requestId: 'request-1',
    traceId: 'trace-1',
    startedAt: 1_700_000_000_000,
    startedMono: 5000,
    route: { template: '/orders/{id}', service: { name: 'orders' } },
    consumer: { name: 'alice', groups: [], keyHashes: [] },
    method: 'GET',
    path: '/orders/7',
    clientAddress: '203.0.113.9',
    ai: null,
    grpcStatus: null,
    ...changes,
  }) as unknown as Call

const outcome = (changes: Partial<CallOutcome> = {}): CallOutcome => ({
  status: 200,
  durationMs: 12.34567,
  upstreamMs: 10,
  bytesIn: 100,
  bytesOut: 200,
  target: 'http://127.0.0.1:9000',
  errorCode: '',
  errorSource: '',
  retries: 1,
  ...changes,
})

const collect = () => {
  const records: CallRecord[] = []
  const recorder = createCallRecorder([record => records.push({ ...record })])
  return { records, recorder }
}

describe('call recorder', () => {
  it('makes a complete record of a call', () => {
    const { records, recorder } = collect()
    recorder.onCall(call(), outcome())
    assert.deepEqual(records, [
      {
        requestId: 'request-1',
        traceId: 'trace-1',
        startedAt: 1_700_000_000_000,
        service: 'orders',
        route: '/orders/{id}',
        consumer: 'alice',
        method: 'GET',
        path: '/orders/7',
        status: 200,
        durationMs: 12.346,
        upstreamMs: 10,
        gatewayMs: 2.346,
        bytesIn: 100,
        bytesOut: 200,
        clientAddress: '203.0.113.9',
        target: 'http://127.0.0.1:9000',
        errorCode: '',
        errorSource: '',
        retries: 1,
        model: '',
        provider: '',
        tokensIn: null,
        tokensOut: null,
        tokensCached: null,
        costNanoUsd: null,
        firstTokenMs: null,
        grpcStatus: null,
      },
    ])
  })

  it('adds what an AI call used, and leaves none of it in the next record', () => {
    const { records, recorder } = collect()
    const ai = {
      provider: 'demo',
      model: 'echo',
      tokensIn: 5,
      tokensOut: 7,
      tokensCached: 0,
      costNanoUsd: null,
      firstTokenAt: 5004.5,
    }
    recorder.onCall(call({ ai }), outcome())
    recorder.onCall(call(), outcome())
    const [first, second] = records as [CallRecord, CallRecord]
    assert.deepEqual(
      [first.provider, first.model, first.tokensIn, first.tokensOut, first.tokensCached, first.firstTokenMs],
      ['demo', 'echo', 5, 7, 0, 4.5],
    )
    assert.deepEqual([second.provider, second.model, second.tokensIn, second.firstTokenMs], ['', '', null, null])
  })

  it('records calls without a route or a consumer, and never a negative time of its own', () => {
    const { records, recorder } = collect()
    recorder.onCall(call({ route: null, consumer: null }), outcome({ status: 404, durationMs: 1, upstreamMs: 3 }))
    const [record] = records as [CallRecord]
    assert.deepEqual([record.service, record.route, record.consumer, record.gatewayMs], ['', '', '', 0])
  })

  it('records requests that never became calls', () => {
    const { records, recorder } = collect()
    recorder.onCall(call(), outcome())
    recorder.onRefused(new GatewayError('bad-request'), {
      requestId: 'refused-1',
      startedAt: 1_700_000_000_001,
      clientAddress: '203.0.113.7',
      durationMs: 0.5,
    })
    const record = records[1] as CallRecord
    assert.deepEqual(
      [record.requestId, record.status, record.errorCode, record.errorSource, record.gatewayMs],
      ['refused-1', 400, 'bad-request', 'client', 0.5],
    )
    assert.deepEqual(
      [record.service, record.path, record.consumer, record.traceId, record.bytesIn],
      ['', '', '', '', 0],
    )
  })

  it('hands each record to all sinks', () => {
    const seen: string[] = []
    const recorder = createCallRecorder([
      record => seen.push(`a ${record.status}`),
      record => seen.push(`b ${record.status}`),
    ])
    recorder.onCall(call(), outcome())
    assert.deepEqual(seen, ['a 200', 'b 200'])
  })
})
