import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asMarkdown, asText, type Round, tableOf } from './table.ts'

const round = (cpuMicros: number, change: Partial<Round> = {}): Round => ({
  ...{ requests: 1000, errors: 0, perSecond: 500, p50Ms: 1, p99Ms: 2, cpuMicros, residentBytes: 1e7 },
  ...change,
})

const cell = (table: string[][], line: number, title: string): string | undefined =>
  table[line]?.[table[0]!.indexOf(title)]

test('the ratio is the median of the ratios of the rounds, not the ratio of the medians', () => {
  const lanes = new Map([
    ['nginx', [round(10), round(20), round(40)]],
    ['portico', [round(20), round(22), round(42)]],
  ])
  const table = tableOf(lanes, { base: 'nginx', compareLatency: false })
  assert.equal(cell(table, 1, 'CPU × nginx'), '1.00')
  assert.equal(cell(table, 2, 'CPU × nginx'), '1.10 (1.05–2.00)')
  assert.equal(cell(table, 2, 'CPU µs/req'), '22.0')
})

test('errors of all rounds are added up', () => {
  const lanes = new Map([['portico', [round(1, { errors: 2 }), round(1), round(1, { errors: 3 })]]])
  assert.equal(cell(tableOf(lanes, { base: null, compareLatency: false }), 1, 'errors'), '5')
})

test('without the lane to compare with there is no ratio', () => {
  const table = tableOf(new Map([['portico', [round(1)]]]), { base: null, compareLatency: true })
  assert.deepEqual(table[0], ['subject', 'req/s', 'p50 ms', 'p99 ms', 'CPU µs/req', 'RSS MB', 'errors'])
})

test('latencies are compared only where that is asked for', () => {
  const lanes = new Map([
    ['nginx', [round(10, { p99Ms: 2 })]],
    ['portico', [round(10, { p99Ms: 3 })]],
  ])
  const table = tableOf(lanes, { base: 'nginx', compareLatency: true })
  assert.equal(cell(table, 2, 'p99 × nginx'), '1.50 (1.50–1.50)')
  assert.ok(!tableOf(lanes, { base: 'nginx', compareLatency: false })[0]!.includes('p99 × nginx'))
})

test('both forms of the table hold every cell', () => {
  const table = [
    ['subject', 'req/s'],
    ['portico', '50000'],
  ]
  assert.equal(asText(table), 'subject  req/s\nportico  50000')
  assert.equal(asMarkdown(table), '| subject | req/s |\n| --- | ---: |\n| portico | 50000 |')
})
