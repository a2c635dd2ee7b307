import assert from 'node:assert/strict'
import { BlockList, isIPv4 } from 'node:net'
import { test } from 'node:test'
import { inRange, parseAddress, parseRange } from './address.ts'

const matches = (address: string, range: string): boolean => {
  const parsed = parseRange(range)
  const groups = parseAddress(address)
  if (typeof parsed === 'string' || groups === null) throw new Error(`${range} ${parsed}`)
  return inRange(groups, parsed)
}

for (const [address, range, expected] of [
  ['10.0.0.0', '10.0.0.0/8', true],
  ['10.255.255.255', '10.0.0.0/8', true],
  ['11.0.0.0', '10.0.0.0/8', false],
  ['192.0.2.127', '192.0.2.0/25', true],
  ['192.0.2.128', '192.0.2.0/25', false],
  ['192.0.2.7', '192.0.2.7', true],
  ['192.0.2.8', '192.0.2.7', false],
  ['192.0.2.7', '192.0.2.7/32', true],
  ['192.0.2.6', '192.0.2.6/31', true],
  ['192.0.2.8', '192.0.2.6/31', false],
  ['255.255.255.255', '0.0.0.0/0', true],
  ['128.0.0.0', '128.0.0.0/1', true],
  ['127.255.255.255', '128.0.0.0/1', false],
  ['2001:db8::1', '2001:db8::/32', true],
  ['2001:db9::1', '2001:db8::/32', false],
  ['2001:db8:0:7fff::', '2001:db8::/49', true],
  ['2001:db8:0:8000::', '2001:db8::/49', false],
  ['::1', '::1', true],
  ['::1', '::1/128', true],
  ['::2', '::1/128', false],
  ['fe80::1%eth0', 'fe80::/10', true],
  ['::ffff:10.1.2.3', '10.0.0.0/8', true],
  ['::ffff:a01:203', '10.0.0.0/8', true],
  ['10.1.2.3', '::ffff:10.0.0.0/104', true],
  ['11.1.2.3', '::ffff:10.0.0.0/104', false],
  ['10.1.2.3', '::ffff:0:0/96', true],
  ['10.1.2.3', '::/0', false],
  ['::ffff:10.1.2.3', '::/0', false],
  ['::1', '0.0.0.0/0', false],
  ['::0a01:0203', '10.0.0.0/8', false],
] as const)
  test(`${address} is ${expected ? '' : 'not '}in ${range}`, () => assert.equal(matches(address, range), expected))

test('text that is no address is none', () => {
  for (const text of ['', 'localhost', '10.0.0', '10.0.0.256', '010.0.0.1', '1.2.3.4.5', ':::', '[::1]', '10.0.0.1:80'])
    assert.equal(parseAddress(text), null, text)
})

test('ranges are the same as those of BlockList', () => {
  // A fixed sequence (Lehmer's generator), so that a failure can be repeated.
  let state = 20_260_801
  const random = (below: number): number => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
  const four = () => Array.from({ length: 4 }, () => random(256)).join('.')
  const six = () => Array.from({ length: 8 }, () => random(65_536).toString(16)).join(':')
  for (let round = 0; round < 400; round++) {
    const base = round % 2 ? four() : six()
    const family = isIPv4(base) ? 'ipv4' : 'ipv6'
    const prefix = random(family === 'ipv4' ? 33 : 129)
    const list = new BlockList()
    list.addSubnet(base, prefix, family)
    const groups = parseAddress(base) ?? assert.fail(base)
    const network = groups.map((group, i) => {
      const bits = Math.min(16, Math.max(0, prefix - i * 16))
      return group - (group % 2 ** (16 - bits))
    })
    // Addresses that share a beginning of random length with the network, and an arbitrary one.
    const split = random(groups.length + 1)
    const near = groups.map((group, i) => (i < split ? group : random(65_536)))
    const text = (parts: readonly number[]) =>
      family === 'ipv6'
        ? parts.map(part => part.toString(16)).join(':')
        : parts.flatMap(part => [part >> 8, part & 255]).join('.')
    for (const address of [text(groups), text(network), text(near)])
      assert.equal(
        matches(address, `${text(network)}/${prefix}`),
        list.check(address, family),
        `${address} in ${text(network)}/${prefix}`,
      )
  }
})
