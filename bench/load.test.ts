import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readH2loadLog, readWrk } from './load.ts'

const report = (extra: string): string => `Running 2s test @ http://127.0.0.1:1234/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.21ms  512.00us  20.01ms   93.50%
    Req/Sec    50.01k     2.50k   55.02k    50.00%
  Latency Distribution
     50%  950.00us
     75%    1.31ms
     90%    1.90ms
     99%    1.02s
  99502 requests in 2.00s, 24.10MB read
${extra}Requests/sec:  49751.24
Transfer/sec:     12.05MB
`

test('the report of wrk gives requests, rate and latencies in milliseconds', () => {
  assert.deepEqual(readWrk(report('')), { requests: 99502, errors: 0, perSecond: 49751.24, p50Ms: 0.95, p99Ms: 1020 })
})

test('answers that are no success and broken connections are errors', () => {
  const extra = '  Socket errors: connect 1, read 20, write 300, timeout 4000\n  Non-2xx or 3xx responses: 50000\n'
  assert.equal(readWrk(report(extra)).errors, 54321)
})

test('the log of h2load gives the percentiles of all requests, and counts what is no success', () => {
  const lines = Array.from({ length: 100 }, (_, index) => `1700000000000000\t200\t${(100 - index) * 1000}`)
  assert.deepEqual(readH2loadLog(lines.join('\n'), 2), {
    requests: 100,
    errors: 0,
    perSecond: 50,
    p50Ms: 50.5,
    p99Ms: 99,
  })
  const broken = [...lines, '1700000000000000\t-1\t5', '1700000000000000\t302\t5', '1700000000000000\t503\t5']
  assert.equal(readH2loadLog(broken.join('\n'), 2).errors, 3)
})

test('an empty log of h2load is no measurement', () => {
  const { requests, p50Ms, p99Ms } = readH2loadLog('', 2)
  assert.deepEqual([requests, p50Ms, p99Ms], [0, Number.NaN, Number.NaN])
})
