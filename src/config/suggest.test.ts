import assert from 'node:assert/strict'
import { test } from 'node:test'
import { suggest } from './suggest.ts'

const keys = ['url', 'weight', 'timeouts', 'rate-limit', 'stripPrefix']

test('slips of the pen find what was meant', () => {
  const meant = {
    ur: 'url',
    weigth: 'weight',
    timeout: 'timeouts',
    RateLimit: 'rate-limit',
    rate_limit: 'rate-limit',
    strip_prefix: 'stripPrefix',
  }
  for (const [typed, expected] of Object.entries(meant)) assert.equal(suggest(typed, keys), expected, typed)
})

test('what resembles nothing gets no suggestion', () => {
  for (const typed of ['', 'x', 'port', 'retries', 'w'.repeat(1000)]) assert.equal(suggest(typed, keys), null, typed)
})
