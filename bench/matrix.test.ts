import assert from 'node:assert/strict'
import { test } from 'node:test'
import { matrixLines, matrixOf } from './matrix.ts'

const plain = [
  ['subject', 'req/s', 'CPU µs/req', 'CPU × nginx', 'errors'],
  ['nginx', '100', '10.0', '1.00', '0'],
  ['portico', '90', '11.0', '1.10 (1.00–1.20)', '0'],
]

test('the matrix has the ratios of each case, and says which case could not be measured', () => {
  const latency = [
    ['subject', 'p50 × nginx', 'p99 × nginx', 'CPU × nginx'],
    ['nginx', '1.00', '1.00', '1.00'],
    ['portico', '1.3', '1.5', '1.4'],
  ]
  const lines = [...matrixLines('plain', plain), ...matrixLines('latency', latency)]
  assert.deepEqual(matrixOf(['plain', 'latency', 'h2'], lines), [
    ['case', 'subject', 'CPU ratio', 'p50 ratio', 'p99 ratio'],
    ['plain', 'portico', '1.10 (1.00–1.20)', '-', '-'],
    ['latency', 'portico', '1.4', '1.3', '1.5'],
    ['h2', 'not measured', '-', '-', '-'],
  ])
})
