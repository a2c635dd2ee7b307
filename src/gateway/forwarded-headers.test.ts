import assert from 'node:assert/strict'
import { BlockList, isIPv6 } from 'node:net'
import { test } from 'node:test'
import type { HeaderList } from '#http/headers'
import { cleanTrailers, readForwarding } from './forwarded-headers.ts'

const stranger = '198.51.100.9'
const proxy = '10.0.0.1'

/** Trusts 10.0.0.0/8 and fd00::/8. */
const isTrusted = (address: string): boolean => {
  const list = new BlockList()
  list.addSubnet('10.0.0.0', 8, 'ipv4')
  list.addSubnet('fd00::', 8, 'ipv6')
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

const read = (headers: HeaderList, peer = stranger) => readForwarding([...headers], peer, isTrusted)

const forged: HeaderList = [
  ...['forwarded', 'for=1.2.3.4', 'x-forwarded-for', '1.2.3.4', 'x-forwarded-proto', 'https'],
  ...['x-forwarded-host', 'evil.example', 'x-forwarded-port', '1', 'x-forwarded-prefix', '/admin'],
  ...['x-real-ip', '1.2.3.4', 'x-client-ip', '1.2.3.4', 'x-request-id', 'forged-request-id', 'via', '1.1 evil'],
  ...['x-consumer', 'admin', 'x-consumer-groups', 'root', 'x-consumer-id', '1', 'proxy-authorization', 'Basic eA=='],
  ...['x_forwarded_for', '1.2.3.4', 'x-forwarded_for', '1.2.3.4', 'x_consumer', 'admin', 'x_real_ip', '1.2.3.4'],
]

test('what only the gateway may say is removed, whoever sent it and however it is spelt', () => {
  for (const peer of [stranger, proxy])
    assert.deepEqual(read(['accept', '*/*', ...forged, 'x-kept', '1'], peer).headers, ['accept', '*/*', 'x-kept', '1'])
})

test('fields that only look alike stay, in their order', () => {
  const headers = ['x-forwarded', '1', 'forwarded-for', '2', 'x_custom_field', '3', 'x-real-ips', '4', 'x-custom', '5']
  assert.deepEqual(read(headers).headers, headers)
})

test('a stranger is not believed about addresses, names and ids', () => {
  const { clientAddress, requestId, forwardedFor, forwardedProto, forwardedHost } = read(forged)
  assert.equal(clientAddress, stranger)
  assert.match(requestId, /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
  assert.deepEqual([forwardedFor, forwardedProto, forwardedHost], ['', '', ''])
})

test('without trusted proxies nobody is believed', () => {
  const { clientAddress, requestId } = readForwarding([...forged], proxy, null)
  assert.equal(clientAddress, proxy)
  assert.notEqual(requestId, 'forged-request-id')
})

test('a trusted proxy is believed', () => {
  const result = read(
    [
      'x-forwarded-for',
      '203.0.113.7',
      'x-forwarded-proto',
      'https',
      'x-forwarded-host',
      'a.example:8443',
      'x-request-id',
      'abc-12345',
    ],
    proxy,
  )
  assert.equal(result.clientAddress, '203.0.113.7')
  assert.equal(result.requestId, 'abc-12345')
  assert.deepEqual(
    [result.forwardedFor, result.forwardedProto, result.forwardedHost],
    ['203.0.113.7', 'https', 'a.example:8443'],
  )
})

test('the client is the first address from the right that is not a trusted proxy', () => {
  for (const [chain, client] of [
    ['203.0.113.7', '203.0.113.7'],
    ['203.0.113.7, 10.0.0.2', '203.0.113.7'],
    ['1.2.3.4, 203.0.113.7, 10.0.0.3,10.0.0.2', '203.0.113.7'],
    ['10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['203.0.113.7:5555', '203.0.113.7'],
    ['[2001:db8::7]:5555, fd00::1', '2001:db8::7'],
    ['2001:db8::7', '2001:db8::7'],
    ['"[2001:db8::7]"', '2001:db8::7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['203.0.113.7, unknown', proxy],
    ['203.0.113.7, unknown, 10.0.0.2', '10.0.0.2'],
    ['203.0.113.7, ', proxy],
    ['<script>', proxy],
  ] as const)
    assert.equal(read(['x-forwarded-for', chain], proxy).clientAddress, client, chain)
})

test('a chain over several fields is one chain', () => {
  const { forwardedFor, clientAddress } = read(
    ['x-forwarded-for', '1.2.3.4, 203.0.113.7', 'a', 'b', 'x-forwarded-for', '10.0.0.2'],
    proxy,
  )
  assert.equal(forwardedFor, '1.2.3.4, 203.0.113.7, 10.0.0.2')
  assert.equal(clientAddress, '203.0.113.7')
})

test('a trusted proxy that says nonsense is not repeated', () => {
  for (const [name, value, field] of [
    ['x-forwarded-proto', 'javascript', 'forwardedProto'],
    ['x-forwarded-proto', 'https, http', 'forwardedProto'],
    ['x-forwarded-host', 'a b', 'forwardedHost'],
    ['x-forwarded-host', 'a/b', 'forwardedHost'],
  ] as const)
    assert.equal(read([name, value], proxy)[field], '', `${name}: ${value}`)
  for (const id of ['short', 'a'.repeat(129), 'with space', 'quote"quote', 'caf\u00e9-12345', ''])
    assert.notEqual(read(['x-request-id', id], proxy).requestId, id)
})

test('a trace is continued whoever began it, and begun where there is none', () => {
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  for (const peer of [stranger, proxy]) {
    const result = read(['traceparent', `00-${traceId}-b7ad6b7169203331-00`], peer)
    assert.deepEqual([result.traceId, result.traceFlags, result.headers], [traceId, '00', []])
  }
  const own = read([])
  assert.match(own.traceId, /^[0-9a-f]{32}$/)
  assert.equal(own.traceFlags, '01')
  assert.notEqual(own.traceId, read([]).traceId)
})

test('a traceparent that is not valid begins a new trace', () => {
  const id = '0af7651916cd43dd8448eb211c80319c'
  for (const value of [
    '',
    id,
    `00-${id}-b7ad6b7169203331`,
    `00-${id.toUpperCase()}-b7ad6b7169203331-01`,
    `ff-${id}-b7ad6b7169203331-01`,
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-${id}-${'0'.repeat(16)}-01`,
    `00-${id}-b7ad6b7169203331-01-extra`,
  ]) {
    const result = read(['traceparent', value])
    assert.match(result.traceId, /^[0-9a-f]{32}$/, value)
    assert.notEqual(result.traceId, id, value)
    assert.doesNotMatch(result.traceId, /^0+$/)
    assert.equal(result.traceFlags, '01')
  }
})

test('trailers lose the same fields as headers', () => {
  assert.equal(cleanTrailers(null), null)
  assert.equal(cleanTrailers([...forged]), null)
  assert.deepEqual(cleanTrailers(['grpc-status', '0', ...forged, 'x-sum', 'a']), ['grpc-status', '0', 'x-sum', 'a'])
})

test('a flood of invented names changes no verdict', () => {
  for (let i = 0; i < 10_000; i++) assert.equal(read([`x-flood-${i}`, '1']).headers.length, 2)
  assert.deepEqual(read(['x_forwarded-late', '1', 'x-late', '2', 'x-consumer_late', '3']).headers, ['x-late', '2'])
  assert.deepEqual(read(forged).headers, [])
})
